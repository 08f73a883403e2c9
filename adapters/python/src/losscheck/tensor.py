"""Tensors that keep every bit."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from losscheck.errors import ProtocolError

Encoding = Literal["bits", "data"]
ENCODINGS: tuple[Encoding, ...] = ("bits", "data")

# How the elements of each dtype are stored. NumPy has no bf16, so that a bf16 is its 16 bits.
STORAGE: Mapping[str, np.dtype[Any]] = {
    "f16": np.dtype("<f2"),
    "bf16": np.dtype("<u2"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
    "i64": np.dtype("<i8"),
    "u8": np.dtype("u1"),
}
FLOATS = ("f16", "bf16", "f32", "f64")
_NAMES = {storage: dtype for dtype, storage in STORAGE.items() if dtype != "bf16"}
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor: the name of its dtype, and its elements.

    The elements of bf16 are their 16-bit patterns, as `uint16`; [`Tensor.numbers`] has them as f32.
    """

    dtype: str
    array: npt.NDArray[Any]

    def __post_init__(self) -> None:
        """Checks that the array stores the dtype."""
        if self.dtype not in STORAGE:
            raise TypeError(f"expected a dtype of {', '.join(STORAGE)}, found {self.dtype}")
        if self.array.dtype != STORAGE[self.dtype]:
            raise TypeError(f"expected an array of {STORAGE[self.dtype]} for {self.dtype}, found {self.array.dtype}")

    @classmethod
    def of(cls, array: npt.ArrayLike, dtype: str | None = None) -> Tensor:
        """Returns a tensor of `array`, rounded to `dtype` if that is another one than the array has."""
        given = np.asarray(array)
        if dtype is None:
            if given.dtype not in _NAMES:
                raise TypeError(f"expected an array of {', '.join(map(str, _NAMES))}, found {given.dtype}")
            return cls(_NAMES[given.dtype], given)
        if dtype == "bf16":
            return cls(dtype, to_bf16(given.astype(np.float32)))
        if dtype not in STORAGE:
            raise TypeError(f"expected a dtype of {', '.join(STORAGE)}, found {dtype}")
        return cls(dtype, given.astype(STORAGE[dtype]))

    @classmethod
    def from_bytes(cls, dtype: str, shape: Sequence[int], data: bytes) -> Tensor:
        """Returns a tensor whose elements are a copy of little-endian `data`, which may be written to."""
        return cls(dtype, np.frombuffer(bytearray(data), dtype=STORAGE[dtype]).reshape(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions; `()` for a scalar."""
        return self.array.shape

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype in FLOATS

    def numbers(self) -> npt.NDArray[Any]:
        """Returns the elements as numbers: those of bf16 as f32, which is exact, and others as they are."""
        return from_bf16(self.array) if self.dtype == "bf16" else self.array

    def tobytes(self) -> bytes:
        """Returns the elements in row-major order, little-endian."""
        return self.array.tobytes()

    def same_bits(self, other: Tensor) -> bool:
        """Returns whether both have the same dtype, shape and bits."""
        return (self.dtype, self.shape, self.tobytes()) == (other.dtype, other.shape, other.tobytes())

    def to_json(self, encoding: Encoding = "bits") -> dict[str, object]:
        """Returns the tensor as an object of the protocol."""
        fields: dict[str, object] = {"dtype": self.dtype, "shape": list(self.shape)}
        if encoding == "bits":
            return {**fields, "bits": base64.b64encode(self.tobytes()).decode("ascii")}
        return {**fields, "data": [_json_number(x) for x in self.numbers().reshape(-1).tolist()]}

    @classmethod
    def from_json(cls, fields: object, where: str) -> Tensor:
        """Reads an object of the protocol; an error names the tensor by `where`."""
        if not isinstance(fields, dict):
            raise ProtocolError(f"{where}: expected a tensor, an object with `dtype` and `shape`, found {_short(fields)}")
        dtype, shape = fields.get("dtype"), fields.get("shape")
        if not isinstance(dtype, str) or dtype not in STORAGE:
            raise ProtocolError(f"{where}: expected a dtype of {', '.join(STORAGE)}, found {_short(dtype)}")
        if not isinstance(shape, list) or not all(type(length) is int and length >= 0 for length in shape):
            raise ProtocolError(f"{where}: expected a shape, a list of lengths, found {_short(shape)}")
        count = math.prod(shape)
        if "bits" in fields:
            try:
                data = base64.b64decode(fields["bits"], validate=True)
            except (binascii.Error, TypeError, ValueError) as error:
                raise ProtocolError(f"{where}: expected base64 in `bits`: {error}") from error
            if len(data) != (size := count * STORAGE[dtype].itemsize):
                raise ProtocolError(f"{where}: expected {size} bytes for {dtype} {shape}, found {len(data)}")
            return cls.from_bytes(dtype, shape, data)
        numbers = fields.get("data")
        if not isinstance(numbers, list):
            raise ProtocolError(f"{where}: expected `bits` or `data`, found {', '.join(fields)}")
        if len(numbers) != count:
            raise ProtocolError(f"{where}: expected {count} numbers for {dtype} {shape}, found {len(numbers)}")
        return cls(dtype, _from_data(dtype, numbers, where).reshape(shape))


def from_bf16(patterns: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Returns the numbers that 16-bit patterns stand for. Every bf16 is an f32."""
    numbers: npt.NDArray[np.float32] = (patterns.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return numbers


def to_bf16(numbers: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Returns the 16-bit patterns of the nearest bf16, ties to even."""
    bits = np.ascontiguousarray(numbers, dtype=np.float32).reshape(numbers.shape).view(np.uint32)
    with np.errstate(over="ignore"):
        # Just under half of the last kept place, and the parity of that place, carry exactly if rounding is up.
        carried = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    rounded = (carried >> np.uint32(16)).astype(np.uint16)
    # A carry out of a NaN would end in infinity or zero.
    quiet = (bits >> np.uint32(16) | np.uint32(0x40)).astype(np.uint16)
    patterns: npt.NDArray[np.uint16] = np.where(np.isnan(numbers), quiet, rounded)
    return patterns


def _from_data(dtype: str, data: Sequence[object], where: str) -> npt.NDArray[Any]:
    try:
        if dtype not in FLOATS:
            return np.array(data, dtype=STORAGE[dtype])
        numbers = np.array([_NOT_FINITE[x] if isinstance(x, str) else x for x in data], dtype=np.float64)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ProtocolError(f"{where}: expected numbers, NaN, Infinity or -Infinity in `data`: {error}") from error
    if dtype == "f64":
        return numbers
    with np.errstate(over="ignore", under="ignore"):
        # A decimal of 16 bits is read as f64, rounded to f32, and then once more.
        singles = numbers.astype(np.float32)
        return to_bf16(singles) if dtype == "bf16" else singles.astype(STORAGE[dtype])


def _json_number(x: float) -> object:
    if math.isfinite(x):
        return x
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
