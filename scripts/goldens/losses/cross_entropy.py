import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss, Options, given, label, name, options_name, shape_name
from ..classes import INF, LAYOUTS, Classes, class_weights, classes
from ..draw import Draw
from ..special import edges, limits
from ..tensors import Shape, Stored, Tensor

NAME = "cross_entropy"
SMOOTHINGS = (None, 0.1, 1.0)
INDICES = Classes(NAME, low=-3, high=3, smoothings=SMOOTHINGS)

# Where the other classes' share falls below the dtype's epsilon, where it underflows, and between.
MARGINS = {
    "f16": (5.0, 7.5, 9.0, 11.0, 16.0, 18.0, 50.0, 200.0),
    "bf16": (4.0, 6.0, 16.0, 32.0, 50.0, 88.0, 104.0, 200.0),
    "f32": (16.0, 17.0, 19.0, 32.0, 50.0, 88.0, 104.0, 200.0),
    "f64": (16.0, 32.0, 36.0, 37.0, 50.0, 200.0, 708.0, 745.5, 800.0),
}


def cases() -> Iterator[Case]:
    yield from INDICES.cases()
    for dtype in FLOATS:
        yield from probabilities(dtype)
        yield from probability_edges(dtype)
        yield from degenerate_probabilities(dtype)
        yield from confident(dtype)
        yield from logits(dtype)
        yield from options(dtype)
        yield from invalid(dtype)


def probabilities(dtype: str) -> Iterator[Case]:
    for layout, shape in LAYOUTS.items():
        kinds = ("", "weight", "weight_zero", "weight_negative") if layout == "nc" else ("", "weight")
        for kind, smoothing, reduction in product(kinds, SMOOTHINGS, REDUCTIONS):
            options = given(label_smoothing=smoothing)
            title = label("probabilities", kind, options_name(options))
            case_id = name(NAME, dtype, layout, title, reduction)
            draw = Draw(case_id)
            inputs = {"input": INDICES.input(draw, dtype, shape), "target": distribution(draw, dtype, shape)}
            if kind:
                inputs["weight"] = class_weights(draw, dtype, classes(shape), kind)
            flags = ["options"] + ["negative_weight"] * (kind == "weight_negative")
            yield case(case_id, flags, options, reduction, inputs)
    unusual = {
        "unnormalised_target": [0.5, 2.0, 0.0, 0.25, 0.125, 0.0],
        "negative_probability": [-0.5, 1.0, 0.5, 0.75, 0.5, -0.25],
    }
    for (flag, data), smoothing, reduction in product(unusual.items(), SMOOTHINGS, REDUCTIONS):
        options = given(label_smoothing=smoothing)
        case_id = name(NAME, dtype, label(flag, options_name(options)), reduction)
        inputs = {"input": INDICES.input(Draw(case_id), dtype, (2, 3)), "target": Stored(dtype, (2, 3), data)}
        yield case(case_id, [flag], options, reduction, inputs)
    if dtype == "f16":
        data = {"input": [60.0, -80.0, 3.0, 5.0], "target": [0.25, 0.75, 0.5, 0.5]}
        inputs = {key: Stored(dtype, (2, 2), numbers) for key, numbers in data.items()}
        inputs["weight"] = Stored(dtype, (2,), [2.0**-10, 2.0**-11])
        case_id = name(NAME, dtype, "subnormal_share+probabilities+weight", "none")
        yield Case(case_id, ("subnormal_share",), {"reduction": "none"}, inputs, cotangent=Stored(dtype, (2,), [0.000193] * 2))
    for reduction in ("mean", "sum"):
        case_id = name(NAME, dtype, "128x1000", "large+probabilities", reduction)
        draw = Draw(case_id)
        input, target = (
            draw.seeded(key, dtype, (128, 1000), 0, high) for key, high in (("input", 9), ("target", 0.002))
        )
        yield case(case_id, ["large"], {}, reduction, {"input": input, "target": target})


def probability_edges(dtype: str) -> Iterator[Case]:
    for (flag, value_name, value), reduction in product(edges(dtype), ("none", "mean")):
        case_id = name(NAME, dtype, f"probability={value_name}", reduction)
        draw = Draw(case_id)
        target = Stored(dtype, (2, 3), [0.25, value, 0.5, 0.125, 0.375, 0.5])
        yield case(case_id, [flag], {}, reduction, {"input": INDICES.input(draw, dtype, (2, 3)), "target": target})
    for smoothing, reduction in product(SMOOTHINGS, REDUCTIONS):
        options = given(label_smoothing=smoothing)
        title = label("probability=0+logit=-inf", options_name(options))
        input = Stored(dtype, (2, 3), [0.0, -INF, 1.0, 0.5, -0.25, 1.5])
        target = Stored(dtype, (2, 3), [0.5, 0.0, 0.5, 0.25, 0.5, 0.25])
        inputs = {"input": input, "target": target}
        yield case(name(NAME, dtype, title, reduction), ["soft_target_zero_times_infinity"], options, reduction, inputs)


def degenerate_probabilities(dtype: str) -> Iterator[Case]:
    shapes: tuple[tuple[str, Shape, str], ...] = (
        ("one_class", (3, 1), "one_class"),
        ("one_class_c", (1,), "one_class"),
        ("one_row", (1, 4), "one_row"),
        ("empty_batch", (0, 4), "empty_batch"),
        ("empty_positions", (2, 3, 0), "empty_positions"),
        ("zero_classes", (2, 0), "zero_classes"),
        ("zero_classes_c", (0,), "zero_classes"),
        ("ncddd", (2, 3, 2, 1, 2), "many_positions"),
    )
    for (kind, shape, flag), smoothing, reduction in product(shapes, (None, 0.1), REDUCTIONS):
        options = given(label_smoothing=smoothing)
        title = label("probabilities", options_name(options), kind)
        case_id = name(NAME, dtype, title, reduction)
        draw = Draw(case_id)
        inputs = {"input": INDICES.input(draw, dtype, shape), "target": distribution(draw, dtype, shape)}
        yield case(case_id, [flag], options, reduction, inputs)


def confident(dtype: str) -> Iterator[Case]:
    margins = MARGINS[dtype]
    for kind, chosen in (("right", 0), ("wrong", 1)):
        for count in (2, 4):
            rows = [[margin, *[0.0, 0.5, -0.25][: count - 1]] for margin in margins]
            targets = [chosen] * len(margins)
            yield from INDICES.explicit(dtype, f"confident_{kind}_of_{count}", ["confident"], rows, targets)
            # One at a time as well: in a mean, the largest hides the others.
            for margin, row in zip(margins, rows):
                single = f"confident_{kind}_of_{count}+margin={margin}"
                yield from INDICES.explicit(dtype, single, ["confident"], [row], [chosen], reductions=["mean"])
    rows = [[margin, 0.0, 0.5] for margin in margins]
    targets = [i % 3 for i in range(len(margins))]
    weight = [0.5, 1.0, 1.5]
    yield from INDICES.explicit(dtype, "confident", ["confident"], rows, targets, given(label_smoothing=0.1), weight)
    for reduction in REDUCTIONS:
        shape = (len(margins), 3)
        inputs = {
            "input": Stored(dtype, shape, [value for row in rows for value in row]),
            "target": Stored(dtype, shape, [0.75, 0.25, 0.0] * len(margins)),
        }
        yield case(name(NAME, dtype, "confident+probabilities", reduction), ["confident"], {}, reduction, inputs)


def logits(dtype: str) -> Iterator[Case]:
    ties = [[1.5, 1.5, 1.5], [2.0, 2.0, -1.0], [0.0, -0.0, 0.0], [-1.0, 0.25, 0.25]]
    for smoothing in SMOOTHINGS:
        options = given(label_smoothing=smoothing)
        yield from INDICES.explicit(dtype, "ties", ["ties"], ties, [0, 1, 2, 0], options)
    offsets = {"1e4": 1e4, "-1e4": -1e4} if dtype != "f16" else {"1e3": 1e3, "-1e3": -1e3}
    offsets |= {"f16": {}, "f64": {"1e6": 1e6, "1e12": 1e12}}.get(dtype, {"1e6": 1e6})
    for offset_name, offset in offsets.items():
        draw = Draw(name(NAME, dtype, "offset", offset_name))
        rows = [[offset + value for value in draw.uniform(f"row{i}", dtype, (4,), -3, 3).data] for i in range(3)]
        yield from INDICES.explicit(dtype, f"offset={offset_name}", ["offset"], rows, [3, 0, 1])
    infinite = {"all=-inf": [-INF] * 3, "two=inf": [INF, INF, 0.0], "inf-inf": [INF, -INF, 0.0]}
    for row_name, row in infinite.items():
        for smoothing in (None, 0.1):
            options = given(label_smoothing=smoothing)
            batch = [row, [0.5, -0.25, 1.0]]
            yield from INDICES.explicit(dtype, row_name, ["edge_infinite"], batch, [2, 1], options)
    # The difference of the two is no finite number.
    largest = limits(dtype).max
    for chosen in (0, 1):
        rows = [[largest, -largest, 0.0], [0.5, -0.25, 1.0]]
        yield from INDICES.explicit(dtype, f"largest_and_-largest+target={chosen}", ["edge_largest"], rows, [chosen, 2])
    if dtype == "f64":
        rows = [[0.5, 0.5 + 1e-12, 0.5 - 2e-12], [-1.0, -1.0 + 3e-12, 2.0]]
        yield from INDICES.explicit(dtype, "small_difference", ["small_difference"], rows, [1, 0])
    # One class has a loss so large that each of the other 999, added to it, is rounded to its last digit.
    for shape, reduction in product(((1, 1000), (1, 1000, 3)), REDUCTIONS):
        positions = math.prod(shape[2:])
        small = -2 / limits(dtype).eps
        case_id = name(NAME, dtype, "one_small", shape_name(shape), "label_smoothing=0.4", reduction)
        inputs = {
            "input": Stored(dtype, shape, [small] * positions + [0.0] * (999 * positions)),
            "target": Stored("i64", (1, *shape[2:]), [1] * positions),
        }
        yield case(case_id, ["one_small_logit"], {"label_smoothing": 0.4}, reduction, inputs)


def options(dtype: str) -> Iterator[Case]:
    for options, flag in (
        ({"label_smoothing": -0.1}, "negative_label_smoothing"),
        ({"ignore_index": -1}, "negative_ignore_index_with_probabilities"),
        ({"ignore_index": -100}, "negative_ignore_index_with_probabilities"),
    ):
        for reduction in REDUCTIONS:
            case_id = name(NAME, dtype, f"probabilities+{options_name(options)}", reduction)
            draw = Draw(case_id)
            inputs = {"input": INDICES.input(draw, dtype, (3, 4)), "target": distribution(draw, dtype, (3, 4))}
            yield case(case_id, [flag], options, reduction, inputs)
    rows = [[0.5, -0.25, 1.0], [2.0, 0.75, -1.5]]
    negative = {"label_smoothing": -0.1}
    yield from INDICES.explicit(dtype, "indices", ["negative_label_smoothing"], rows, [2, 1], negative)
    yield from INDICES.explicit(dtype, "indices", ["negative_label_smoothing"], rows, [2, 1], negative, [1.5, 0.5, 2.0])
    rows = [[0.0, -3000.0, 30.0], [0.5, 0.25, -1.0]]
    little, weight = {"label_smoothing": 0.01}, [0.0625, 8.0, 0.125]
    yield from INDICES.explicit(dtype, "unlikely_class", ["smoothing_out_of_range"], rows, [0, 2], little, weight)
    rows, weight = [[0.0, -3000.0, 30.0], [0.5, -3000.0, -1.0]], [1.0, 12.0, 1.0]
    yield from INDICES.explicit(dtype, "unlikely_in_all_rows", ["smoothing_out_of_range"], rows, [0, 2], little, weight)


def invalid(dtype: str) -> Iterator[Case]:
    for reduction in ("none", "mean"):
        wrong_options: tuple[tuple[str, Options], ...] = (
            ("probabilities", {"ignore_index": 0}),
            ("probabilities", {"ignore_index": 1}),
            ("probabilities", {"ignore_index": 4}),
            ("probabilities", {"label_smoothing": 1.5}),
            ("indices", {"label_smoothing": 1.5}),
            ("indices", {"label_smoothing": 1.0009765625}),
        )
        for kind, options in wrong_options:
            case_id = name(NAME, dtype, f"invalid+{kind}+{options_name(options)}", reduction)
            draw = Draw(case_id)
            target = distribution(draw, dtype, (3, 4)) if kind == "probabilities" else Stored("i64", (3,), [0, 1, 2])
            inputs = {"input": INDICES.input(draw, dtype, (3, 4)), "target": target}
            yield case(case_id, ["invalid", "invalid_option"], options, reduction, inputs)
        for target_dtype in ("i64", "u8"):
            case_id = name(NAME, dtype, f"probabilities+target={target_dtype}", reduction)
            target = Stored(target_dtype, (2, 3), [0, 1, 0, 1, 0, 0])
            inputs = {"input": INDICES.input(Draw(case_id), dtype, (2, 3)), "target": target}
            yield case(case_id, ["invalid", "wrong_dtype"], {}, reduction, inputs)
        for target_shape in ((3, 5), (1, 4), (4,), (2, 4), (3, 4, 1), ()):
            case_id = name(NAME, dtype, f"probabilities+3x4+target={shape_name(target_shape)}", reduction)
            draw = Draw(case_id)
            target = draw.uniform("target", dtype, target_shape, 0.05, 0.95)
            inputs = {"input": INDICES.input(draw, dtype, (3, 4)), "target": target}
            yield case(case_id, ["invalid", "shape_mismatch"], {}, reduction, inputs)
        case_id = name(NAME, dtype, "probabilities+scalar", reduction)
        inputs = {"input": Stored(dtype, (), [0.5]), "target": Stored(dtype, (), [1.0])}
        yield case(case_id, ["invalid", "shape_mismatch"], {}, reduction, inputs)
        for weight_shape in ((3,), (1,), (1, 4), ()):
            case_id = name(NAME, dtype, f"probabilities+3x4+weight={shape_name(weight_shape)}", reduction)
            draw = Draw(case_id)
            inputs = {
                "input": INDICES.input(draw, dtype, (3, 4)),
                "target": distribution(draw, dtype, (3, 4)),
                "weight": draw.uniform("weight", dtype, weight_shape, 0.5, 2),
            }
            yield case(case_id, ["invalid", "weight_mismatch"], {}, reduction, inputs)


def distribution(draw: Draw, dtype: str, shape: Shape) -> Stored:
    """Probabilities that add up to 1 along the classes, as far as four decimals go."""
    data = list(draw.uniform("target", dtype, shape, 0.05, 1).data)
    count = classes(shape)
    stride = math.prod(shape[2:])
    for i in range(len(data)):
        # The first element of each row in turn, in row-major order.
        if (i // stride) % count == 0:
            row = range(i, i + count * stride, stride)
            total = sum(data[j] for j in row)
            for j in row:
                data[j] = round(data[j] / total, 4)
    return Stored(dtype, shape, data)


def case(case_id: str, flags: Sequence[str], options: Options, reduction: str, inputs: Mapping[str, Tensor]) -> Case:
    return INDICES.case(case_id, flags, options, reduction, inputs)


LOSS = Loss(NAME, ("input", "target"), cases)
