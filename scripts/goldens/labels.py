"""What the margin losses over classes share: scores, labels, special values."""

from collections.abc import Sequence

from .draw import Draw
from .tensors import Shape, Stored


def scores(draw: Draw, dtype: str, shape: Shape) -> Stored:
    # A digit more than the margins have: a kink by chance is unlikely.
    return draw.uniform("input", dtype, shape, -2, 2, 5)


def labels(draw: Draw, shape: Shape, classes: int) -> Stored:
    return draw.integers("target", "i64", shape, 0, classes)


def lists(draw: Draw, shape: Shape) -> Stored:
    """In each row some classes, once each, then -1 and whatever follows."""
    classes = shape[-1]
    count = 1 if len(shape) == 1 else shape[0]
    data: list[int] = []
    for row in range(count):
        order = sorted(range(classes), key=draw.fractions(f"order{row}", classes).__getitem__)
        length = draw.integer(f"length{row}", 0, classes + 1)
        data += order[:length] + [-1] * (classes > length) + order[length + 1 :]
    return Stored("i64", shape, data)


def matrix(dtype: str, rows: Sequence[Sequence[float]]) -> Stored:
    return Stored(dtype, (len(rows), len(rows[0])), [x for row in rows for x in row])
