"""What a version of PyTorch answers to a case, so that versions can be compared."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .ask import Record, golden

EXPECTED, UNASKED = "expected", "unasked"
NO_LOSS, NO_OPTION, NO_KERNEL, NO_GRADIENT = "no_loss", "no_option", "no_kernel", "no_gradient"
CRASHES, UNDEFINED = "crashes", "undefined"
# Refused integers are rejections like any other.
NO_KERNEL_MESSAGE = re.compile(r"not implemented for '(Half|BFloat16)'")


@dataclass(frozen=True)
class State:
    """An answer. The texts are JSON."""

    answer: str
    # The value and gradients, or the rejection. Of NO_GRADIENT, the value.
    expected: str = ""
    cotangent: str = ""
    # For the reader, about what PyTorch lacks.
    message: str = ""

    @property
    def is_rejection(self) -> bool:
        return self.expected.startswith('{"error"')

    @property
    def is_value(self) -> bool:
        return self.answer in (EXPECTED, NO_GRADIENT) and not self.is_rejection

    def same(self, newer: "State") -> bool:
        """Returns whether a file says nothing about this answer where the next newer version has the other."""
        if self.answer == NO_GRADIENT and newer.answer == EXPECTED:
            # No gradients are expected anyway.
            return self.expected == newer.expected and self.cotangent == newer.cotangent
        return (self.answer, self.expected, self.cotangent) == (newer.answer, newer.expected, newer.cotangent)


@dataclass(frozen=True)
class Golden:
    """A case of the goldens, as far as overlays refer to it."""

    id: str
    # The names of the options and tensors that the case gives.
    names: frozenset[str]
    state: State

    @cached_property
    def dtype(self) -> str:
        return self.id.split("/")[1]


def goldens(file: str) -> dict[str, Golden]:
    """Reads a committed file of goldens."""
    cases = json.loads(golden(file).read_text(encoding="utf-8"))["cases"]
    return {
        case["id"]: Golden(case["id"], frozenset(case["options"]) | frozenset(case["inputs"]), given(case))
        for case in cases
    }


def given(fields: Mapping[str, object], cotangent: str = "") -> State:
    """Returns the state of a case or answer that has been read, whose cotangent may be elsewhere."""
    if "expected" not in fields:
        return State(UNASKED)
    expected = json.dumps(fields["expected"])
    if "cotangent" in fields:
        cotangent = json.dumps(fields["cotangent"])
    state = State(EXPECTED, expected, cotangent)
    return State(EXPECTED, expected) if state.is_rejection else state


def asked(record: Record) -> State:
    """Returns the state of a case that was asked."""
    message = record.get("message") or record.get("backward_error", "")
    if "answer" in record:
        return State(record["answer"], message=message)
    state = given({key: json.loads(record[key]) for key in ("expected", "cotangent") if key in record})
    if state.is_rejection:
        message = json.loads(state.expected)["message"]
        if NO_KERNEL_MESSAGE.search(message):
            return State(NO_KERNEL, message=message)
    elif NO_KERNEL_MESSAGE.search(message):
        return State(NO_GRADIENT, state.expected, state.cotangent, message)
    return state
