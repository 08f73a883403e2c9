"""Test cases: as losscheck sends them, and as a loss function gets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from losscheck.errors import LibraryError, ProtocolError, Unsupported
from losscheck.tensor import Tensor

Result = TypeVar("Result")


@dataclass(frozen=True)
class Question:
    """A test case as losscheck sends it."""

    n: int
    id: str
    loss: str
    options: Mapping[str, Any]
    inputs: Mapping[str, Tensor]
    cotangent: Tensor | None
    want: tuple[str, ...]

    @property
    def dtype(self) -> str | None:
        """Dtype of the inputs that are floating-point numbers, or `None` if all of them are integers."""
        return next((tensor.dtype for tensor in self.inputs.values() if tensor.is_float), None)

    @property
    def signature(self) -> object:
        """What a compiler specialises on: the loss, its options, and the dtypes and shapes of the inputs."""
        inputs = tuple((name, tensor.dtype, tensor.shape) for name, tensor in self.inputs.items())
        return (self.loss, repr(sorted(self.options.items())), inputs, self.want)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Question:
        """Reads the fields of a `case` message."""
        n, case_id, loss = fields.get("n"), fields.get("id"), fields.get("loss")
        if type(n) is not int:
            raise ProtocolError(f"expected the number of the case in `n`, found {n!r}")
        if not isinstance(case_id, str) or not isinstance(loss, str):
            raise ProtocolError(f"case {n}: expected strings in `id` and `loss`, found {case_id!r} and {loss!r}")
        options, inputs, want = fields.get("options"), fields.get("inputs"), fields.get("want")
        if not isinstance(options, dict) or not isinstance(inputs, dict):
            raise ProtocolError(f"case {case_id}: expected objects in `options` and `inputs`")
        if not isinstance(want, list) or not all(name in inputs for name in want):
            raise ProtocolError(f"case {case_id}: expected names of inputs in `want`, found {want!r}")
        cotangent = fields.get("cotangent")
        return cls(
            n,
            case_id,
            loss,
            {name: _option(value) for name, value in options.items()},
            {name: Tensor.from_json(tensor, f"case {case_id}: {name}") for name, tensor in inputs.items()},
            None if cotangent is None else Tensor.from_json(cotangent, f"case {case_id}: cotangent"),
            tuple(want),
        )


@dataclass(frozen=True)
class Case:
    """A test case as a loss function gets it: the inputs are arrays of its framework.

    `case["weight"]` is an input, or `None` if the case does not have it.
    """

    id: str
    loss: str
    # Every option of the loss, by PyTorch's names.
    options: Mapping[str, Any]
    # The tensors of the case, by PyTorch's names.
    inputs: Mapping[str, Any]
    # The names of the inputs whose gradients are wanted.
    want: tuple[str, ...]
    # The gradient that the backward pass starts from; all ones if it is `None`.
    cotangent: Any = None
    # Dtype of the inputs that are floating-point numbers.
    dtype: str | None = None
    signature: object = None
    _busy: Callable[[str], None] = field(default=lambda stage: None, repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.inputs.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.inputs)

    def call(self, function: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
        """Calls the library's own loss function.

        An exception out of this call means that the library refuses the case, which is an answer. An exception out of
        anything else means that the adapter is broken.
        """
        try:
            return function(*arguments, **options)
        except (LibraryError, Unsupported):
            raise
        except Exception as error:
            raise LibraryError(error) from error

    def busy(self, stage: str = "compile") -> None:
        """Tells losscheck that the adapter is at work on something slow, so that the time limit starts again."""
        self._busy(stage)

    def takes(self, *names: str) -> None:
        """Raises [`Unsupported`] if the case has an input other than these."""
        for name in self.inputs:
            if name not in names:
                raise Unsupported(f"no argument `{name}`")


def split_result(result: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """Separates what a loss function returns: the value, and the gradients if it computed them itself."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping):
        return result
    return result, None


def _option(value: Any) -> Any:
    # JSON has no infinite numbers.
    return {"Infinity": float("inf"), "-Infinity": float("-inf")}.get(value, value) if isinstance(value, str) else value
