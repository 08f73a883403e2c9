"""The special values of a dtype."""

from collections.abc import Iterator

import numpy as np


def limits(dtype: str) -> np.finfo:
    return np.finfo(np.float32) if dtype == "f32" else np.finfo(np.float64)


def edges(dtype: str) -> Iterator[tuple[str, str, float]]:
    """Each special value with its flag and its name."""
    info = limits(dtype)
    yield "edge_nan", "nan", float("nan")
    for sign, prefix in ((1.0, ""), (-1.0, "-")):
        yield "edge_infinite", f"{prefix}inf", sign * float("inf")
        yield "edge_zero", f"{prefix}0", sign * 0.0
        yield "edge_subnormal", f"{prefix}subnormal", sign * float(info.smallest_subnormal)
        yield "edge_largest", f"{prefix}largest", sign * float(info.max)
