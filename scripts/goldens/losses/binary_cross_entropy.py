from collections.abc import Iterator

from ..bernoulli import EMPTY, ENLARGING, MISMATCHED, UNFIT, WEIGHT_SHAPES, targets, weights
from ..case import FLOATS, REDUCTIONS, Case, Loss, name, shape_name
from ..draw import Draw
from ..special import edges, limits
from ..tensors import Shape, Stored, Tensor

NAME = "binary_cross_entropy"

WEIGHTS: tuple[tuple[Shape, tuple[Shape | None, ...]], ...] = (
    ((), (None, ())),
    ((5,), (None, (5,), (1,))),
    ((3, 4), (None, *WEIGHT_SHAPES)),
    ((2, 3, 2), (None, (2, 3, 2), (2,), (3, 1), (2, 1, 1))),
)


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield from ordinary(dtype)
        yield from weighted_mean(dtype)
        yield from extreme(dtype)
        yield from edge_weights(dtype)
        yield from degenerate(dtype)
        yield from large(dtype)
        yield from invalid(dtype)


def ordinary(dtype: str) -> Iterator[Case]:
    for shape, weight_shapes in WEIGHTS:
        for weight_shape in weight_shapes:
            for kind in ("hard", "soft"):
                for reduction in REDUCTIONS:
                    yield drawn(dtype, ["options"], shape, weight_shape, kind, reduction)
    for reduction in REDUCTIONS:
        case_id = name(NAME, dtype, "negative_weight", reduction)
        draw = Draw(case_id)
        weight = Stored(dtype, (4,), [1.5, -0.75, 0.0, 2.0])
        input, target = probabilities(draw, dtype, (3, 4)), targets(draw, "soft", dtype, (3, 4))
        yield case(case_id, ["negative_weight", "weight_broadcast"], reduction, input, target, weight)


def weighted_mean(dtype: str) -> Iterator[Case]:
    for reduction in REDUCTIONS:
        case_id = name(NAME, dtype, "weighted_mean", reduction)
        draw = Draw(case_id)
        weight = Stored(dtype, (2,), [0.25, 3.0])
        input, target = probabilities(draw, dtype, (2,)), targets(draw, "hard", dtype, (2,))
        yield case(case_id, ["weighted_mean"], reduction, input, target, weight)


def extreme(dtype: str) -> Iterator[Case]:
    info = limits(dtype)
    epsilon, normal, subnormal = (info.epsneg, info.tiny, info.smallest_subnormal)
    below_one = {"1-eps": 1 - epsilon, "1-1e-5": 1 - 1e-5}
    above_zero = {"eps": epsilon, "1e-5": 1e-5, "1e-12": 1e-12, "1e-13": 1e-13, "tiny": normal, "subnormal": subnormal}
    certain = {"0": 0.0, "-0": -0.0, "1": 1.0}
    for flag, values in (("extreme_probability", below_one | above_zero), ("certain_probability", certain)):
        for target_value in (0.0, 1.0, 0.3):
            for reduction in REDUCTIONS:
                case_id = name(NAME, dtype, f"{flag}+target={target_value}", reduction)
                shape = (len(values),)
                input, target = (
                    Stored(dtype, shape, list(values.values())),
                    Stored(dtype, shape, [target_value] * shape[0]),
                )
                yield case(case_id, [flag], reduction, input, target, None)
            # One at a time as well: in a mean, the largest hides the others.
            for value_name, value in values.items():
                case_id = name(NAME, dtype, f"p={value_name}+target={target_value}", "mean")
                input, target = Stored(dtype, (1,), [value]), Stored(dtype, (1,), [target_value])
                yield case(case_id, [flag], "mean", input, target, None)
    for value_name, value in (("0", 0.0), ("-0", -0.0), ("subnormal", subnormal)):
        for reduction in ("none", "mean"):
            case_id = name(NAME, dtype, f"target={value_name}", reduction)
            input = probabilities(Draw(case_id), dtype, (3,))
            flag = "edge_subnormal" if value else "edge_zero"
            yield case(case_id, [flag], reduction, input, Stored(dtype, (3,), [0.25, value, 1.0]), None)
    # In f16 the difference times the cotangent is one and a half times the smallest number.
    inputs = {"input": Stored(dtype, (), [2.0**-12]), "target": Stored(dtype, (), [0.0])}
    cotangent = Stored(dtype, (), [1.5 * 2.0**-12])
    case_id = name(NAME, dtype, "subnormal_product", "none")
    yield Case(case_id, ("subnormal_product",), {"reduction": "none"}, inputs, cotangent=cotangent)


def edge_weights(dtype: str) -> Iterator[Case]:
    for flag, value_name, value in edges(dtype):
        for reduction in ("none", "mean"):
            case_id = name(NAME, dtype, f"weight={value_name}", reduction)
            draw = Draw(case_id)
            input, target = probabilities(draw, dtype, (3,)), targets(draw, "soft", dtype, (3,))
            yield case(case_id, [flag], reduction, input, target, Stored(dtype, (3,), [1.5, value, 0.5]))


def degenerate(dtype: str) -> Iterator[Case]:
    for shape in EMPTY:
        for weight_shape in (None, (shape[-1],)):
            for reduction in REDUCTIONS:
                yield drawn(dtype, ["empty"], shape, weight_shape, "soft", reduction)


def large(dtype: str) -> Iterator[Case]:
    for weighted in (False, True):
        for reduction in ("mean", "sum"):
            case_id = name(NAME, dtype, "large", "weight" * weighted, reduction)
            draw = Draw(case_id)
            input, target = (draw.seeded(key, dtype, (50_001,), 0, 1) for key in ("input", "target"))
            weight = draw.seeded("weight", dtype, (50_001,), 0, 2) if weighted else None
            yield case(case_id, ["large"], reduction, input, target, weight)


def invalid(dtype: str) -> Iterator[Case]:
    for reduction in ("none", "mean"):
        for flag, pairs in (("weight_mismatch", UNFIT), ("enlarging_weight", ENLARGING)):
            for shape, weight_shape in pairs:
                yield drawn(dtype, ["invalid", flag], shape, weight_shape, "soft", reduction)
        for shape, target_shape in MISMATCHED:
            case_id = name(NAME, dtype, f"{shape_name(shape)}+target={shape_name(target_shape)}", reduction)
            draw = Draw(case_id)
            input, target = probabilities(draw, dtype, shape), targets(draw, "soft", dtype, target_shape)
            yield case(case_id, ["invalid", "shape_mismatch"], reduction, input, target, None)
        outside = {"-0.1": -0.1, "1.5": 1.5, "nan": float("nan"), "inf": float("inf"), "-inf": -float("inf")}
        outside["1+eps"] = 1 + limits(dtype).eps
        outside["-subnormal"] = -limits(dtype).smallest_subnormal
        for place in ("input", "target"):
            for value_name, value in outside.items():
                case_id = name(NAME, dtype, f"{place}={value_name}", reduction)
                data = {"input": [0.25, 0.5, 0.75], "target": [0.0, 1.0, 0.5]}
                data[place][1] = value
                input, target = (Stored(dtype, (3,), values) for values in data.values())
                yield case(case_id, ["invalid", "outside_unit_interval"], reduction, input, target, None)
        for target_dtype in ("i64", "u8"):
            case_id = name(NAME, dtype, f"target={target_dtype}", reduction)
            input, target = Stored(dtype, (2,), [0.25, 0.75]), Stored(target_dtype, (2,), [0, 1])
            yield case(case_id, ["invalid", "wrong_dtype"], reduction, input, target, None)


def drawn(dtype: str, flags: list[str], shape: Shape, weight_shape: Shape | None, kind: str, reduction: str) -> Case:
    weighted = f"weight={shape_name(weight_shape)}" if weight_shape is not None else ""
    case_id = name(NAME, dtype, shape_name(shape), weighted, kind, reduction)
    draw = Draw(case_id)
    if "invalid" not in flags:
        flags = flags + ["scalar"] * (shape == ()) + ["weight_broadcast"] * (weight_shape not in (None, shape))
    weight = None if weight_shape is None else weights(draw, "weight", dtype, weight_shape)
    return case(case_id, flags, reduction, probabilities(draw, dtype, shape), targets(draw, kind, dtype, shape), weight)


def probabilities(draw: Draw, dtype: str, shape: Shape) -> Stored:
    return draw.uniform("input", dtype, shape, 0.02, 0.98)


def case(case_id: str, flags: list[str], reduction: str, input: Tensor, target: Tensor, weight: Tensor | None) -> Case:
    inputs = {"input": input, "target": target} | ({"weight": weight} if weight else {})
    return Case(case_id, tuple(flags), {"reduction": reduction}, inputs)


LOSS = Loss(NAME, ("input", "target"), cases)
