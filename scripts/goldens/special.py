"""The special values of a dtype."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from .tensors import DTYPES


@dataclass(frozen=True)
class Limits:
    # The distance from 1 to the next number above it, and to the next below it.
    eps: float
    epsneg: float
    # The smallest normal number, the smallest of all, the largest.
    tiny: float
    smallest_subnormal: float
    max: float
    # A number whose square is out of range, and one whose square is 0 or all but.
    square_overflows: float
    square_underflows: float


SQUARES = {"f16": (1e3, 1e-4), "bf16": (1e20, 1e-30), "f32": (1e20, 1e-30), "f64": (1e160, 1e-200)}


def limits(dtype: str) -> Limits:
    info = torch.finfo(DTYPES[dtype])
    return Limits(info.eps, info.eps / 2, info.tiny, info.tiny * info.eps, info.max, *SQUARES[dtype])


# Weights whose sum is almost 0: in bf16 the last two make 1.5.
ROUNDED_SUM = [-1.5, 0.6875, 0.80859375]


def subnormal_product(dtype: str) -> tuple[float, float]:
    """A negative score and a weight of eight bits each, whose product has more than are left to it in 16 bits."""
    return -8 * 171 / 128 * limits(dtype).tiny, 129 / 128 / 256


def neighbours(dtype: str, value: float) -> list[float]:
    """A positive number, rounded to the dtype, between the ones next to it."""
    number = torch.tensor([value], dtype=DTYPES[dtype])
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[number.element_size()]
    return [(number.view(integer) + step).view(number.dtype).item() for step in (-1, 0, 1)]


def edges(dtype: str) -> Iterator[tuple[str, str, float]]:
    """Each special value with its flag and its name."""
    info = limits(dtype)
    yield "edge_nan", "nan", float("nan")
    for sign, prefix in ((1.0, ""), (-1.0, "-")):
        yield "edge_infinite", f"{prefix}inf", sign * float("inf")
        yield "edge_zero", f"{prefix}0", sign * 0.0
        yield "edge_subnormal", f"{prefix}subnormal", sign * info.smallest_subnormal
        yield "edge_largest", f"{prefix}largest", sign * info.max
