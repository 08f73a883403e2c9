"""What a framework has to provide."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from losscheck.case import Case
from losscheck.tensor import Tensor

# Takes a case, and returns the value, or the value and the gradients by the names of the inputs.
LossFunction = Callable[[Case], Any]

# The exceptions by which a library refuses its arguments. Others, such as AttributeError, mean that it is broken.
REFUSALS = (ArithmeticError, AssertionError, IndexError, RuntimeError, TypeError, ValueError)
_OUT_OF_MEMORY = re.compile(r"out of memory|RESOURCE_EXHAUSTED|can't allocate memory", re.IGNORECASE)
# PyTorch and others have no kernel for some floating-point dtypes. That integers are refused is an answer.
_NO_KERNEL = re.compile(r"not (?:implemented|supported) for '?(?:Half|BFloat16|float16|bfloat16|f16|bf16)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """What an exception out of the library's call means."""

    answer: Literal["rejected", "unsupported", "failed"]
    # Whether the process must not be used any more.
    poisoned: bool = False


class Framework(Protocol):
    """Arrays and automatic differentiation of a framework."""

    name: str
    # The package whose version is that of the framework.
    package: str
    device: str

    def array(self, tensor: Tensor) -> Any:
        """Returns an array with the elements of a tensor, which may share its memory."""
        ...

    def tensor(self, array: Any) -> Tensor:
        """Returns the elements of an array."""
        ...

    def evaluate(self, function: LossFunction, case: Case) -> tuple[Any, Mapping[str, Any]]:
        """Returns the value, and the gradients that the case wants, of which some may be missing."""
        ...

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception out of the library's call means."""
        ...


def classify(error: Exception) -> Failure:
    """Returns what an exception means in any framework."""
    text = str(error)
    if isinstance(error, RuntimeError | NotImplementedError) and _NO_KERNEL.search(text):
        return Failure("unsupported")
    if isinstance(error, RecursionError) or not isinstance(error, REFUSALS) or _OUT_OF_MEMORY.search(text):
        return Failure("failed")
    return Failure("unsupported" if isinstance(error, NotImplementedError) else "rejected")
