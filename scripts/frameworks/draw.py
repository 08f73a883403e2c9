"""The inputs of a workload, drawn as benches/src/workloads.rs does: the same distributions, other numbers."""

from collections.abc import Callable, Mapping

import numpy as np

# Every input is drawn from a generator that starts here.
SEED = 2013

Shape = tuple[int, ...]
Range = tuple[float, float]
Inputs = list[np.ndarray]
Drawing = Callable[["Draw", Shape], Inputs]

LOGITS = (-4.0, 4.0)
PROBABILITIES = (0.01, 0.99)
LOG_PROBABILITIES = (-8.0, -0.01)

# How many labels a row has in `label_lists`, of as many columns as there are classes.
LABELS = 3


class Draw:
    def __init__(self, dtype: str, shapes: Mapping[str, Shape]) -> None:
        self.shapes = shapes
        self.rng = np.random.default_rng(SEED)
        self.dtype = np.dtype({"f32": np.float32, "f64": np.float64}[dtype])

    def floats(self, shape: Shape, numbers: Range) -> np.ndarray:
        return self.rng.uniform(*numbers, shape).astype(self.dtype)

    def signs(self, shape: Shape) -> np.ndarray:
        return self.rng.choice(np.array([-1, 1], self.dtype), shape)

    def integers(self, shape: Shape, low: int, high: int) -> np.ndarray:
        """From low up to, but not including, high."""
        return self.rng.integers(low, high, shape)


def pair(first: Range, second: Range) -> Drawing:
    """Input and target of one shape."""
    return lambda draw, shape: [draw.floats(shape, first), draw.floats(shape, second)]


def with_signs(numbers: Range, inputs: int = 1) -> Drawing:
    """So many inputs, and a target of 1 or -1 for each element."""
    return lambda draw, shape: [*(draw.floats(shape, numbers) for _ in range(inputs)), draw.signs(shape)]


def with_variance(draw: Draw, shape: Shape) -> Inputs:
    return [draw.floats(shape, LOGITS), draw.floats(shape, LOGITS), draw.floats(shape, (0.1, 4.0))]


def rows(numbers: Range) -> Drawing:
    """Rows of scores, and a class for each."""
    return lambda draw, shape: [draw.floats(shape, numbers), draw.integers(shape[:1], 0, shape[1])]


def vectors(count: int) -> Drawing:
    """So many tensors of vectors."""
    return lambda draw, shape: [draw.floats(shape, (-1.0, 1.0)) for _ in range(count)]


def vectors_with_signs(draw: Draw, shape: Shape) -> Inputs:
    return [*vectors(2)(draw, shape), draw.signs(shape[:1])]


def label_lists(draw: Draw, shape: Shape) -> Inputs:
    """Rows of scores, and in each row of the target a few labels, and -1 after them."""
    target = np.full(shape, -1)
    target[:, :LABELS] = draw.integers((shape[0], LABELS), 0, shape[1])
    return [draw.floats(shape, LOGITS), target]


def linear(draw: Draw, shape: Shape) -> Inputs:
    """Features, the weights of the layer above them, and a class for each row."""
    weights = draw.floats(draw.shapes["linear_weight"], (-0.5, 0.5))
    return [draw.floats(shape, (-1.0, 1.0)), weights, draw.integers(shape[:1], 0, len(weights))]


def speech(draw: Draw, shape: Shape) -> Inputs:
    """Log-probabilities, labels, and the lengths of both.

    Unlike those of the benchmarks, the probabilities add up to 1: only then is a loss on logits the same. The time does
    not depend on it.
    """
    steps, samples, classes = shape
    labels = draw.shapes["targets"][1]
    scores = draw.rng.uniform(*LOG_PROBABILITIES, shape)
    log_probs = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    return [
        log_probs.astype(draw.dtype),
        draw.integers((samples, labels), 1, classes),
        draw.integers((samples,), steps - steps // 5, steps + 1),
        draw.integers((samples,), labels // 2, labels + 1),
    ]
