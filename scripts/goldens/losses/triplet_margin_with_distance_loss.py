import torch

from ..case import Loss
from ..triplets import Triplets

NAME = "triplet_margin_with_distance_loss"

DISTANCES = {
    "pairwise": torch.nn.PairwiseDistance(),
    "manhattan": lambda a, b: (a - b).abs().sum(-1),
    "squared_euclidean": lambda a, b: (a - b).square().sum(-1),
}
TRIPLETS = Triplets(
    NAME,
    settings=[
        {**distance, **more}
        for distance in ({}, {"distance_function": "manhattan"}, {"distance_function": "squared_euclidean"})
        for more in ({}, {"swap": True}, {"margin": 2.5})
    ],
    special=({}, {"distance_function": "manhattan", "swap": True}, {"distance_function": "squared_euclidean"}),
    has_eps=False,
    kinks=(
        {"distance_function": "manhattan", "margin": 1.5},
        {"distance_function": "squared_euclidean", "margin": 4.5},
    ),
)


def function(*, distance_function: str = "pairwise", **arguments: torch.Tensor | float | str) -> torch.Tensor:
    """Data names the distances that PyTorch takes as functions."""
    distance = DISTANCES[distance_function]
    return torch.nn.functional.triplet_margin_with_distance_loss(**arguments, distance_function=distance)


LOSS = Loss(NAME, ("anchor", "positive", "negative"), TRIPLETS.cases, function)
