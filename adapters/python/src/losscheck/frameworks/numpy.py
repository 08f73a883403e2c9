"""NumPy, which does not differentiate: a loss function returns the value and the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losscheck.case import Case, split_result
from losscheck.errors import AdapterError
from losscheck.frameworks.base import Failure, LossFunction, classify
from losscheck.tensor import Tensor


class NumpyFramework:
    """Arrays of NumPy. Those of bf16 are [`Tensor`]s, because NumPy has no such dtype."""

    name = "numpy"
    package = "numpy"
    device = "cpu"

    def array(self, tensor: Tensor) -> Any:
        """Returns the array of a tensor, or the tensor itself if it is bf16."""
        return tensor if tensor.dtype == "bf16" else tensor.array

    def tensor(self, array: Any) -> Tensor:
        """Returns a tensor of an array, or of a scalar of NumPy."""
        if isinstance(array, Tensor):
            return array
        if isinstance(array, np.ndarray | np.generic):
            return Tensor.of(array)
        raise TypeError(f"expected an array of NumPy or a losscheck.Tensor, found {type(array).__name__}")

    def evaluate(self, function: LossFunction, case: Case) -> tuple[Any, Mapping[str, Any]]:
        """Returns what the function returns."""
        value, gradients = split_result(function(case))
        if gradients is None and case.want:
            raise AdapterError(
                "expected (value, {name: gradient}) of a function on NumPy arrays, found a value alone: NumPy does not "
                "differentiate; declare `gradients=[]` if the library has none"
            )
        return value, gradients or {}

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception out of the library's call means."""
        return classify(error)
