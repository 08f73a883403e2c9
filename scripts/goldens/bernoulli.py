"""What the two binary cross-entropies share: targets, weights and how they may broadcast."""

from .draw import Draw
from .tensors import Shape, Stored

# Accepted for inputs of shape (3, 4).
WEIGHT_SHAPES: tuple[Shape, ...] = ((3, 4), (4,), (1, 4), (3, 1), (1,), ())
# Rejected for inputs of the first shape: the broadcast fails, or enlarges the output, if only by a dimension of 1.
UNFIT: tuple[tuple[Shape, Shape], ...] = (((3, 4), (3,)), ((3, 4), (4, 3)), ((3, 4), (0,)))
ENLARGING: tuple[tuple[Shape, Shape], ...] = (
    ((3, 4), (2, 3, 4)),
    ((3, 4), (1, 3, 4)),
    ((1, 4), (3, 4)),
    ((), (3,)),
    ((), (1,)),
)
MISMATCHED: tuple[tuple[Shape, Shape], ...] = (((3, 4), (4,)), ((3,), (1,)), ((3,), ()), ((2, 3), (3, 2)), ((1,), ()))
EMPTY: tuple[Shape, ...] = ((0,), (0, 3), (3, 0))


def targets(draw: Draw, kind: str, dtype: str, shape: Shape) -> Stored:
    """Labels: 0 or 1 where hard, probabilities strictly between where soft."""
    if kind == "soft":
        return draw.uniform("target", dtype, shape, 0.02, 0.98)
    labels = draw.integers("target", "i64", shape, 0, 2).data
    return Stored(dtype, shape, [float(label) for label in labels])


def weights(draw: Draw, key: str, dtype: str, shape: Shape) -> Stored:
    return draw.uniform(key, dtype, shape, 0.25, 3)
