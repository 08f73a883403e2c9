"""What cross-entropy and NLL share: one prediction per class, class indices, weights per class, ignored rows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from .case import FLOATS, REDUCTIONS, Case, Options, given, label, name, options_name, shape_name
from .draw import Draw
from .special import ROUNDED_SUM, edges, subnormal_product
from .tensors import Shape, Stored, Tensor

LAYOUTS: dict[str, Shape] = {"c": (5,), "nc": (3, 4), "ncd": (2, 3, 2), "ncdd": (2, 3, 2, 2)}
DEFAULT_IGNORE = -100
NAN, INF = float("nan"), float("inf")
I64_MAX, U32_MAX = 2**63 - 1, 2**32 - 1


class Classes:
    """The cases that one loss has in common with the other. Its inputs are drawn from low..high."""

    def __init__(self, loss: str, low: float, high: float, smoothings: Sequence[float | None]) -> None:
        self.loss = loss
        self.low, self.high = low, high
        self.smoothings = smoothings  # None where the loss has no such option

    def cases(self) -> Iterator[Case]:
        for dtype in FLOATS:
            yield from self.ordinary(dtype)
            yield from self.edges(dtype)
            yield from self.ignored(dtype)
            yield from self.weight_sums(dtype)
            yield from self.degenerate(dtype)
            yield from self.index_types(dtype)
            yield from self.large(dtype)
            yield from self.out_of_range(dtype)
            yield from self.mismatched(dtype)

    def case(
        self, case_id: str, flags: Sequence[str], options: Options, reduction: str, inputs: Mapping[str, Tensor]
    ) -> Case:
        return Case(case_id, tuple(flags), {**options, "reduction": reduction}, inputs)

    def input(self, draw: Draw, dtype: str, shape: Shape) -> Stored:
        return draw.uniform("input", dtype, shape, self.low, self.high)

    def explicit(
        self,
        dtype: str,
        title: str,
        flags: Sequence[str],
        rows: Sequence[Sequence[float]],
        target: Sequence[int],
        options: Options | None = None,
        weight: Sequence[float] | None = None,
        reductions: Sequence[str] = REDUCTIONS,
        index: str = "i64",
    ) -> Iterator[Case]:
        """A batch of rows, written out."""
        options = options or {}
        shape = (len(rows), len(rows[0]))
        inputs = {
            "input": Stored(dtype, shape, [value for row in rows for value in row]),
            "target": Stored(index, (len(target),), target),
        }
        if weight:
            inputs["weight"] = Stored(dtype, (len(weight),), weight)
        title = label(title, "weight" * bool(weight and "weight" not in title), options_name(options))
        for reduction in reductions:
            yield self.case(name(self.loss, dtype, title, reduction), flags, options, reduction, inputs)

    def ordinary(self, dtype: str) -> Iterator[Case]:
        for (layout, shape), index in product(LAYOUTS.items(), ("i64", "u8")):
            if index == "u8" and layout not in ("c", "nc"):
                continue
            kinds = ["", "weight"]
            if (layout, index) == ("nc", "i64"):
                kinds += ["weight_zero", "weight_negative"]
            # What is ignored: nothing, rows with the default, rows with a class's index.
            ignored = (None, 1) if index == "u8" or layout == "c" else (None, DEFAULT_IGNORE, 1)
            for kind, ignore, smoothing, reduction in product(kinds, ignored, self.smoothings, REDUCTIONS):
                ignore_index = None if ignore == DEFAULT_IGNORE else ignore
                options = given(ignore_index=ignore_index, label_smoothing=smoothing)
                # The mean of smoothed targets gathers their weights, and takes no u8 for that.
                u8_fails = index == "u8" and kind and smoothing and reduction == "mean"
                flags = ["invalid", "u8_unsupported"] if u8_fails else ["options"]
                parts = ["indices" if index == "i64" else "u8_indices", kind]
                parts += ["ignored"] * (ignore == DEFAULT_IGNORE)
                flags += ["ignore_index_in_range"] * (ignore_index is not None)
                if kind and ignore is not None and smoothing:
                    flags.append("weight_smoothing_ignore")
                flags += ["u8_target"] * (index == "u8") + ["negative_weight"] * (kind == "weight_negative")
                title = label(*parts, options_name(options))
                case_id = name(self.loss, dtype, layout, title, reduction)
                draw = Draw(case_id)
                inputs = {"input": self.input(draw, dtype, shape), "target": indices(draw, index, shape, ignore)}
                if kind:
                    inputs["weight"] = class_weights(draw, dtype, classes(shape), kind)
                yield self.case(case_id, flags, options, reduction, inputs)

    def edges(self, dtype: str) -> Iterator[Case]:
        for flag, value_name, value in edges(dtype):
            for place in ("target", "other", "weight_of_target", "weight_of_other"):
                draw = Draw(name(self.loss, dtype, place, value_name))
                rows = [list(self.input(draw, dtype, (3,)).data), [-0.5, -2.0, -1.25]]
                weight = None
                if place.startswith("weight"):
                    weight = [0.75, 1.5, 0.5]
                    weight[0 if place == "weight_of_target" else 2] = value
                else:
                    rows[0][0 if place == "target" else 2] = value
                own = flag
                if (place, value) == ("target", -INF):
                    own = "target_logit_negative_infinity"
                title = f"{place}={value_name}"
                yield from self.explicit(dtype, title, [own], rows, [0, 1], {}, weight, ("none", "mean"))

    def ignored(self, dtype: str) -> Iterator[Case]:
        for ignore, weighted, smoothing in product((DEFAULT_IGNORE, 1), (False, True), self.smoothings):
            options = given(ignore_index=None if ignore == DEFAULT_IGNORE else ignore, label_smoothing=smoothing)
            flags = ["all_ignored"] + ["ignore_index_in_range"] * (ignore == 1)
            flags += ["weight_smoothing_ignore"] * bool(weighted and smoothing)
            for (layout, shape), reduction in product(LAYOUTS.items(), REDUCTIONS):
                if layout != "nc" and weighted:
                    continue
                title = label("all_ignored", "weight" * weighted, options_name(options))
                case_id = name(self.loss, dtype, layout, title, reduction)
                draw = Draw(case_id)
                positions = target_shape(shape)
                inputs = {
                    "input": self.input(draw, dtype, shape),
                    "target": Stored("i64", positions, [ignore] * math.prod(positions)),
                }
                if weighted:
                    inputs["weight"] = class_weights(draw, dtype, classes(shape), "weight")
                yield self.case(case_id, flags, options, reduction, inputs)
        case_id = name(self.loss, dtype, "many_ignored", "none")
        draw = Draw(case_id)
        target = [2, *[-1] * 21, 0]
        inputs = {"input": self.input(draw, dtype, (23, 3)), "target": Stored("i64", (23,), target)}
        yield self.case(case_id, ["many_ignored_rows"], {"ignore_index": -1}, "none", inputs)
        rows = {"-inf": [-INF] * 3, "one-inf": [-1.0, -INF, -0.5], "nan": [NAN, -1.0, -2.0], "inf": [-1.0, INF, -0.5]}
        for (row_name, row), smoothing in product(rows.items(), self.smoothings):
            options = given(label_smoothing=smoothing)
            batch = [row, [-0.5, -1.75, -1.0]]
            title = f"ignored_row={row_name}"
            yield from self.explicit(dtype, title, ["ignored_nonfinite_row"], batch, [DEFAULT_IGNORE, 2], options)

    def weight_sums(self, dtype: str) -> Iterator[Case]:
        rows = [[-0.5, -2.0, -1.25], [-3.0, -0.25, -1.5], [-1.0, -1.5, -0.75]]
        sums = {
            "zero": ([1.5, 0.0, 0.5], [1, 1, 1], ["zero_weight_sum"]),
            "cancelling": ([2.0, -1.0, 0.5], [0, 1, 1], ["zero_weight_sum", "negative_weight"]),
            "rounded": (ROUNDED_SUM, [0, 1, 2], ["rounded_weight_sum", "negative_weight"]),
        }
        for (sum_name, (weight, target, flags)), smoothing in product(sums.items(), self.smoothings):
            options = given(label_smoothing=smoothing)
            yield from self.explicit(dtype, f"weight_sum={sum_name}", flags, rows, target, options, weight)
        score, small = subnormal_product(dtype)
        yield from self.explicit(dtype, "weight=small", ["small_weighted_score"], [[-0.5, score]], [1], {}, [1.0, small])
        flags = ["negative_weight"]
        yield from self.explicit(dtype, "weight_sum=negative", flags, rows, [1, 1, 0], {}, [0.5, -1.5, 0.25])

    def degenerate(self, dtype: str) -> Iterator[Case]:
        shapes: list[tuple[str, Shape, str]] = [
            ("one_class", (3, 1), "one_class"),
            ("one_class_c", (1,), "one_class"),
            ("one_class_ncd", (2, 1, 2), "one_class"),
            ("one_row", (1, 4), "one_row"),
            ("one_row_ncd", (1, 3, 1), "one_row"),
            ("empty_batch", (0, 4), "empty_batch"),
            ("empty_batch_ncd", (0, 3, 2), "empty_batch"),
            ("empty_positions", (2, 3, 0), "empty_positions"),
            ("empty_positions_2d", (2, 3, 0, 2), "empty_positions"),
            ("nothing", (0, 0), "zero_classes"),
            ("ncddd", (2, 3, 2, 1, 2), "many_positions"),
        ]
        for (title, shape, flag), weighted, reduction in product(shapes, (False, True), REDUCTIONS):
            case_id = name(self.loss, dtype, title, "weight" * weighted, reduction)
            draw = Draw(case_id)
            inputs = {"input": self.input(draw, dtype, shape), "target": indices(draw, "i64", shape, None)}
            if weighted:
                inputs["weight"] = class_weights(draw, dtype, classes(shape), "weight")
            yield self.case(case_id, [flag], {}, reduction, inputs)
        for reduction in REDUCTIONS:
            inputs = {"input": Stored(dtype, (2, 0), []), "target": Stored("i64", (2,), [DEFAULT_IGNORE] * 2)}
            case_id = name(self.loss, dtype, "zero_classes", reduction)
            yield self.case(case_id, ["zero_classes", "all_ignored"], {}, reduction, inputs)

            # A vector of one target beside one unbatched row.
            case_id = name(self.loss, dtype, "c+target=1", reduction)
            inputs = {"input": self.input(Draw(case_id), dtype, (4,)), "target": Stored("i64", (1,), [2])}
            yield self.case(case_id, ["vector_target", "backward_fails"], {}, reduction, inputs)

    def index_types(self, dtype: str) -> Iterator[Case]:
        for index, reduction in product(("u8", "i64"), REDUCTIONS):
            case_id = name(self.loss, dtype, f"class=255+{index}", reduction)
            draw = Draw(case_id)
            inputs = {"input": self.input(draw, dtype, (2, 256)), "target": Stored(index, (2,), [255, 7])}
            flags = ["sentinel_class"] + ["u8_target"] * (index == "u8")
            yield self.case(case_id, flags, {}, reduction, inputs)
        for layout, reduction in product(("ncd", "ncdd"), REDUCTIONS):
            case_id = name(self.loss, dtype, layout, "u8_indices", reduction)
            draw = Draw(case_id)
            shape = LAYOUTS[layout]
            inputs = {"input": self.input(draw, dtype, shape), "target": indices(draw, "u8", shape, None)}
            yield self.case(case_id, ["invalid", "u8_unsupported", "u8_target"], {}, reduction, inputs)
        rows = [[-0.5, -2.0, -1.25], [-3.0, -0.25, -1.5], [-1.0, -1.5, -0.75]]
        flags = ["sentinel_ignore_index", "u8_target"]
        yield from self.explicit(dtype, "u8", flags, rows, [0, 255, 2], {"ignore_index": 255}, index="u8")

    def large(self, dtype: str) -> Iterator[Case]:
        for shape, weighted, smoothing in product(
            ((128, 1000), (8, 32000), (50_001, 4)), (False, True), self.smoothings[:2]
        ):
            options = given(label_smoothing=smoothing)
            for reduction in ("mean", "sum"):
                title = label("large", "weight" * weighted, options_name(options))
                case_id = name(self.loss, dtype, shape_name(shape), title, reduction)
                draw = Draw(case_id)
                inputs: dict[str, Tensor] = {
                    "input": draw.seeded("input", dtype, shape, 2 * self.low, 2 * self.high),
                    "target": draw.seeded("target", "i64", shape[:1], 0, shape[1]),
                }
                if weighted:
                    inputs["weight"] = draw.seeded("weight", dtype, shape[1:], 0, 2)
                yield self.case(case_id, ["large"], options, reduction, inputs)

    def out_of_range(self, dtype: str) -> Iterator[Case]:
        rows = [[-0.5, -2.0, -1.25, -0.75], [-3.0, -0.25, -1.5, -1.0], [-1.0, -1.5, -0.75, -2.5]]
        flags = ["invalid", "index_out_of_range"]
        wrong = {"C": 4, "C+1": 5, "-1": -1, "-2": -2, "-99": -99, "128": 128, "256": 256, "i64_min": -I64_MAX - 1}
        sentinels = {"255": 255, "u32_max": U32_MAX, "i64_max": I64_MAX}
        for smoothing in self.smoothings[:2]:
            options = given(label_smoothing=smoothing)
            for value_name, value in (wrong | sentinels).items():
                extra = ["sentinel_index"] * (value_name in sentinels)
                title = f"target={value_name}"
                yield from self.explicit(dtype, title, flags + extra, rows, [0, value, 1], options)
        weight = [0.5, 1.0, 1.5, 2.0]
        yield from self.explicit(dtype, "target=C", flags, rows, [0, 4, 1], {}, weight)
        # The default is not ignored any more where another index is.
        yield from self.explicit(dtype, "target=-100", flags, rows, [0, -100, 1], {"ignore_index": 1})
        for value, reduction in product((4, 255, 156), REDUCTIONS):
            extra = {4: [], 255: ["sentinel_index"], 156: ["ignore_index_wraps"]}[value]
            extra = extra + ["garbled_message"] * (reduction == "none") + ["u8_target"]
            title = f"u8_target={value}"
            yield from self.explicit(
                dtype, title, flags + extra, rows, [0, value, 1], reductions=[reduction], index="u8"
            )
        for (layout, shape), reduction in product(LAYOUTS.items(), REDUCTIONS):
            if layout == "nc":
                continue
            for value_name, value in {"C": classes(shape), "-1": -1, "i64_max": I64_MAX}.items():
                case_id = name(self.loss, dtype, layout, f"target={value_name}", reduction)
                draw = Draw(case_id)
                target = indices(draw, "i64", shape, None)
                target = Stored("i64", target.shape, [*target.data[:-1], value])
                extra = ["sentinel_index"] * (value == I64_MAX)
                inputs = {"input": self.input(draw, dtype, shape), "target": target}
                yield self.case(case_id, flags + extra, {}, reduction, inputs)

    def mismatched(self, dtype: str) -> Iterator[Case]:
        targets: tuple[tuple[Shape, Shape], ...] = (
            ((3, 4), (2,)),
            ((3, 4), (4,)),
            ((3, 4), (3, 1)),
            ((3, 4), ()),
            ((1, 4), ()),
            ((4,), (2,)),
            ((2, 3, 2), (3, 2)),
            ((2, 3, 2), (2, 3)),
            ((2, 3, 2), (2,)),
            ((2, 3, 2, 2), (2, 2)),
            ((2, 3, 2, 2), (2, 2, 3)),
            ((), ()),
        )
        weights: tuple[tuple[Shape, Shape], ...] = (
            ((3, 4), (3,)),
            ((3, 4), (5,)),
            ((3, 4), (1,)),
            ((3, 4), ()),
            ((3, 4), (1, 4)),
            ((4,), (3,)),
            ((2, 3, 2), (2,)),
            ((2, 3, 2, 2), (4,)),
        )
        for reduction in ("none", "mean"):
            for shape, positions in targets:
                case_id = name(self.loss, dtype, f"{shape_name(shape)}+target={shape_name(positions)}", reduction)
                inputs = {
                    "input": self.input(Draw(case_id), dtype, shape),
                    "target": Stored("i64", positions, [0] * math.prod(positions)),
                }
                yield self.case(case_id, ["invalid", "shape_mismatch"], {}, reduction, inputs)
            for shape, weight in weights:
                case_id = name(self.loss, dtype, f"{shape_name(shape)}+weight={shape_name(weight)}", reduction)
                draw = Draw(case_id)
                inputs = {
                    "input": self.input(draw, dtype, shape),
                    "target": indices(draw, "i64", shape, None),
                    "weight": draw.uniform("weight", dtype, weight, 0.5, 2),
                }
                yield self.case(case_id, ["invalid", "weight_mismatch"], {}, reduction, inputs)
            case_id = name(self.loss, dtype, "zero_classes+target=0", reduction)
            inputs = {"input": Stored(dtype, (2, 0), []), "target": Stored("i64", (2,), [0, 0])}
            flags = ["invalid", "index_out_of_range", "zero_classes"]
            yield self.case(case_id, flags, {}, reduction, inputs)
            case_id = name(self.loss, dtype, "float_target", reduction)
            inputs = {"input": self.input(Draw(case_id), dtype, (3, 4)), "target": Stored(dtype, (3,), [0.0, 1.0, 2.0])}
            yield self.case(case_id, ["invalid", "wrong_dtype"], {}, reduction, inputs)


def classes(shape: Shape) -> int:
    return shape[0] if len(shape) == 1 else shape[1]


def target_shape(shape: Shape) -> Shape:
    return () if len(shape) == 1 else (shape[0], *shape[2:])


def indices(draw: Draw, dtype: str, shape: Shape, ignore: int | None) -> Stored:
    """Consecutive classes from a drawn one, so that several occur. One row is ignored, where there are several."""
    positions, count = target_shape(shape), classes(shape)
    start = draw.integer("target", 0, count)
    target = [(start + i) % count for i in range(math.prod(positions))]
    if ignore is not None:
        target = [(value + 1) % count if value == ignore else value for value in target]
        if len(target) > 1:
            target[draw.integer("ignored", 0, len(target))] = ignore
    return Stored(dtype, positions, target)


def class_weights(draw: Draw, dtype: str, count: int, kind: str) -> Stored:
    weight = list(draw.uniform("weight", dtype, (count,), 0.5, 2).data)
    if kind == "weight_zero":
        weight[0] = 0.0
    if kind == "weight_negative":
        weight[-1] = -0.375
    return Stored(dtype, (count,), weight)
