from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..bernoulli import targets, weights
from ..case import FLOATS, MANY, REDUCTIONS, Case, Loss, label, name, shape_name
from ..draw import Draw
from ..special import edges, limits
from ..tensors import Shape, Stored, Tensor

NAME = "multilabel_soft_margin_loss"

# Of input, target and weight.
SHAPES: tuple[tuple[Shape, Shape, Shape | None], ...] = (
    ((3, 4), (3, 4), None),
    ((3, 4), (3, 4), (4,)),
    ((3, 4), (3, 4), (3, 1)),
    ((3, 4), (3, 4), (3, 4)),
    ((3, 4), (3, 4), ()),
    ((4,), (4,), None),
    ((4,), (4,), (4,)),
    ((1,), (1,), None),
    ((2, 3, 2), (2, 3, 2), None),
    ((2, 3, 2), (2, 3, 2), (3, 1)),
    ((3, 4), (4,), None),
    ((3, 4), (1, 4), (4,)),
    ((3, 4), (), None),
    ((1, 4), (3, 4), None),
    ((3, 1), (3, 4), None),
)
EMPTY: tuple[Shape, ...] = ((0, 4), (3, 0), (0, 0), (0,))
MISMATCHED = (((3, 4), (3,), None), ((3, 4), (2, 4), None), ((3, 4), (3, 4), (3,)), ((), (), None))
ENLARGING = (((1, 4), (1, 4), (3, 4)), ((4,), (3, 4), None), ((4,), (4,), (3, 4)))


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        for shapes, kind, reduction in product(SHAPES, ("hard", "soft"), REDUCTIONS):
            flags = ["options"] + ["broadcast"] * (shapes[0] != shapes[1])
            yield drawn(dtype, flags, shapes, kind, reduction)
        for reduction in REDUCTIONS:
            for shape in EMPTY:
                yield drawn(dtype, ["zero_classes" if shape[-1] == 0 else "empty_batch"], (shape, shape, None), "soft", reduction)
            for shapes in MISMATCHED:
                yield drawn(dtype, ["invalid", "shape_mismatch"], shapes, "soft", reduction)
        for shapes in ENLARGING:
            yield drawn(dtype, ["enlarging"], shapes, "soft", "mean")
        yield from special(dtype)
        for reduction in ("mean", "sum"):
            case_id = name(NAME, dtype, "large", reduction)
            draw = Draw(case_id)
            inputs = {key: draw.seeded(key, dtype, (500, 100), *to) for key, to in (("input", (-8, 8)), ("target", (0, 1)))}
            yield case(case_id, ["large"], reduction, inputs)
        # In f16 an element's share of the mean is subnormal, and its logit brings the gradient back into the normal range.
        case_id = name(NAME, dtype, "large+confident", "mean")
        draw = Draw(case_id)
        inputs = {key: draw.seeded(key, dtype, (500, 200), *to) for key, to in (("input", (-90, 90)), ("target", (0, 1)))}
        yield case(case_id, ["large", "confident"], "mean", inputs)
        case_id = name(NAME, dtype, "many", "mean")
        draw = Draw(case_id)
        inputs = {key: draw.seeded(key, dtype, (MANY, 3), *to) for key, to in (("input", (0.3, 0.3)), ("target", (0.7, 0.7)))}
        yield case(case_id, ["many_samples"], "mean", inputs)
    # In f16 the share of one class is 0, and the gradient of its target is not.
    data = {"input": [-3.0, 800.0, 0.5], "target": [0.125, 1.0, 0.0]}
    inputs = {key: Stored("f16", (1, 3), numbers) for key, numbers in data.items()}
    cotangent = Stored("f16", (1,), [limits("f16").smallest_subnormal])
    case_id = name(NAME, "f16", "subnormal_share", "none")
    yield Case(case_id, ("confident", "subnormal_share"), {"reduction": "none"}, inputs, cotangent=cotangent)


def special(dtype: str) -> Iterator[Case]:
    for flag, text, value in edges(dtype):
        for reduction in ("none", "mean"):
            for key in ("input", "target", "weight"):
                case_id = name(NAME, dtype, f"{key}={text}", reduction)
                draw = Draw(case_id)
                inputs = {"input": draw.uniform("input", dtype, (2, 3), -4, 4), "target": targets(draw, "soft", dtype, (2, 3))}
                data = [0.5, value, 0.25]
                inputs[key] = Stored(dtype, (3,), data) if key == "weight" else Stored(dtype, (2, 3), [*data, 0.75, 0.125, 1.0])
                yield case(case_id, [flag], reduction, inputs)
    for x, t in product((16.0, 19.4, 40.0, 100.0, 800.0, -16.0, -19.4, -40.0, -100.0, -800.0), (0.0, 1.0, 0.25)):
        case_id = name(NAME, dtype, f"x={x}+target={t}", "mean")
        inputs = {"input": Stored(dtype, (1, 2), [x, x]), "target": Stored(dtype, (1, 2), [t, t])}
        yield case(case_id, ["confident"], "mean", inputs)


def drawn(
    dtype: str, flags: Sequence[str], shapes: tuple[Shape, Shape, Shape | None], kind: str, reduction: str
) -> Case:
    input, target, weight = shapes
    variant = label(
        shape_name(input),
        f"target={shape_name(target)}" * (target != input),
        "" if weight is None else f"weight={shape_name(weight)}",
    )
    case_id = name(NAME, dtype, variant, kind, reduction)
    draw = Draw(case_id)
    inputs = {"input": draw.uniform("input", dtype, input, -4, 4), "target": targets(draw, kind, dtype, target)}
    if weight is not None:
        inputs["weight"] = weights(draw, "weight", dtype, weight)
    return case(case_id, flags, reduction, inputs)


def case(case_id: str, flags: Sequence[str], reduction: str, inputs: Mapping[str, Tensor]) -> Case:
    return Case(case_id, tuple(flags), {"reduction": reduction}, inputs)


LOSS = Loss(NAME, ("input", "target"), cases)
