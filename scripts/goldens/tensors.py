"""Tensors as the golden format has them, and their JSON text."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

DTYPES = {
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
    "i64": torch.int64,
    "u8": torch.uint8,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Stored:
    """A tensor whose elements are written out, in row-major order."""

    dtype: str
    shape: Shape
    data: Sequence[float | int]

    def torch(self) -> torch.Tensor:
        return torch.tensor(list(self.data), dtype=DTYPES[self.dtype]).reshape(self.shape)

    def json(self) -> str:
        return to_json(self.torch())


@dataclass(frozen=True)
class Seeded:
    """A tensor too large to store: element i is low + (high - low) * k / 2^24, k the top 24 bits of output i."""

    dtype: str
    shape: Shape
    seed: int
    low: float
    high: float

    def torch(self) -> torch.Tensor:
        k = (splitmix64(self.seed, math.prod(self.shape)) >> np.uint64(40)).astype(np.float64)
        values = self.low + (self.high - self.low) * k / 2.0**24
        if not DTYPES[self.dtype].is_floating_point:
            values = np.floor(values)
        return torch.from_numpy(values).to(DTYPES[self.dtype]).reshape(self.shape)

    def json(self) -> str:
        random = f'{{"seed": {self.seed}, "low": {json.dumps(self.low)}, "high": {json.dumps(self.high)}}}'
        return f'{{"dtype": "{self.dtype}", "shape": {json.dumps(self.shape)}, "random": {random}}}'


Tensor = Stored | Seeded


def splitmix64(seed: int, count: int) -> np.ndarray:
    """The first `count` outputs of SplitMix64 started at state `seed`."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def to_json(tensor: torch.Tensor) -> str:
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.dtype in READING:
        texts = [short_decimal(value, READING[flat.dtype]) for value in flat.tolist()]
    else:
        texts = [decimal(value) if flat.dtype.is_floating_point else str(value) for value in flat.numpy()]
    data = ", ".join(texts)
    return f'{{"dtype": "{NAMES[tensor.dtype]}", "shape": {json.dumps(list(tensor.shape))}, "data": [{data}]}}'


def decimal(value: np.floating) -> str:
    """The shortest decimal that reads back to the same bits, also when it is read as f64 first."""
    if np.isnan(value):
        return '"NaN"'
    if np.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    text = str(value)
    if type(value)(float(text)).tobytes() != value.tobytes():
        raise AssertionError(f"{text} does not read back as the {value.dtype} {float(value).hex()}")
    return text


def to_f16(value: float) -> float:
    return float(np.float16(np.float32(value)))


def to_bf16(value: float) -> float:
    """Rounds the upper half of an f32 to nearest, ties to even."""
    bits = int(np.float32(value).view(np.uint32))
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return float(np.uint32(bits).view(np.float32))


# How the 16-bit floats read a decimal: as f64, then as f32, then rounded once more.
READING = {torch.float16: to_f16, torch.bfloat16: to_bf16}


def short_decimal(value: float, read: Callable[[float], float]) -> str:
    """The shortest decimal that reads back."""
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    # The zeros are equal, so that the cache would take one for the other.
    return shortest_decimal(value, read) if value else repr(value)


@cache
def shortest_decimal(value: float, read: Callable[[float], float]) -> str:
    for digits in range(1, 10):
        shortest = float(f"{value:.{digits}g}")
        with np.errstate(over="ignore"):
            if read(shortest) == value:
                return repr(shortest)
    raise AssertionError(f"{value.hex()} is no 16-bit float")
