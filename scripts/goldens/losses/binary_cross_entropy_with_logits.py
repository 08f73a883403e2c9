from collections.abc import Iterator, Mapping
from itertools import product

from ..bernoulli import EMPTY, ENLARGING, MISMATCHED, UNFIT, WEIGHT_SHAPES, targets, weights
from ..case import FLOATS, REDUCTIONS, Case, Loss, name, shape_name
from ..draw import Draw
from ..special import edges, limits
from ..tensors import Shape, Stored, Tensor

NAME = "binary_cross_entropy_with_logits"

Shapes = tuple[Shape | None, ...]
# Per shape of the input: shapes of weight, and of pos_weight.
WEIGHTS: tuple[tuple[Shape, Shapes, Shapes], ...] = (
    ((), (None, ()), (None, ())),
    ((5,), (None, (5,)), (None, (5,), (1,))),
    ((3, 4), (None, (3, 4), (4,), (3, 1)), (None, *WEIGHT_SHAPES)),
    ((2, 3, 2), (None, (3, 1)), (None, (3, 1), (2, 3, 2))),
)

# Where 1 - sigmoid(x) loses its digits, where sigmoid(x) is 1, where exp(-x) underflows, and between.
MAGNITUDES = {
    "f16": (5.0, 7.6, 8.5, 11.1, 12.0, 17.0, 18.0, 100.0, 1000.0),
    "bf16": (4.0, 5.5, 6.5, 16.0, 30.0, 50.0, 80.0, 88.5, 89.0, 100.0),
    "f32": (16.0, 17.0, 19.4, 30.0, 50.0, 80.0, 88.5, 89.0, 100.0, 104.0),
    "f64": (16.0, 19.4, 30.0, 36.0, 37.0, 40.0, 100.0, 700.0, 709.5, 745.0, 800.0),
}


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield from ordinary(dtype)
        yield from weighted_mean(dtype)
        yield from confident(dtype)
        yield from extreme(dtype)
        yield from edge_values(dtype)
        yield from degenerate(dtype)
        yield from large(dtype)
        yield from invalid(dtype)


def ordinary(dtype: str) -> Iterator[Case]:
    for shape, weight_shapes, pos_weight_shapes in WEIGHTS:
        for weight_shape, pos_weight_shape in product(weight_shapes, pos_weight_shapes):
            shapes = {"weight": weight_shape, "pos_weight": pos_weight_shape}
            for kind, reduction in product(("hard", "soft"), REDUCTIONS):
                yield drawn(dtype, ["options"], shape, shapes, kind, reduction)
    for key, reduction in product(("weight", "pos_weight"), REDUCTIONS):
        case_id = name(NAME, dtype, f"negative_{key}", reduction)
        draw = Draw(case_id)
        inputs = {key: Stored(dtype, (4,), [1.5, -0.75, 0.0, 2.0])}
        input, target = logits(draw, dtype, (3, 4)), targets(draw, "soft", dtype, (3, 4))
        yield case(case_id, ["negative_weight", "weight_broadcast"], reduction, input, target, inputs)
    for reduction in REDUCTIONS:
        case_id = name(NAME, dtype, "target_outside_unit_interval", reduction)
        input = logits(Draw(case_id), dtype, (4,))
        target = Stored(dtype, (4,), [-0.5, 1.5, 3.0, -2.0])
        yield case(case_id, ["target_outside_unit_interval"], reduction, input, target, {})


def weighted_mean(dtype: str) -> Iterator[Case]:
    for reduction in REDUCTIONS:
        case_id = name(NAME, dtype, "weighted_mean", reduction)
        draw = Draw(case_id)
        weight = Stored(dtype, (2,), [0.25, 3.0])
        input, target = logits(draw, dtype, (2,)), targets(draw, "hard", dtype, (2,))
        yield case(case_id, ["weighted_mean"], reduction, input, target, {"weight": weight})


def confident(dtype: str) -> Iterator[Case]:
    magnitudes = MAGNITUDES[dtype]
    values = [sign * magnitude for sign in (1, -1) for magnitude in magnitudes]
    for target_value in (0.0, 1.0, 0.25):
        for pos_weight in (None, 2.5):
            inputs = {"pos_weight": Stored(dtype, (1,), [pos_weight])} if pos_weight else {}
            variant = f"target={target_value}" + f"+pos_weight={pos_weight}" * bool(pos_weight)
            for reduction in REDUCTIONS:
                case_id = name(NAME, dtype, f"confident+{variant}", reduction)
                input = Stored(dtype, (len(values),), values)
                target = Stored(dtype, (len(values),), [target_value] * len(values))
                yield case(case_id, ["confident"], reduction, input, target, inputs)
            # One at a time as well: in a mean, the largest hides the others.
            for value in values:
                case_id = name(NAME, dtype, f"x={value}+{variant}", "mean")
                input, target = Stored(dtype, (1,), [value]), Stored(dtype, (1,), [target_value])
                yield case(case_id, ["confident"], "mean", input, target, inputs)


def extreme(dtype: str) -> Iterator[Case]:
    largest = limits(dtype).max
    for reduction in REDUCTIONS:
        case_id = name(NAME, dtype, "pos_weight_of_one", reduction)
        values = [50.0, -50.0, 100.0, -100.0]
        input, target = Stored(dtype, (4,), values), Stored(dtype, (4,), [1.0, 0.0, 0.0, 1.0])
        pos_weight = {"pos_weight": Stored(dtype, (1,), [1.0])}
        yield case(case_id, ["pos_weight_of_one"], reduction, input, target, pos_weight)
        case_id = name(NAME, dtype, "huge_logits", reduction)
        input, target = Stored(dtype, (2,), [-largest / 64, largest / 32]), Stored(dtype, (2,), [1.0, 1.0])
        yield case(case_id, ["huge_logits"], reduction, input, target, {})


def edge_values(dtype: str) -> Iterator[Case]:
    for flag, value_name, value in edges(dtype):
        for reduction in ("none", "mean"):
            for target_value in (0.0, 1.0, 0.9):
                case_id = name(NAME, dtype, f"x={value_name}+target={target_value}", reduction)
                input = Stored(dtype, (3,), [0.5, value, -1.25])
                target = Stored(dtype, (3,), [0.25, target_value, 1.0])
                flags = ["soft_bce_infinite_logit"] if flag == "edge_infinite" else [flag]
                flags += ["zero_logit"] * (value == 0)
                yield case(case_id, flags, reduction, input, target, {})
            if flag == "edge_infinite":
                for key in ("target", "pos_weight"):
                    case_id = name(NAME, dtype, f"x=0+{key}={value_name}", reduction)
                    data = {"target": [0.25, 1.0, 0.5], "pos_weight": [2.0] * 3} | {key: [value] * 3}
                    inputs = {tensor: Stored(dtype, (3,), numbers) for tensor, numbers in data.items()}
                    input = Stored(dtype, (3,), [0.0, -0.0, 0.25])
                    yield case(case_id, [flag, "zero_logit"], reduction, input, inputs.pop("target"), inputs)
            for key in ("target", "weight", "pos_weight"):
                case_id = name(NAME, dtype, f"{key}={value_name}", reduction)
                draw = Draw(case_id)
                special = Stored(dtype, (3,), [0.75, value, 0.5])
                inputs = {"target": targets(draw, "soft", dtype, (3,))} | {key: special}
                yield case(case_id, [flag], reduction, logits(draw, dtype, (3,)), inputs.pop("target"), inputs)


def degenerate(dtype: str) -> Iterator[Case]:
    for shape, weighted, reduction in product(EMPTY, (False, True), REDUCTIONS):
        shapes = {"weight": (shape[-1],), "pos_weight": (shape[-1],)} if weighted else {}
        yield drawn(dtype, ["empty"], shape, shapes, "soft", reduction)


def large(dtype: str) -> Iterator[Case]:
    for weighted, reduction in product((False, True), ("mean", "sum")):
        case_id = name(NAME, dtype, "large", "weight+pos_weight" * weighted, reduction)
        draw = Draw(case_id)
        shape = (1000, 51)
        input, target = draw.seeded("input", dtype, shape, -8, 8), draw.seeded("target", dtype, shape, 0, 1)
        inputs = {key: draw.seeded(key, dtype, (51,), 0, 2) for key in ("weight", "pos_weight")} if weighted else {}
        yield case(case_id, ["large"], reduction, input, target, inputs)


def invalid(dtype: str) -> Iterator[Case]:
    for reduction in ("none", "mean"):
        for key in ("weight", "pos_weight"):
            for flag, pairs in (("weight_mismatch", UNFIT), ("enlarging_weight", ENLARGING)):
                for shape, weight_shape in pairs:
                    yield drawn(dtype, ["invalid", flag], shape, {key: weight_shape}, "soft", reduction)
        for shape, target_shape in MISMATCHED:
            case_id = name(NAME, dtype, f"{shape_name(shape)}+target={shape_name(target_shape)}", reduction)
            draw = Draw(case_id)
            input, target = logits(draw, dtype, shape), targets(draw, "soft", dtype, target_shape)
            yield case(case_id, ["invalid", "shape_mismatch"], reduction, input, target, {})
        for target_dtype in ("i64", "u8"):
            case_id = name(NAME, dtype, f"target={target_dtype}", reduction)
            input, target = Stored(dtype, (2,), [-0.5, 2.0]), Stored(target_dtype, (2,), [0, 1])
            yield case(case_id, ["invalid", "wrong_dtype"], reduction, input, target, {})


def drawn(
    dtype: str, flags: list[str], shape: Shape, weight_shapes: Mapping[str, Shape | None], kind: str, reduction: str
) -> Case:
    given = {key: value for key, value in weight_shapes.items() if value is not None}
    weighted = "+".join(f"{key}={shape_name(value)}" for key, value in given.items())
    case_id = name(NAME, dtype, shape_name(shape), weighted, kind, reduction)
    draw = Draw(case_id)
    if "invalid" not in flags:
        broadcast = any(value != shape for value in given.values())
        flags = flags + ["scalar"] * (shape == ()) + ["weight_broadcast"] * broadcast
    inputs = {key: weights(draw, key, dtype, value) for key, value in given.items()}
    return case(case_id, flags, reduction, logits(draw, dtype, shape), targets(draw, kind, dtype, shape), inputs)


def logits(draw: Draw, dtype: str, shape: Shape) -> Stored:
    return draw.uniform("input", dtype, shape, -4, 4)


def case(
    case_id: str, flags: list[str], reduction: str, input: Tensor, target: Tensor, more: Mapping[str, Tensor]
) -> Case:
    return Case(case_id, tuple(flags), {"reduction": reduction}, {"input": input, "target": target, **more})


LOSS = Loss(NAME, ("input", "target"), cases)
