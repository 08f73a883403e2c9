"""Which cases a marked function is to answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from losscheck.adapter import Provided
from losscheck.case import Question
from losscheck.frameworks import FRAMEWORKS
from losscheck.losses import LOSSES, check_selection


@dataclass(frozen=True)
class Group:
    """The cases of a loss that have a dtype, and a reduction."""

    loss: str
    dtype: str
    value: str

    def __str__(self) -> str:
        return f"{self.dtype}-{self.value}"

    @classmethod
    def of(cls, question: Question) -> Group:
        """Returns the group of a case."""
        # A case without floating-point numbers is named after the dtype of its result.
        dtype = question.id.split("/")[1]
        return cls(question.loss, dtype, str(question.options[LOSSES[question.loss].group[0]]))


@dataclass(frozen=True)
class Selection:
    """What the marker says."""

    provided: Provided
    loss: str
    framework: str
    device: str | None

    def groups(self) -> list[Group]:
        """Returns the groups that hold the cases of the selection."""
        loss = LOSSES[self.loss]
        dtypes = loss.dtypes if self.provided.dtypes is None else self.provided.dtypes
        name, values = loss.group
        chosen = (self.provided.options or {}).get(name, values)
        return [Group(self.loss, dtype, value) for dtype in dtypes for value in chosen]

    def has(self, question: Question) -> bool:
        """Returns whether a case is selected."""
        group = Group.of(question)
        dtypes = self.provided.dtypes
        return (
            question.loss == self.loss and (dtypes is None or group.dtype in dtypes) and self.provided.lacks(question) is None
        )


def read_marker(marker: pytest.Mark, function: Callable[..., Any], arguments: Collection[str]) -> Selection:
    """Returns what a marker selects; a mistake in it is a `ValueError` or a `TypeError`."""
    if set(arguments) - {"case"} or "case" not in arguments:
        raise ValueError(f"expected a function of one argument, `case`, found ({', '.join(arguments)})")
    return _selection(function, *marker.args, **marker.kwargs)


def _selection(
    function: Callable[..., Any],
    loss: str,
    *,
    dtypes: Sequence[str] | None = None,
    options: Mapping[str, Sequence[Any]] | None = None,
    gradients: Sequence[str] | None = None,
    framework: str | None = None,
    device: str | None = None,
) -> Selection:
    check_selection(loss, dtypes, options, gradients)
    if framework is not None and framework not in FRAMEWORKS:
        raise ValueError(f"expected a framework of {', '.join(FRAMEWORKS)}; found {framework!r}")
    provided = Provided(
        function,
        dtypes=None if dtypes is None else tuple(dtypes),
        options=None if options is None else {name: tuple(values) for name, values in options.items()},
        gradients=None if gradients is None else tuple(gradients),
    )
    return Selection(provided, loss, framework or _detect(function), device)


def _detect(function: Callable[..., Any]) -> str:
    """Returns the framework that the module of a function imports."""
    names = set()
    for value in vars(sys.modules[function.__module__]).values():
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        names.add(str(home).split(".", maxsplit=1)[0])
    found = [name for name in FRAMEWORKS if name != "numpy" and name in names]
    if len(found) > 1:
        raise ValueError(f"expected framework={' or '.join(map(repr, found))}, because {function.__module__} imports them all")
    if not found and "numpy" not in names:
        raise ValueError(f"expected framework={', '.join(map(repr, FRAMEWORKS))}: {function.__module__} imports none of them")
    return found[0] if found else "numpy"
