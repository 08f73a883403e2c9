"""PyTorch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from losscheck.case import Case, split_result
from losscheck.frameworks.base import Failure, LossFunction, classify
from losscheck.tensor import STORAGE, Tensor

DTYPES: Mapping[str, Any] = {
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
    "i64": torch.int64,
    "u8": torch.uint8,
}
NAMES: Mapping[Any, str] = {dtype: name for name, dtype in DTYPES.items()}
# By a NotImplementedError, too, PyTorch refuses integers, which is an answer.
_REFUSAL = re.compile(r"not implemented for '(Long|Byte)'|could not infer output dtype")


class TorchFramework:
    """Tensors of PyTorch on a device, differentiated by `torch.autograd`."""

    name = "torch"
    package = "torch"

    def __init__(self, device: str) -> None:
        self.device = device

    def array(self, tensor: Tensor) -> Any:
        """Returns a tensor of PyTorch; on the CPU it shares the memory."""
        dtype = DTYPES[tensor.dtype]
        if tensor.array.size == 0:
            return torch.empty(tensor.shape, dtype=dtype, device=self.device)
        flat = torch.frombuffer(tensor.array.reshape(-1).data, dtype=dtype)
        return flat.reshape(tensor.shape).to(self.device)

    def tensor(self, array: Any) -> Tensor:
        """Returns the elements of a tensor of PyTorch."""
        if not isinstance(array, torch.Tensor):
            raise TypeError(f"expected a torch.Tensor, found {type(array).__name__}")
        if array.dtype not in NAMES:
            raise TypeError(f"expected a tensor of {', '.join(map(str, NAMES))}, found {array.dtype}")
        name = NAMES[array.dtype]
        plain = array.detach().resolve_conj().cpu().contiguous()
        if name == "bf16":
            plain = plain.view(torch.int16)
        return Tensor(name, plain.numpy().view(STORAGE[name]))

    def evaluate(self, function: LossFunction, case: Case) -> tuple[Any, Mapping[str, Any]]:
        """Returns the value and, unless the function has computed them, the gradients by `torch.autograd.grad`."""
        leaves = [case.inputs[name].requires_grad_() for name in case.want]
        value, gradients = split_result(function(case))
        if gradients is not None:
            return value, gradients
        if not leaves or not isinstance(value, torch.Tensor) or not value.requires_grad:
            return value, {}
        start = torch.ones_like(value) if case.cotangent is None else case.cotangent
        found = case.call(torch.autograd.grad, value, leaves, start, allow_unused=True)
        # What the value does not depend on has gradient 0.
        zeroed = [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, found, strict=True)]
        return value, dict(zip(case.want, zeroed, strict=True))

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception out of the library's call means: a CUDA error poisons the process."""
        if isinstance(error, torch.cuda.OutOfMemoryError):
            return Failure("failed")
        accelerator_error = getattr(torch, "AcceleratorError", ())
        if isinstance(error, accelerator_error) or "CUDA error" in str(error):
            return Failure("failed", poisoned=True)
        failure = classify(error)
        if failure.answer == "unsupported" and _REFUSAL.search(str(error)):
            return Failure("rejected")
        return failure


def version() -> tuple[int, ...]:
    """Returns the version of PyTorch, as `(2, 15)`."""
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


# Checked once: NumPy and PyTorch store a number alike on little-endian machines only.
if np.dtype("=i4") != np.dtype("<i4"):
    raise ImportError("expected a little-endian machine")
