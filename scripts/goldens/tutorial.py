"""The tutorial's worked examples: those with concrete numbers, and beside them the result that it prints."""

from collections.abc import Iterator, Sequence

import torch

from .case import Case
from .tensors import Stored

RAW = [2.0, -1.0, 0.5, -3.0]
LABELS = [1.0, 0.0, 1.0, 0.0]
PREDICTIONS = [2.5, 0.5, 2.0, 8.0]
TARGETS = [3.0, -0.5, 2.0, 7.0]


def examples() -> Iterator[Case]:
    logits = Stored("f32", (3, 3), [2.0, 0.5, 0.3, 0.1, 3.0, 0.2, 0.2, 0.1, 4.0])
    inputs = {"input": logits, "target": Stored("i64", (3,), [0, 1, 2])}
    yield Case("cross_entropy/f32/tutorial", ("tutorial",), {}, inputs, printed=0.1763)

    probabilities = torch.sigmoid(torch.tensor(RAW)).tolist()
    yield example("binary_cross_entropy/f32/tutorial", probabilities, LABELS, printed=0.2824)
    yield example("binary_cross_entropy_with_logits/f32/tutorial", RAW, LABELS)
    pos_weight = Stored("f32", (1,), [10.0])
    yield example("binary_cross_entropy_with_logits/f32/tutorial/pos_weight", RAW, LABELS, pos_weight=pos_weight)
    yield example("mse_loss/f32/tutorial", PREDICTIONS, TARGETS, printed=0.3750)
    yield example("l1_loss/f32/tutorial", PREDICTIONS, TARGETS, printed=0.5000)
    yield example("smooth_l1_loss/f32/tutorial", PREDICTIONS, TARGETS)


def example(
    case_id: str, input: Sequence[float], target: Sequence[float], printed: float | None = None, **more: Stored
) -> Case:
    inputs = {"input": Stored("f32", (4,), input), "target": Stored("f32", (4,), target), **more}
    return Case(case_id, ("tutorial",), {}, inputs, printed)
