"""Inputs drawn from SplitMix64, seeded by the case's id: a new case never changes another, nor does a new library.

Values are short decimals: they read well, and as binary fractions their digits are still full.
"""

import hashlib
import math

from .tensors import Seeded, Shape, Stored, splitmix64


class Draw:
    def __init__(self, case_id: str) -> None:
        self.case_id = case_id

    def seed(self, name: str) -> int:
        digest = hashlib.sha256(f"{self.case_id}#{name}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def fractions(self, name: str, count: int) -> list[float]:
        """Uniform in [0, 1), with 53 bits."""
        return [(int(bits) >> 11) / 2.0**53 for bits in splitmix64(self.seed(name), count)]

    def uniform(self, name: str, dtype: str, shape: Shape, low: float, high: float, digits: int = 4) -> Stored:
        fractions = self.fractions(name, math.prod(shape))
        return Stored(dtype, shape, [round(low + (high - low) * u, digits) for u in fractions])

    def wide(self, name: str, dtype: str, shape: Shape, low: int, high: int) -> Stored:
        """Both signs, magnitudes spread evenly over the decades from 10^low to 10^high."""
        mantissas = self.uniform(f"{name}/mantissa", dtype, shape, -9.0, 9.0, 3).data
        decades = self.integers(f"{name}/decade", "i64", shape, low, high).data
        return Stored(dtype, shape, [float(f"{m + math.copysign(1, m):.3f}e{d}") for m, d in zip(mantissas, decades)])

    def integers(self, name: str, dtype: str, shape: Shape, low: int, high: int) -> Stored:
        """Uniform in low..high, high excluded."""
        fractions = self.fractions(name, math.prod(shape))
        return Stored(dtype, shape, [low + int((high - low) * u) for u in fractions])

    def integer(self, name: str, low: int, high: int) -> int:
        return low + int((high - low) * self.fractions(name, 1)[0])

    def cotangent(self, dtype: str, shape: Shape) -> Stored:
        """Both signs, and no element is 0 or 1; below 1, so that it overflows nothing by itself."""
        fractions = self.fractions("cotangent", math.prod(shape))
        return Stored(
            dtype, shape, [round(math.copysign(0.25 + 0.7 * abs(s), s), 4) for s in (2 * u - 1 for u in fractions)]
        )

    def seeded(self, name: str, dtype: str, shape: Shape, low: float, high: float) -> Seeded:
        return Seeded(dtype, shape, self.seed(name), float(low), float(high))
