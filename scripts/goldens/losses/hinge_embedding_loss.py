import math
from collections.abc import Iterator

from ..case import FLOATS, Case, Loss
from ..elements import EMPTY_PAIRS, MISMATCHED_PAIRS, PAIRS, Elements, signs, uniform

NAME = "hinge_embedding_loss"

ELEMENTS = Elements(
    loss=NAME,
    tensors={"input": uniform(0, 3), "target": signs},
    settings=({}, {"margin": 0.3}, {"margin": 2.5}, {"margin": -0.5}),
    shapes=PAIRS,
    empty=EMPTY_PAIRS,
    mismatched=MISMATCHED_PAIRS,
    large={"input": (0, 3), "target": (-1, 1)},
)


def cases() -> Iterator[Case]:
    yield from ELEMENTS.cases()
    for dtype in FLOATS:
        for margin in (1.0, 0.5):
            data = {"input": [margin] * 3 + [margin + 1, margin - 1, 0.0], "target": [-1.0, 1.0, -1.0, -1.0, -1.0, -1.0]}
            yield from ELEMENTS.given(dtype, "kink", ["hinge_kink"], {"margin": margin}, data)
        data = {"input": [0.25, 0.25, 2.0, 2.0, -1.0], "target": [0.0, 0.5, 0.0, -2.0, 3.0]}
        yield from ELEMENTS.given(dtype, "odd_labels", ["odd_label"], {}, data)
        data = {"input": [-math.inf, math.inf, 0.25], "target": [0.0, 0.5, -2.0]}
        yield from ELEMENTS.given(dtype, "odd_labels_of_infinity", ["odd_label", "edge_infinite"], {}, data)


LOSS = Loss(NAME, ("input",), cases)
