import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..case import FLOATS, MANY, REDUCTIONS, Case, Loss, Options, name, options_name
from ..draw import Draw
from ..elements import Elements, signs, uniform
from ..labels import matrix
from ..special import edges, limits
from ..tensors import Stored, Tensor

NAME = "cosine_embedding_loss"

ELEMENTS = Elements(
    loss=NAME,
    tensors={"input1": uniform(-2, 2), "input2": uniform(-2, 2), "target": signs},
    settings=({}, {"margin": 0.3}, {"margin": -0.5}),
    shapes=(
        ((3, 4), (3, 4), (3,)),
        ((5, 2), (5, 2), (5,)),
        ((2, 1), (2, 1), (2,)),
        ((1, 4), (1, 4), (1,)),
        ((4,), (4,), ()),
        ((3, 4), (1, 4), (3,)),
        ((3, 4), (3, 4), (1,)),
        ((1, 4), (1, 4), (3,)),
    ),
    empty=(((0, 4), (0, 4), (0,)), ((3, 0), (3, 0), (3,)), ((0,), (0,), ())),
    mismatched=(
        ((3, 4), (3, 4), ()),
        ((4,), (4,), (1,)),
        ((3, 4), (4,), (3,)),
        ((3, 4), (3, 4), (2,)),
        ((2, 3, 4), (2, 3, 4), (2, 3)),
        ((), (), ()),
        ((3, 4), (3, 3), (3,)),
    ),
    large={},
)


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        for settings, reduction, shapes in product(ELEMENTS.settings, REDUCTIONS, ELEMENTS.shapes):
            flags = ["options"] + ["broadcast"] * (shapes[0] != shapes[1] or shapes[0][:-1] != shapes[2])
            yield ELEMENTS.drawn(dtype, flags, settings, reduction, shapes)
        for reduction in REDUCTIONS:
            for shapes in ELEMENTS.empty:
                yield ELEMENTS.drawn(dtype, ["empty"], {}, reduction, shapes)
            yield ELEMENTS.drawn(dtype, ["stretched_vector"], {}, reduction, ((3, 4), (3, 1), (3,)))
        for shapes, reduction in product(ELEMENTS.mismatched, ("none", "mean")):
            yield ELEMENTS.drawn(dtype, ["invalid", "shape_mismatch"], {}, reduction, shapes)
        for reduction in ("none", "mean"):
            yield ELEMENTS.drawn(dtype, ["invalid", "column_target"], {}, reduction, ((3, 4), (3, 4), (3, 1)))
        yield from special(dtype)
        for reduction in ("mean", "sum"):
            case_id = name(NAME, dtype, "large", reduction)
            draw = Draw(case_id)
            inputs = {key: draw.seeded(key, dtype, (500, 100), -2, 2) for key in ("input1", "input2")}
            yield ELEMENTS.case(case_id, ["large"], {}, reduction, {**inputs, "target": draw.seeded("target", dtype, (500,), 1, 1)})
        case_id = name(NAME, dtype, "many", "mean")
        draw = Draw(case_id)
        inputs = {key: draw.seeded(key, dtype, (MANY, 2), 0.3, 0.3) for key in ("input1", "input2")}
        inputs["target"] = draw.seeded("target", dtype, (MANY,), -1, -1)
        yield ELEMENTS.case(case_id, ["many_samples"], {"margin": 0.3}, "mean", inputs)


def special(dtype: str) -> Iterator[Case]:
    def given(
        variant: str,
        flags: Sequence[str],
        first: Sequence[Sequence[float]],
        second: Sequence[Sequence[float]],
        target: Sequence[float],
        settings: Options = {},
    ) -> Iterator[Case]:
        for reduction in REDUCTIONS:
            case_id = name(NAME, dtype, variant, options_name(settings), reduction)
            inputs: Mapping[str, Tensor] = {
                "input1": matrix(dtype, first),
                "input2": matrix(dtype, second),
                "target": Stored(dtype, (len(target),), target),
            }
            yield ELEMENTS.case(case_id, flags, settings, reduction, inputs)

    plain = [[0.5, -1.25, 0.75], [1.5, 0.25, -0.5]]
    for flag, text, value in edges(dtype):
        for label in (1.0, -1.0):
            rows = [[0.5, value, 0.25], [0.5, -0.75, 0.125]]
            yield from given(f"input1={text}+label={label}", [flag], rows, plain, [label, label])
        yield from given(f"target={text}", [flag, "odd_label"], plain, plain[::-1], [value, 1.0])
    for label in (1.0, -1.0):
        zero = [[0.0, 0.0, 0.0], [0.0, -0.0, 0.0]]
        yield from given(f"zero_vector+label={label}", ["zero_vector"], zero, plain, [label, label])
        yield from given(f"zero_vectors+label={label}", ["zero_vector"], zero, zero, [label, label])
        tiny = [[1e-7, -2e-7, 1e-6], [1e-12, 0.0, 1e-10]]
        yield from given(f"tiny_vector+label={label}", ["tiny_vector"], tiny, plain, [label, label])
        far = limits(dtype).square_overflows
        long = [[far * x for x in row] for row in plain]
        yield from given(f"long_vector+label={label}", ["long_vector"], long, plain[::-1], [label, label])
        yield from given(f"long_vectors+label={label}", ["long_vector"], long, long[::-1], [label, label])
        yield from given(f"parallel+label={label}", ["parallel"], plain, [[2 * x for x in row] for row in plain], [label] * 2)
        opposite = [[-x for x in row] for row in plain]
        yield from given(f"opposite+label={label}", ["parallel"], plain, opposite, [label] * 2)
        # The cosine over the product of the squared lengths is about length ** -5 / 500.
        length = 2.0 ** int(math.log2(500 * limits(dtype).tiny) / -5 + 1)
        apart = [[length, 0.0, 0.0]], [[1.0, 8 * length, 3.0]]
        yield from given(f"long_all_but_orthogonal_vectors+label={label}", ["all_but_orthogonal"], *apart, [label])
        # The root's backward makes 2.5 of the smallest numbers, rounds and multiplies by the squared length of 1024.
        subnormal = {
            "input1": matrix(dtype, [[0.5, 0.0]]),
            "input2": matrix(dtype, [[5 * 2**18 * limits(dtype).smallest_subnormal, 32.0]]),
            "target": Stored(dtype, (1,), [label]),
        }
        case_id = name(NAME, dtype, f"subnormal_slope+label={label}", "none")
        cotangent = Stored(dtype, (1,), [1 / 32])
        yield Case(case_id, ("subnormal_slope",), {"reduction": "none"}, subnormal, cotangent=cotangent)
        across = [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], [[0.0, 1.0, 0.0], [0.0, 0.0, 0.5]]
        yield from given(f"orthogonal+label={label}", ["hinge_kink"], *across, [label] * 2)
    yield from given("odd_labels", ["odd_label"], plain, plain[::-1], [0.5, 0.0])


LOSS = Loss(NAME, ("input1", "input2"), cases)
