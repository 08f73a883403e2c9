from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..case import MANY, REDUCTIONS, SINGLE_AND_DOUBLE, Case, Loss, Options, label, name, options_name, shape_name
from ..draw import Draw
from ..labels import labels, matrix, scores
from ..special import edges
from ..tensors import Shape, Stored, Tensor

NAME = "multi_margin_loss"

SETTINGS: tuple[Options, ...] = tuple(
    {**p, **margin} for p in ({}, {"p": 2}) for margin in ({}, {"margin": 0.5}, {"margin": -0.25})
)
SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((3, 5), (3,)),
    ((6, 8), (6,)),
    ((2, 1), (2,)),
    ((1, 4), (1,)),
    ((1, 4), ()),
    ((4,), ()),
    ((4,), (1,)),
)


def cases() -> Iterator[Case]:
    for dtype in SINGLE_AND_DOUBLE:
        for settings, weighted, reduction, shapes in product(SETTINGS, (False, True), REDUCTIONS, SHAPES):
            flags = ["options"] + ["vector_target"] * (shapes == ((4,), (1,)))
            yield drawn(dtype, flags, settings, reduction, *shapes, weighted)
        for settings in ({}, {"p": 2}):
            yield from special(dtype, settings)
        yield from large(dtype)
        yield from scalars(dtype)
        yield from degenerate(dtype)
        yield from invalid(dtype)


def drawn(
    dtype: str,
    flags: Sequence[str],
    settings: Options,
    reduction: str,
    input: Shape,
    target: Shape,
    weighted: bool = False,
) -> Case:
    shapes = label(shape_name(input), f"target={shape_name(target)}" * (target != input[:-1]), "weight" * weighted)
    case_id = name(NAME, dtype, shapes, options_name(settings), reduction)
    draw = Draw(case_id)
    classes = input[-1] if input else 1
    inputs: dict[str, Tensor] = {"input": scores(draw, dtype, input), "target": labels(draw, target, classes)}
    if weighted:
        inputs["weight"] = draw.uniform("weight", dtype, (classes,), 0.25, 3)
    return case(case_id, flags, settings, reduction, inputs)


def case(
    case_id: str, flags: Sequence[str], settings: Options, reduction: str, inputs: Mapping[str, Tensor]
) -> Case:
    return Case(case_id, tuple(flags), {**settings, "reduction": reduction}, inputs)


def special(dtype: str, settings: Options) -> Iterator[Case]:
    def given(variant: str, flags: Sequence[str], rows: Sequence[Sequence[float]], target: Sequence[int], **more):
        for reduction in REDUCTIONS:
            case_id = name(NAME, dtype, variant, options_name(settings), reduction)
            inputs = {"input": matrix(dtype, rows), "target": Stored("i64", (len(rows),), target), **more}
            yield case(case_id, flags, settings, reduction, inputs)

    for flag, text, value in edges(dtype):
        yield from given(f"other={text}", [flag], [[0.5, value, 0.25], [0.5, -0.75, 0.125]], [0, 1])
        yield from given(f"own={text}", [flag], [[0.5, value, 0.25], [0.5, -0.75, 0.125]], [1, 1])
        weight = Stored(dtype, (3,), [0.5, value, 2.0])
        yield from given(f"weight={text}", [flag], [[0.5, 0.75, 0.25], [0.5, -0.75, 0.125]], [1, 0], weight=weight)
    yield from given("kink", ["strict_hinge_kink"], [[1.0, 0.0, 0.5, -1.0], [0.0, 1.0, 2.0, 1.0]], [0, 2])
    yield from given("ties", ["ties"], [[1.0, 1.0, 1.0], [0.0, 0.0, -0.0]], [0, 2])
    weight = Stored(dtype, (3,), [0.5, -0.75, 0.0])
    yield from given("weight=negative", ["negative_weight"], [[1.0, 0.5, 0.25]] * 3, [0, 1, 2], weight=weight)


def large(dtype: str) -> Iterator[Case]:
    for settings, reduction in product(({}, {"p": 2}), ("mean", "sum")):
        case_id = name(NAME, dtype, "large", options_name(settings), reduction)
        draw = Draw(case_id)
        inputs = {
            "input": draw.seeded("input", dtype, (500, 100), -3, 3),
            "target": draw.seeded("target", "i64", (500,), 0, 100),
        }
        yield case(case_id, ["large"], settings, reduction, inputs)
    case_id = name(NAME, dtype, "many", "mean")
    draw = Draw(case_id)
    inputs = {
        "input": draw.seeded("input", dtype, (MANY, 3), 0.3, 0.3),
        "target": draw.seeded("target", "i64", (MANY,), 0, 3),
    }
    yield case(case_id, ["many_samples"], {}, "mean", inputs)


def scalars(dtype: str) -> Iterator[Case]:
    for settings, weighted, reduction, target in product(SETTINGS, (False, True), REDUCTIONS, ((), (1,))):
        yield drawn(dtype, ["scalar"], settings, reduction, (), target, weighted)


def degenerate(dtype: str) -> Iterator[Case]:
    yield drawn(dtype, ["empty_batch"], {}, "none", (0, 4), (0,))
    for reduction in ("mean", "sum"):
        yield drawn(dtype, ["uninitialised_result"], {}, reduction, (0, 4), (0,))


def invalid(dtype: str) -> Iterator[Case]:
    for reduction in ("none", "mean"):
        for p in (0, 3, -1):
            yield drawn(dtype, ["invalid", "invalid_option"], {"p": p}, reduction, (3, 5), (3,))
        for input, target in (((3, 5), (2,)), ((3, 5), ()), ((3, 5), (3, 1)), ((5,), (2,)), ((2, 3, 4), (2,))):
            yield drawn(dtype, ["invalid", "shape_mismatch"], {}, reduction, input, target)
        for shape, target in (((2, 0), (2,)), ((0,), ())):
            inputs = {
                "input": Stored(dtype, shape, []),
                "target": Stored("i64", target, [0] * (2 if target else 1)),
            }
            case_id = name(NAME, dtype, shape_name(shape), reduction)
            yield case(case_id, ["invalid", "zero_classes"], {}, reduction, inputs)
        for index in (5, -1, -100, 255, 2**63 - 1):
            case_id = name(NAME, dtype, f"target={index}", reduction)
            inputs = {
                "input": scores(Draw(case_id), dtype, (2, 5)),
                "target": Stored("i64", (2,), [1, index]),
            }
            yield case(case_id, ["invalid", "index_out_of_range"], {}, reduction, inputs)
        for shape in ((), (4,), (1, 5), (0,)):
            case_id = name(NAME, dtype, f"weight_shape={shape_name(shape)}", reduction)
            draw = Draw(case_id)
            inputs = {
                "input": scores(draw, dtype, (3, 5)),
                "target": labels(draw, (3,), 5),
                "weight": draw.uniform("weight", dtype, shape, 0.25, 3),
            }
            yield case(case_id, ["invalid", "weight_mismatch"], {}, reduction, inputs)
        for target in ((2,), (1, 1), (0,)):
            yield drawn(dtype, ["invalid", "shape_mismatch", "scalar"], {}, reduction, (), target)
        for index in (1, -1):
            case_id = name(NAME, dtype, f"scalar+class={index}", reduction)
            inputs = {"input": scores(Draw(case_id), dtype, ()), "target": Stored("i64", (), [index])}
            yield case(case_id, ["invalid", "index_out_of_range", "scalar"], {}, reduction, inputs)
        for shape in ((), (2,)):
            case_id = name(NAME, dtype, f"scalar+weight_shape={shape_name(shape)}", reduction)
            draw = Draw(case_id)
            inputs = {
                "input": scores(draw, dtype, ()),
                "target": labels(draw, (), 1),
                "weight": draw.uniform("weight", dtype, shape, 0.25, 3),
            }
            yield case(case_id, ["invalid", "weight_mismatch", "scalar"], {}, reduction, inputs)
        case_id = name(NAME, dtype, "c+target=5", reduction)
        inputs = {"input": scores(Draw(case_id), dtype, (5,)), "target": Stored("i64", (), [5])}
        yield case(case_id, ["invalid", "index_out_of_range"], {}, reduction, inputs)
        case_id = name(NAME, dtype, "target=float", reduction)
        inputs = {"input": scores(Draw(case_id), dtype, (2, 3)), "target": Stored(dtype, (2,), [0.0, 1.0])}
        yield case(case_id, ["invalid", "wrong_dtype"], {}, reduction, inputs)


LOSS = Loss(NAME, ("input",), cases)
