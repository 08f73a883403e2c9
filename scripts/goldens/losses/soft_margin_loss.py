from collections.abc import Iterator

from ..case import FLOATS, Case, Loss
from ..elements import EMPTY_PAIRS, MISMATCHED_PAIRS, PAIRS, Elements, signs, uniform

NAME = "soft_margin_loss"

ENLARGING = (((4,), (3, 4)), ((3, 1), (1, 4)), ((), (1,)))
# Where e^-x is lost beside 1, where e^x overflows in f32 and in f64, and between.
MAGNITUDES = (8.0, 16.0, 17.0, 30.0, 36.0, 37.0, 80.0, 88.0, 88.5, 89.0, 100.0, 200.0, 700.0, 709.5, 710.0, 1000.0)

ELEMENTS = Elements(
    loss=NAME,
    tensors={"input": uniform(-4, 4), "target": signs},
    settings=({},),
    shapes=[shapes for shapes in PAIRS if shapes not in ENLARGING],
    empty=EMPTY_PAIRS,
    mismatched=(*MISMATCHED_PAIRS, *ENLARGING),
    large={"input": (-8, 8), "target": (-1, 1)},
)


def cases() -> Iterator[Case]:
    yield from ELEMENTS.cases()
    for dtype in FLOATS:
        for magnitude in MAGNITUDES:
            flags = ["confident"] if magnitude < 88 else ["exponential_overflow"]
            for label in (1.0, -1.0):
                data = {"input": [magnitude, -magnitude], "target": [label, label]}
                yield from ELEMENTS.given(dtype, f"x={magnitude}+target={label}", flags, {}, data)
        data = {"input": [0.0, -0.0, 0.0, -0.0], "target": [1.0, 1.0, -1.0, -1.0]}
        yield from ELEMENTS.given(dtype, "zero_logit", ["zero_logit"], {}, data)
        data = {"input": [0.25, 0.25, 2.0, -2.0, -1.0], "target": [0.0, 0.5, 0.0, -2.0, 3.0]}
        yield from ELEMENTS.given(dtype, "odd_labels", ["odd_label"], {}, data)


LOSS = Loss(NAME, ("input",), cases)
