"""What the four losses of a difference share: L1, MSE, Huber and smooth L1."""

from collections.abc import Iterator, Mapping, Sequence

from .case import FLOATS, REDUCTIONS, Case, Options, name, options_name, shape_name
from .draw import Draw
from .special import edges, limits, neighbours
from .tensors import Shape, Stored, Tensor

SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((5,), (5,)),
    ((3, 4), (3, 4)),
    ((2, 3, 2), (2, 3, 2)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((3, 4), ()),
    ((), (3,)),
    ((2, 3, 2), (3, 1)),
    ((1,), (5,)),
)
EMPTY: tuple[tuple[Shape, Shape], ...] = (
    ((0,), (0,)),
    ((0, 3), (0, 3)),
    ((3, 0), (3, 0)),
    ((0, 3), (1, 3)),
    ((0, 3), (3,)),
)
MISMATCHED: tuple[tuple[Shape, Shape], ...] = (
    ((3,), (4,)),
    ((2, 3), (2,)),
    ((2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((0, 3), (2, 3)),
)


class Regression:
    """The cases of one loss, over several settings of its options."""

    def __init__(
        self, loss: str, settings: Sequence[Options], flags: Mapping[str, str] = {}, weighted: bool = False
    ) -> None:
        self.loss = loss
        self.settings = settings
        self.weighted = weighted
        self.flags = flags  # by the settings' name: a flag for every case with them

    def cases(self) -> Iterator[Case]:
        for dtype in FLOATS:
            for settings in self.settings:
                yield from self.ordinary(dtype, settings)
                yield from self.zero_difference(dtype, settings)
            yield from self.edges(dtype, self.settings[0])
            yield from self.degenerate(dtype, self.settings[0])
            yield from self.large(dtype)
            yield from self.mismatched(dtype)
            if self.weighted:
                yield from self.weights(dtype)

    def case(
        self, case_id: str, flags: Sequence[str], settings: Options, reduction: str, input: Tensor, target: Tensor
    ) -> Case:
        extra = self.flags.get(options_name(settings))
        flags = (*flags, extra) if extra and "invalid" not in flags else tuple(flags)
        return Case(case_id, flags, {**settings, "reduction": reduction}, {"input": input, "target": target})

    def ordinary(self, dtype: str, settings: Options) -> Iterator[Case]:
        setting = options_name(settings)
        for reduction in REDUCTIONS:
            for shapes in SHAPES:
                flags = ["options"] + ["broadcast"] * (shapes[0] != shapes[1]) + ["scalar"] * (shapes == ((), ()))
                case_id = name(self.loss, dtype, shapes_name(*shapes), setting, reduction)
                draw = Draw(case_id)
                # A digit more than the thresholds have: a kink by chance is unlikely.
                input = draw.uniform("input", dtype, shapes[0], -3, 3, 5)
                target = draw.uniform("target", dtype, shapes[1], -3, 3, 5)
                yield self.case(case_id, flags, settings, reduction, input, target)
            for shape in ((5,), (3, 4)):
                case_id = name(self.loss, dtype, "near", shape_name(shape), setting, reduction)
                draw = Draw(case_id)
                input = draw.uniform("input", dtype, shape, -3, 3)
                digits = {"f16": 2, "bf16": 1}.get(dtype, 3)
                yield self.case(case_id, ["near"], settings, reduction, input, close(draw, input, digits))

                case_id = name(self.loss, dtype, "wide", shape_name(shape), setting, reduction)
                draw = Draw(case_id)
                most = 3 if dtype == "f16" else 6
                input, target = (draw.wide(key, dtype, shape, -most, most) for key in ("input", "target"))
                yield self.case(case_id, ["wide"], settings, reduction, input, target)
            if dtype == "f64":
                case_id = name(self.loss, dtype, "small_difference", setting, reduction)
                draw = Draw(case_id)
                input = draw.uniform("input", dtype, (5,), -3, 3)
                yield self.case(case_id, ["small_difference"], settings, reduction, input, close(draw, input, 12))

    def zero_difference(self, dtype: str, settings: Options) -> Iterator[Case]:
        data = [0.0, -0.0, 0.0, 1.5, -2.25, 0.5]
        other = [0.0, 0.0, -0.0, 1.5, -2.25, 2.75]
        for reduction in REDUCTIONS:
            case_id = name(self.loss, dtype, "zero_difference", options_name(settings), reduction)
            input, target = Stored(dtype, (6,), data), Stored(dtype, (6,), other)
            yield self.case(case_id, ["zero_difference"], settings, reduction, input, target)

    def edges(self, dtype: str, settings: Options) -> Iterator[Case]:
        for flag, value_name, value in edges(dtype):
            for place in ("input", "target", "both", "opposite"):
                if place == "opposite" and value != value:
                    continue
                for reduction in ("none", "mean"):
                    case_id = name(self.loss, dtype, f"{place}={value_name}", reduction)
                    draw = Draw(case_id)
                    input, target = (list(draw.uniform(key, dtype, (3,), -3, 3).data) for key in ("input", "target"))
                    if place != "target":
                        input[1] = value
                    if place != "input":
                        target[1] = -value if place == "opposite" else value
                    flags = [flag] + ["zero_difference"] * (input[1] - target[1] == 0)
                    tensors = (Stored(dtype, (3,), data) for data in (input, target))
                    yield self.case(case_id, flags, settings, reduction, *tensors)

    def degenerate(self, dtype: str, settings: Options) -> Iterator[Case]:
        for shapes in EMPTY:
            flags = ["empty"] + ["broadcast"] * (shapes[0] != shapes[1])
            for reduction in REDUCTIONS:
                yield self.drawn(dtype, flags, settings, reduction, shapes)

    def mismatched(self, dtype: str) -> Iterator[Case]:
        for shapes in MISMATCHED:
            for reduction in ("none", "mean"):
                yield self.drawn(dtype, ["invalid", "shape_mismatch"], self.settings[0], reduction, shapes)

    def invalid_option(self, option: str, value: float) -> Iterator[Case]:
        for dtype in FLOATS:
            for reduction in REDUCTIONS:
                yield self.drawn(dtype, ["invalid", "invalid_option"], {option: value}, reduction, ((5,), (5,)))

    def drawn(
        self, dtype: str, flags: Sequence[str], settings: Options, reduction: str, shapes: tuple[Shape, Shape]
    ) -> Case:
        case_id = name(self.loss, dtype, shapes_name(*shapes), options_name(settings), reduction)
        draw = Draw(case_id)
        tensors = (draw.uniform(key, dtype, shape, -3, 3) for key, shape in zip(("input", "target"), shapes))
        return self.case(case_id, flags, settings, reduction, *tensors)

    def large(self, dtype: str) -> Iterator[Case]:
        for settings in self.settings[:2]:
            for reduction in ("mean", "sum"):
                case_id = name(self.loss, dtype, "large", options_name(settings), reduction)
                draw = Draw(case_id)
                tensors = (draw.seeded(key, dtype, (50_001,), -3, 3) for key in ("input", "target"))
                yield self.case(case_id, ["large"], settings, reduction, *tensors)

    def weights(self, dtype: str) -> Iterator[Case]:
        """The weight that torch.nn.functional has: of the input's shape."""
        for settings in self.settings:
            for reduction in REDUCTIONS:
                for shapes in (*SHAPES, *EMPTY):
                    flags = ["element_weight"] + ["broadcast"] * (shapes[0] != shapes[1])
                    flags += ["empty"] * (0 in shapes[0]) + ["scalar"] * (shapes == ((), ()))
                    yield self.with_weight(dtype, "weight", flags, settings, reduction, shapes, shapes[0])
        special = (
            ("weight=negative", ["negative_weight"], [0.5, -0.75, 2.0]),
            ("weight_sum=zero", ["zero_weight_sum"], [0.5, -0.75, 0.25]),
            ("weight=zero", ["zero_weight_sum"], [0.0, 0.0, 0.0]),
            *((f"weight={text}", [flag], [0.5, value, 2.0]) for flag, text, value in edges(dtype)),
        )
        for variant, flags, data in special:
            for reduction in REDUCTIONS:
                flags_of_case = ["element_weight", *flags]
                yield self.with_weight(dtype, variant, flags_of_case, {}, reduction, ((3,), (3,)), (3,), data)
        case_id = name(self.loss, dtype, "large", "weight", "mean")
        draw = Draw(case_id)
        bounds = {"input": (-3, 3), "target": (-3, 3), "weight": (0.25, 3)}
        inputs = {key: draw.seeded(key, dtype, (50_001,), *to) for key, to in bounds.items()}
        yield Case(case_id, ("element_weight", "large"), {"reduction": "mean"}, inputs)
        if dtype == "f16":
            yield self.subnormal_share({})
            data = {"input": [0.0087] * 3, "target": [0.0] * 3, "weight": [768 * limits(dtype).smallest_subnormal] * 3}
            inputs = {key: Stored(dtype, (3,), numbers) for key, numbers in data.items()}
            case_id = name(self.loss, dtype, "subnormal_weighted_loss", "mean")
            yield Case(case_id, ("element_weight", "subnormal_weighted_loss"), {"reduction": "mean"}, inputs)
        for shape in ((), (1,), (4,), (1, 3), (3, 1)):
            for reduction in ("none", "mean"):
                flags = ["invalid", "weight_mismatch"]
                yield self.with_weight(dtype, f"weight={shape_name(shape)}", flags, {}, reduction, ((3,), (3,)), shape)

    def with_weight(
        self,
        dtype: str,
        variant: str,
        flags: Sequence[str],
        settings: Options,
        reduction: str,
        shapes: tuple[Shape, Shape],
        weight_shape: Shape,
        data: Sequence[float] | None = None,
    ) -> Case:
        case_id = name(self.loss, dtype, shapes_name(*shapes), variant, options_name(settings), reduction)
        draw = Draw(case_id)
        input, target = (draw.uniform(key, dtype, shape, -3, 3, 5) for key, shape in zip(("input", "target"), shapes))
        drawn = draw.uniform("weight", dtype, weight_shape, 0.25, 3)
        weight = drawn if data is None else Stored(dtype, weight_shape, data)
        case = self.case(case_id, flags, settings, reduction, input, target)
        return Case(case.id, case.flags, case.options, {**case.inputs, "weight": weight})

    def subnormal_share(self, settings: Options) -> Case:
        data = {"input": [-60.0, 70.0, 5.0], "target": [1.0, 1.0, 1.0], "weight": [2.0**-10, 2.0**-11, 1.0]}
        inputs = {key: Stored("f16", (3,), numbers) for key, numbers in data.items()}
        case_id = name(self.loss, "f16", "subnormal_share", "weight", options_name(settings), "none")
        options = {**settings, "reduction": "none"}
        flags = ("element_weight", "subnormal_share")
        return Case(case_id, flags, options, inputs, cotangent=Stored("f16", (3,), [0.000193] * 3))

    def threshold(self, option: str) -> Iterator[Case]:
        """Differences at the option's value, rounded to the dtype, and one step to either side."""
        for dtype in FLOATS:
            for settings in self.settings:
                at = float(settings.get(option, 1.0))
                if at == 0:
                    continue
                steps = neighbours(dtype, at)
                for reduction in REDUCTIONS:
                    case_id = name(self.loss, dtype, "threshold", options_name(settings), reduction)
                    data = [sign * step for sign in (1, -1) for step in steps]
                    input = Stored(dtype, (12,), data + [0.0] * 6)
                    target = Stored(dtype, (12,), [0.0] * 6 + data)
                    yield self.case(case_id, ["threshold"], settings, reduction, input, target)


def shapes_name(input: Shape, target: Shape) -> str:
    return shape_name(input) if input == target else f"{shape_name(input)}+target={shape_name(target)}"


def close(draw: Draw, input: Stored, digits: int) -> Stored:
    """The input, moved by up to 9.5 units of the given decimal place, and never by 0."""
    steps = draw.uniform("target", input.dtype, input.shape, -9, 9, 1).data
    moved = [round(x + (s + (0.5 if s >= 0 else -0.5)) * float(f"1e-{digits}"), 16) for x, s in zip(input.data, steps)]
    return Stored(input.dtype, input.shape, moved)
