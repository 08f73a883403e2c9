import math
from collections.abc import Iterator
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss, name, options_name
from ..tensors import Stored
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
)


def cases() -> Iterator[Case]:
    yield from TRIPLETS.cases()
    elements = TRIPLETS.elements()
    for dtype, p, reduction in product(FLOATS, (0.01, 1e-6), REDUCTIONS):
        yield elements.drawn(dtype, ["small_exponent"], {"p": p}, reduction, ((2, 3),) * 3)
    for dtype, (text, value), reduction in product(FLOATS, (("equal_elements", 0.5), ("nan", math.nan)), REDUCTIONS):
        inputs = {
            "anchor": Stored(dtype, (1, 3), [0.5, value, 0.75]),
            "positive": Stored(dtype, (1, 3), [0.5, 0.5, -1.0]),
            "negative": Stored(dtype, (1, 3), [0.25, 1.0, 2.0]),
        }
        settings = {"p": 0.0, "eps": 0.0, "margin": 20.0}
        case_id = name(NAME, dtype, text, options_name(settings), reduction)
        yield elements.case(case_id, ["counted_differences", "backward_fails"], settings, reduction, inputs)


LOSS = Loss(NAME, ("anchor", "positive", "negative"), cases)
