"""Answers: what a loss function says of a case, as losscheck reads it."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from losscheck.case import Case, Question
from losscheck.errors import AdapterError, LibraryError, Unsupported
from losscheck.frameworks.base import Framework, LossFunction
from losscheck.tensor import Encoding, Tensor


@dataclass(frozen=True)
class Answer:
    """The value and the gradients of a case."""

    value: Tensor
    gradients: Mapping[str, Tensor] = field(default_factory=dict)
    # The inputs that hold other bits after the call.
    changed: tuple[str, ...] = ()

    def to_json(self, n: int, encoding: Encoding = "bits") -> dict[str, object]:
        """Returns the reply to case `n`."""
        gradients = {name: gradient.to_json(encoding) for name, gradient in self.gradients.items()}
        fields = {"n": n, "value": self.value.to_json(encoding), "gradients": gradients}
        return {"answer": {**fields, "inputs_intact": False} if self.changed else fields}


@dataclass(frozen=True)
class Rejected:
    """The library refused the case."""

    kind: str
    message: str

    def to_json(self, n: int, encoding: Encoding = "bits") -> dict[str, object]:
        """Returns the reply to case `n`."""
        return {"rejected": {"n": n, "type": self.kind, "message": self.message}}


@dataclass(frozen=True)
class Missing:
    """The library has nothing for the case."""

    why: str

    def to_json(self, n: int, encoding: Encoding = "bits") -> dict[str, object]:
        """Returns the reply to case `n`."""
        return {"unsupported": {"n": n, "why": self.why}}


@dataclass(frozen=True)
class Failed:
    """The adapter or the library broke."""

    message: str
    traceback: str = ""
    # Whether the process must not be used any more.
    poisoned: bool = False

    def to_json(self, n: int, encoding: Encoding = "bits") -> dict[str, object]:
        """Returns the reply to case `n`."""
        fields: dict[str, object] = {"n": n, "message": self.message}
        if self.traceback:
            fields["traceback"] = self.traceback
        if self.poisoned:
            fields["poisoned"] = True
        return {"failed": fields}


Reply = Answer | Rejected | Missing | Failed


def answer(
    framework: Framework,
    function: LossFunction,
    question: Question,
    busy: Callable[[str], None] = lambda stage: None,
) -> Reply:
    """Calls a loss function with a case, and returns what losscheck is to read."""
    before = {name: tensor.tobytes() for name, tensor in question.inputs.items()}
    try:
        inputs = {name: framework.array(tensor) for name, tensor in question.inputs.items()}
        case = Case(
            id=question.id,
            loss=question.loss,
            options=question.options,
            inputs=inputs,
            want=question.want,
            cotangent=None if question.cotangent is None else framework.array(question.cotangent),
            dtype=question.dtype,
            signature=question.signature,
            _busy=busy,
        )
        value, gradients = framework.evaluate(function, case)
        changed = tuple(
            name for name, tensor in question.inputs.items() if not _is_intact(framework, inputs[name], tensor, before[name])
        )
        return Answer(_result(framework, "the value", value), _gradients(framework, gradients, question.want), changed)
    except Unsupported as error:
        return Missing(str(error))
    except LibraryError as error:
        return _of_library(framework, error.error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit of a library, too, must not end the adapter.
        return _failed(error, poisoned=isinstance(error, Exception) and framework.classify(error).poisoned)


def restrict(question: Question, want: tuple[str, ...] | None) -> Question:
    """Returns the question without the gradients that are not in `want`."""
    if want is None:
        return question
    return dataclasses.replace(question, want=tuple(name for name in question.want if name in want))


def _is_intact(framework: Framework, array: Any, tensor: Tensor, before: bytes) -> bool:
    after = framework.tensor(array)
    return (after.dtype, after.shape) == (tensor.dtype, tensor.shape) and after.tobytes() == before


def _gradients(framework: Framework, gradients: Mapping[str, Any], want: tuple[str, ...]) -> dict[str, Tensor]:
    return {
        name: _result(framework, f"the gradient of `{name}`", gradients[name])
        for name in want
        if gradients.get(name) is not None
    }


def _result(framework: Framework, what: str, array: Any) -> Tensor:
    try:
        return framework.tensor(array)
    except TypeError as error:
        raise AdapterError(f"{what}: {error}") from error


def _of_library(framework: Framework, error: Exception) -> Reply:
    failure = framework.classify(error)
    message = str(error).split("\nException raised from", 1)[0]
    if failure.answer == "rejected":
        return Rejected(type(error).__name__, message)
    if failure.answer == "unsupported":
        return Missing(message)
    return _failed(error, poisoned=failure.poisoned)


def _failed(error: BaseException, *, poisoned: bool) -> Failed:
    message = str(error) if isinstance(error, AdapterError) else f"{type(error).__name__}: {error}"
    return Failed(message, "".join(traceback.format_exception(error)), poisoned)
