import math

from ..case import Loss
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
        {"p": math.inf, "swap": True},
        {"eps": 0.01, "swap": True, "margin": 2.5},
        {"margin": 0.3},
    ),
    special=({}, {"swap": True}, {"eps": 0.0}, {"p": 1.0, "eps": 0.0}, {"p": 3.0, "eps": 0.0}),
    has_eps=True,
)

LOSS = Loss(NAME, ("anchor", "positive", "negative"), TRIPLETS.cases)
