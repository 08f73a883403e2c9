"""Tensors keep every bit."""

import numpy as np
import pytest

from losscheck.errors import ProtocolError
from losscheck.tensor import FLOATS, STORAGE, Encoding, Tensor, from_bf16, to_bf16


def every_pattern_of_16_bits() -> "np.ndarray[tuple[int], np.dtype[np.uint16]]":
    return np.arange(1 << 16, dtype=np.uint16)


def test_every_bf16_survives_the_way_to_f32_and_back() -> None:
    patterns = every_pattern_of_16_bits()
    numbers = from_bf16(patterns)
    expected = np.where(np.isnan(numbers), patterns | 0x40, patterns)
    assert np.array_equal(to_bf16(numbers), expected)


def test_bf16_rounds_to_nearest_and_ties_to_even() -> None:
    def rounded(bits: int) -> int:
        return int(to_bf16(np.array([bits], np.uint32).view(np.float32))[0])

    assert rounded(0x3F80_7FFF) == 0x3F80
    assert rounded(0x3F80_8000) == 0x3F80
    assert rounded(0x3F81_8000) == 0x3F82
    assert rounded(0x3F80_8001) == 0x3F81
    assert rounded(0x7F7F_FFFF) == 0x7F80, "the largest f32 rounds to infinity"
    assert rounded(0x7F80_0001) == 0x7FC0, "a NaN stays a NaN"
    assert rounded(0xFFFF_FFFF) == 0xFFFF


@pytest.mark.parametrize("dtype", STORAGE)
def test_bits_keep_every_byte(dtype: str) -> None:
    data = np.arange(256, dtype=np.uint8).tobytes()
    tensor = Tensor.from_bytes(dtype, [4, 64 // STORAGE[dtype].itemsize], data)
    read = Tensor.from_json(tensor.to_json(), "input")
    assert read.same_bits(tensor)
    assert read.tobytes() == data


@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_written_out_read_back_as_the_same(dtype: str) -> None:
    bits = every_pattern_of_16_bits()
    patterns = bits if STORAGE[dtype].itemsize == 2 else bits.astype(np.uint64) << np.uint64(STORAGE[dtype].itemsize * 8 - 16)
    stored = patterns.astype(f"<u{STORAGE[dtype].itemsize}").view(STORAGE[dtype])
    tensor = Tensor(dtype, stored)
    read = Tensor.from_json(tensor.to_json("data"), "input")
    number = ~np.isnan(tensor.numbers())
    assert np.array_equal(np.isnan(read.numbers()), ~number)
    assert read.array[number].tobytes() == stored[number].tobytes()


def test_integers_written_out_are_exact() -> None:
    tensor = Tensor.of(np.array([2**63 - 1, -(2**63), 0]))
    assert Tensor.from_json(tensor.to_json("data"), "target").same_bits(tensor)


@pytest.mark.parametrize("encoding", ["bits", "data"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1)])
def test_shapes_without_elements_or_dimensions_survive(encoding: Encoding, shape: tuple[int, ...]) -> None:
    for dtype in STORAGE:
        tensor = Tensor(dtype, np.ones(shape, STORAGE[dtype]))
        assert Tensor.from_json(tensor.to_json(encoding), "input").shape == shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([1.0], "input: expected a tensor"),
        ({"dtype": "f8", "shape": [], "bits": ""}, "input: expected a dtype of f16"),
        ({"dtype": "f32", "shape": [-1], "bits": ""}, "input: expected a shape"),
        ({"dtype": "f32", "shape": [True], "bits": ""}, "input: expected a shape"),
        ({"dtype": "f32", "shape": [1], "bits": "AAAAAA"}, "input: expected base64"),
        ({"dtype": "f32", "shape": [2], "bits": "AAAAAA=="}, "input: expected 8 bytes for f32 .2., found 4"),
        ({"dtype": "f32", "shape": [2], "data": [1.0]}, "input: expected 2 numbers"),
        ({"dtype": "f32", "shape": [1], "data": ["one"]}, "input: expected numbers, NaN"),
        ({"dtype": "u8", "shape": [1], "data": [256]}, "input: expected numbers"),
        ({"dtype": "f32", "shape": [1]}, "input: expected `bits` or `data`"),
    ],
)
def test_a_bad_tensor_is_refused_with_a_reason(fields: object, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        Tensor.from_json(fields, "input")


def test_an_array_of_another_dtype_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an array of uint16 for bf16"):
        Tensor("bf16", np.zeros(2, np.float32))
    with pytest.raises(TypeError, match="found complex64"):
        Tensor.of(np.zeros(2, np.complex64))
