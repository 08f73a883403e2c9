"""MLX."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import mlx.core as mx
import numpy as np

from losscheck.case import Case, split_result
from losscheck.frameworks.base import Failure, LossFunction, classify
from losscheck.tensor import STORAGE, Tensor

DTYPES: Mapping[str, Any] = {
    "f16": mx.float16,
    "bf16": mx.bfloat16,
    "f32": mx.float32,
    "f64": mx.float64,
    "i64": mx.int64,
    "u8": mx.uint8,
}


class MlxFramework:
    """Arrays of MLX, differentiated by `mlx.core.vjp`."""

    name = "mlx"
    package = "mlx"

    def __init__(self, device: str | None) -> None:
        if device:
            mx.set_default_device(getattr(mx, device))
        self.device = str(mx.default_device().type).removeprefix("DeviceType.")

    def array(self, tensor: Tensor) -> Any:
        """Returns an array of MLX, which is a copy."""
        if tensor.dtype == "bf16":
            return mx.array(tensor.array.reshape(-1)).view(mx.bfloat16).reshape(tensor.shape)
        return mx.array(tensor.array, dtype=DTYPES[tensor.dtype])

    def tensor(self, array: Any) -> Tensor:
        """Returns the elements of an array of MLX."""
        if not isinstance(array, mx.array):
            raise TypeError(f"expected an mlx.core.array, found {type(array).__name__}")
        names = [name for name, dtype in DTYPES.items() if dtype == array.dtype]
        if not names:
            raise TypeError(f"expected an array of {', '.join(map(str, DTYPES.values()))}, found {array.dtype}")
        [name] = names
        if not array.size:
            return Tensor(name, np.zeros(array.shape, STORAGE[name]))
        # NumPy has no bf16. A scalar has no dimension to view.
        plain = np.array(array.reshape(-1).view(mx.uint16) if name == "bf16" else array)
        return Tensor(name, np.ascontiguousarray(plain).reshape(array.shape).view(STORAGE[name]))

    def evaluate(self, function: LossFunction, case: Case) -> tuple[Any, Mapping[str, Any]]:
        """Returns the value and, unless the function has computed them, the gradients by `mlx.core.vjp`."""
        value, gradients = split_result(function(case))
        # MLX computes when a result is asked for, so that an error may only appear now.
        case.call(mx.eval, value)
        if gradients is not None or not case.want:
            return value, gradients or {}

        def primal(*wanted: Any) -> list[Any]:
            inputs = {**case.inputs, **dict(zip(case.want, wanted, strict=True))}
            return [split_result(function(dataclasses.replace(case, inputs=inputs)))[0]]

        start = mx.ones_like(value) if case.cotangent is None else case.cotangent
        if start.dtype != value.dtype or start.shape != value.shape:
            # `mlx.core.vjp` refuses it; the value alone says what is wrong.
            return value, {}
        _, found = case.call(mx.vjp, primal, [case.inputs[name] for name in case.want], [start])
        case.call(mx.eval, *found)
        return value, dict(zip(case.want, found, strict=True))

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception out of the library's call means."""
        return classify(error)
