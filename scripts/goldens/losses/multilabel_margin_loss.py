from collections.abc import Iterator, Sequence
from itertools import product

from ..case import MANY, REDUCTIONS, SINGLE_AND_DOUBLE, Case, Loss, name, shape_name
from ..draw import Draw
from ..labels import lists, matrix, scores
from ..special import edges, limits
from ..tensors import Shape, Stored, Tensor

NAME = "multilabel_margin_loss"

SHAPES: tuple[Shape, ...] = ((3, 5), (6, 8), (4, 2), (2, 1), (1, 4), (4,), (1,))


def cases() -> Iterator[Case]:
    for dtype in SINGLE_AND_DOUBLE:
        for shape, reduction, variant in product(SHAPES, REDUCTIONS, ("a", "b")):
            yield drawn(dtype, ["options"], shape, reduction, variant)
        yield from special(dtype)
        yield from scalars(dtype)
        yield from degenerate(dtype)
        yield from invalid(dtype)


def drawn(dtype: str, flags: Sequence[str], shape: Shape, reduction: str, variant: str = "") -> Case:
    case_id = name(NAME, dtype, shape_name(shape), variant, reduction)
    draw = Draw(case_id)
    return case(case_id, flags, reduction, scores(draw, dtype, shape), lists(draw, shape))


def case(case_id: str, flags: Sequence[str], reduction: str, input: Tensor, target: Tensor) -> Case:
    return Case(case_id, tuple(flags), {"reduction": reduction}, {"input": input, "target": target})


def special(dtype: str) -> Iterator[Case]:
    def given(variant: str, flags: Sequence[str], rows: Sequence[Sequence[float]], target: Sequence[Sequence[int]]):
        for reduction in REDUCTIONS:
            case_id = name(NAME, dtype, variant, reduction)
            yield case(case_id, flags, reduction, matrix(dtype, rows), matrix("i64", target))

    for flag, text, value in edges(dtype):
        rows = [[0.5, value, 0.25], [0.5, -0.75, 0.125]]
        yield from given(f"other={text}", [flag], rows, [[0, -1, 0], [1, 2, -1]])
        yield from given(f"listed={text}", [flag], rows, [[1, 0, -1], [1, -1, 2]])
    plain = [[0.5, -0.25, 1.5, 0.125], [1.25, 0.75, -0.5, 0.0]]
    yield from given("no_label", ["no_label"], plain, [[-1, 0, 1, 2], [-1, -1, -1, -1]])
    yield from given("every_label", ["every_label"], plain, [[0, 1, 2, 3], [3, 1, 0, 2]])
    yield from given("twice", ["repeated_label"], plain, [[1, 1, -1, 0], [2, 3, 2, -1]])
    yield from given("after_end", ["after_end"], plain, [[1, -1, 2, 3], [0, 3, -1, 1]])
    yield from given("kink", ["strict_hinge_kink"], [[1.0, 0.0, 0.5], [2.0, 1.0, 1.0]], [[0, -1, 0], [0, -1, 0]])
    yield from given("ties", ["ties"], [[1.0, 1.0, 1.0], [0.0, -0.0, 0.0]], [[0, 2, -1], [1, -1, 0]])


def scalars(dtype: str) -> Iterator[Case]:
    """A scalar and a vector of one element, which stand for each other, with a label and without."""
    for input, target, index, reduction in product(((), (1,)), ((), (1,)), (0, -1), REDUCTIONS):
        case_id = name(NAME, dtype, f"{shape_name(input)}+target={shape_name(target)}", f"label={index}", reduction)
        flags = ["scalar"] + ["no_label"] * (index < 0)
        yield case(case_id, flags, reduction, scores(Draw(case_id), dtype, input), Stored("i64", target, [index]))


def degenerate(dtype: str) -> Iterator[Case]:
    yield drawn(dtype, ["empty_batch"], (0, 4), "none")
    for reduction in ("mean", "sum"):
        yield drawn(dtype, ["uninitialised_result"], (0, 4), reduction)
    for reduction in ("mean", "sum"):
        case_id = name(NAME, dtype, "large", reduction)
        draw = Draw(case_id)
        input = draw.seeded("input", dtype, (100, 100), -3, 3)
        yield case(case_id, ["large"], reduction, input, draw.seeded("target", "i64", (100, 100), -1, 100))
    classes, labels = 200, 100
    unlikely = -0.1 / limits(dtype).eps
    for reduction in ("none", "sum"):
        input = matrix(dtype, [[unlikely] + [0.0] * (classes - 1)])
        target = matrix("i64", [[*range(labels)] + [-1] * (classes - labels)])
        yield case(name(NAME, dtype, "many_pairs", reduction), ["many_pairs"], reduction, input, target)
    case_id = name(NAME, dtype, "many", "mean")
    draw = Draw(case_id)
    input = draw.seeded("input", dtype, (MANY, 3), 0.3, 0.3)
    yield case(case_id, ["many_samples"], "mean", input, draw.seeded("target", "i64", (MANY, 3), -1, 3))
    # Seeded numbers between round bounds have 24 bits: in f64 the sums of their differences would be exact.
    for reduction in ("mean", "sum"):
        case_id = name(NAME, dtype, "many_of_8", reduction)
        draw = Draw(case_id)
        input = draw.seeded("input", dtype, (MANY, 8), -3.1, 2.83)
        yield case(case_id, ["many_samples"], reduction, input, draw.seeded("target", "i64", (MANY, 8), -1, 8))


def invalid(dtype: str) -> Iterator[Case]:
    for reduction in ("none", "mean"):
        for input, target in (((3, 5), (5,)), ((3, 5), (3, 4)), ((5,), (1, 5)), ((3, 5), (5, 3)), ((2, 3, 4), (2, 3, 4))):
            case_id = name(NAME, dtype, f"{shape_name(input)}+target={shape_name(target)}", reduction)
            draw = Draw(case_id)
            inputs = scores(draw, dtype, input), draw.integers("target", "i64", target, 0, 3)
            yield case(case_id, ["invalid", "shape_mismatch"], reduction, *inputs)
        for input, target in (((), (1, 1)), ((), (2,)), ((), (0,)), ((1, 1), ()), ((1, 1), (1,)), ((1,), (1, 1))):
            case_id = name(NAME, dtype, f"{shape_name(input)}+target={shape_name(target)}", reduction)
            draw = Draw(case_id)
            inputs = scores(draw, dtype, input), draw.integers("target", "i64", target, 0, 1)
            flags = ["invalid", "shape_mismatch"] + ["scalar"] * (() in (input, target))
            yield case(case_id, flags, reduction, *inputs)
        for index in (1, -2):
            case_id = name(NAME, dtype, f"scalar+class={index}", reduction)
            inputs = scores(Draw(case_id), dtype, ()), Stored("i64", (), [index])
            yield case(case_id, ["invalid", "index_out_of_range", "scalar"], reduction, *inputs)
        case_id = name(NAME, dtype, "target=float", reduction)
        inputs = scores(Draw(case_id), dtype, (2, 3)), Stored(dtype, (2, 3), [0.0, -1.0, 1.0, 2.0, 1.0, -1.0])
        yield case(case_id, ["invalid", "wrong_dtype"], reduction, *inputs)
        for shape in ((2, 0), (0,)):
            case_id = name(NAME, dtype, shape_name(shape), reduction)
            inputs = Stored(dtype, shape, []), Stored("i64", shape, [])
            yield case(case_id, ["invalid", "zero_classes"], reduction, *inputs)
        for index in (5, -2, -100, 255):
            for place in (0, 4):
                case_id = name(NAME, dtype, f"target={index}+place={place}", reduction)
                target = [1, -1, 2, 3, 0]
                target[place] = index
                yield case(
                    case_id,
                    ["invalid", "index_out_of_range"],
                    reduction,
                    scores(Draw(case_id), dtype, (5,)),
                    Stored("i64", (5,), target),
                )


LOSS = Loss(NAME, ("input",), cases)
