"""JAX."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from losscheck.case import Case, split_result
from losscheck.frameworks.base import Failure, LossFunction, classify
from losscheck.tensor import STORAGE, Tensor

# Without this JAX makes f32 of every f64, and i32 of every i64.
jax.config.update("jax_enable_x64", True)

_BF16 = np.dtype(jnp.bfloat16)
_NAMES = {dtype: name for name, dtype in STORAGE.items() if name != "bf16"} | {_BF16: "bf16"}


class JaxFramework:
    """Arrays of JAX, differentiated by `jax.vjp`."""

    name = "jax"
    package = "jax"

    def __init__(self, device: str | None) -> None:
        if device:
            jax.config.update("jax_platforms", device)
        self.device = device or jax.default_backend()

    def array(self, tensor: Tensor) -> Any:
        """Returns an array of JAX."""
        # A copy, because JAX takes its arrays to be constant.
        array = tensor.array.view(_BF16) if tensor.dtype == "bf16" else tensor.array
        return jnp.array(array, copy=True)

    def tensor(self, array: Any) -> Tensor:
        """Returns the elements of an array of JAX or NumPy."""
        if not isinstance(array, jax.Array | np.ndarray | np.generic):
            raise TypeError(f"expected a jax.Array, found {type(array).__name__}")
        plain = np.asarray(array)
        if plain.dtype not in _NAMES:
            raise TypeError(f"expected an array of {', '.join(map(str, _NAMES))}, found {plain.dtype}")
        name = _NAMES[plain.dtype]
        return Tensor(name, np.ascontiguousarray(plain).reshape(plain.shape).view(STORAGE[name]))

    def evaluate(self, function: LossFunction, case: Case) -> tuple[Any, Mapping[str, Any]]:
        """Returns the value and, unless the function has computed them, the gradients by `jax.vjp`."""
        if not case.want:
            value, gradients = split_result(function(case))
            return value, gradients or {}
        by_hand = False

        def primal(*wanted: Any) -> Any:
            nonlocal by_hand
            inputs = {**case.inputs, **dict(zip(case.want, wanted, strict=True))}
            value, gradients = split_result(function(dataclasses.replace(case, inputs=inputs)))
            by_hand = gradients is not None
            return value

        value, pullback = jax.vjp(primal, *(case.inputs[name] for name in case.want))
        if by_hand:
            value, gradients = split_result(function(case))
            return value, gradients or {}
        if not jnp.issubdtype(value.dtype, jnp.floating):
            return value, {}
        start = jnp.ones_like(value) if case.cotangent is None else case.cotangent
        if start.dtype != value.dtype or start.shape != value.shape:
            # `jax.vjp` refuses it; the value alone says what is wrong.
            return value, {}
        found = case.call(pullback, start)
        return value, dict(zip(case.want, found, strict=True))

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception out of the library's call means."""
        return classify(error)
