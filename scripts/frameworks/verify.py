"""Whether a backend computes the loss: against eager PyTorch in f64 on the same numbers."""

from collections.abc import Sequence

import numpy as np
import torch

from .draw import Inputs
from .losses import Loss


def expected(loss: Loss, inputs: Inputs) -> list[np.ndarray]:
    """The value, and the gradient by the first input."""
    tensors = [torch.from_numpy(x.astype(np.float64) if x.dtype == np.float32 else x) for x in inputs]
    first = tensors[0].requires_grad_()
    value = loss.torch(*tensors)
    return [to_numpy(x) for x in (value, *torch.autograd.grad(value, first))]


def difference(results: Sequence[object], expected: Sequence[np.ndarray], dtype: np.dtype, tolerance: int) -> str | None:
    """What is wrong with the value, or with the gradient where there is one."""
    allowed = tolerance * np.finfo(dtype).eps
    for name, result, wanted in zip(("value", "gradient"), results, expected):
        found = to_numpy(result)
        if found.dtype != dtype or found.shape != wanted.shape:
            return f"the {name} is {found.dtype}{list(found.shape)} instead of {dtype}{list(wanted.shape)}"
        # Of the gradient as a whole: at a margin that is just reached, rounding decides about a single element.
        error = np.linalg.norm((found - wanted).ravel()) / np.linalg.norm(wanted.ravel())
        if not error <= allowed:
            return f"the {name} differs from eager PyTorch's by a relative {error:.1e}, where {allowed:.1e} is allowed"
    return None


def to_numpy(result: object) -> np.ndarray:
    return result.detach().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)
