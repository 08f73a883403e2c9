import math
from collections.abc import Iterator
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss
from ..triplets import Triplets

NAME = "triplet_margin_loss"

TRIPLETS = Triplets(
    NAME,
    settings=(
        {},
        {"swap": True},
        {"p": 1.0},
        {"p": 1.0, "swap": True},
        {"p": 3.0},
        {"p": 1.5, "margin": 2.5},
        {"p": 0.5},
        {"p": 0.0},
        {"p": math.inf},
        {"p": -math.inf},
        {"p": -math.inf, "swap": True},
        {"p": math.inf, "swap": True},
        {"eps": 0.01, "swap": True, "margin": 2.5},
        {"margin": 0.3},
        {"p": 3.0, "swap": True},
        {"p": 1.5, "swap": True},
        {"p": 0.5, "swap": True},
        {"p": math.inf, "margin": 2.5},
        {"p": 1.0, "eps": 0.01, "margin": 0.3},
        {"p": 3.0, "eps": 0.01, "swap": True, "margin": 2.5},
    ),
    special=(
        {},
        {"swap": True},
        {"eps": 0.0},
        {"p": 1.0, "eps": 0.0},
        {"p": 1.0, "eps": 0.0, "swap": True},
        {"p": 3.0, "eps": 0.0},
    ),
    has_eps=True,
    kinks=(
        {"eps": 0.0},
        {"p": 1.0, "eps": 0.0, "margin": 1.5},
        {"p": math.inf, "eps": 0.0, "margin": 0.75},
    ),
)


def cases() -> Iterator[Case]:
    yield from TRIPLETS.cases()
    elements = TRIPLETS.elements()
    for dtype, p, reduction in product(FLOATS, (0.01, 1e-6), REDUCTIONS):
        yield elements.drawn(dtype, ["small_exponent"], {"p": p}, reduction, ((2, 3),) * 3)
    for dtype, (text, value) in product(FLOATS, (("equal_elements", 0.5), ("nan", math.nan))):
        data = {"anchor": [0.5, value, 0.75], "positive": [0.5, 0.5, -1.0], "negative": [0.25, 1.0, 2.0]}
        flags = ["counted_differences", "backward_fails"]
        yield from elements.given(dtype, text, flags, {"p": 0.0, "eps": 0.0, "margin": 20.0}, data)


LOSS = Loss(NAME, ("anchor", "positive", "negative"), cases)
