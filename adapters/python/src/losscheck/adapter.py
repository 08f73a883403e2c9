"""An adapter: which losses a library has, and how to call them."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NoReturn, TypeVar

from losscheck.answer import Missing, Reply, answer, restrict
from losscheck.case import Question
from losscheck.frameworks import FRAMEWORKS, Framework, LossFunction, framework
from losscheck.losses import check_selection
from losscheck.tensor import ENCODINGS, Encoding

PROTOCOL = 1

Function = TypeVar("Function", bound=LossFunction)


@dataclass(frozen=True)
class Provided:
    """A loss that an adapter provides."""

    function: LossFunction
    coverage: Literal["native", "composed"] = "native"
    # What the library has of the loss; `None` stands for everything.
    dtypes: tuple[str, ...] | None = None
    options: Mapping[str, tuple[Any, ...]] | None = None
    gradients: tuple[str, ...] | None = None

    def lacks(self, question: Question) -> str | None:
        """Returns what the library does not have for a case, or `None` if it has everything."""
        if self.dtypes is not None and question.dtype is not None and question.dtype not in self.dtypes:
            return f"no {question.dtype}"
        for name, values in (self.options or {}).items():
            if name in question.options and not any(_same(question.options[name], value) for value in values):
                return f"no {name}={question.options[name]}"
        return None

    def to_json(self) -> dict[str, object]:
        """Returns the entry in `losses` of an adapter's `hello`."""
        fields: dict[str, object] = {"coverage": self.coverage}
        if self.dtypes is not None:
            fields["dtypes"] = self.dtypes
        if self.options is not None:
            fields["options"] = {name: [_json(value) for value in values] for name, values in self.options.items()}
        if self.gradients is not None:
            fields["gradients"] = self.gradients
        return fields


class Adapter:
    """Answers losscheck's test cases with the values and gradients of a library.

    `name` is the name of the column in losscheck's tables. `framework` is `"torch"`, `"jax"`, `"mlx"` or `"numpy"`: the
    kind of arrays that the loss functions take. It is imported when the greeting or the first case arrives. `libraries`
    are the packages whose versions losscheck shows; that of the framework is always among them.

    `limits` are the seconds that the first case of a signature and any other case may take. `window` is how many cases
    losscheck may send before it has the answers. An adapter that compiles declares `profile="compiled"`, so that
    losscheck sends a selection of cases, and one compilation does for many of them. One that is allowed to write into its
    inputs declares `changes_inputs=True`.
    """

    def __init__(
        self,
        name: str,
        *,
        framework: str | Framework = "numpy",
        libraries: Sequence[str] = (),
        device: str | None = None,
        encoding: Encoding = "bits",
        limits: Mapping[Literal["first", "case"], float] | None = None,
        window: int | None = None,
        profile: Literal["compiled"] | None = None,
        changes_inputs: bool = False,
    ) -> None:
        if isinstance(framework, str) and framework not in FRAMEWORKS:
            raise ValueError(f"expected a framework of {', '.join(FRAMEWORKS)}, found {framework!r}")
        if encoding not in ENCODINGS:
            raise ValueError(f"expected an encoding of {', '.join(ENCODINGS)}, found {encoding!r}")
        self.name = name
        self.libraries = tuple(libraries)
        self.encoding: Encoding = encoding
        self.losses: dict[str, Provided] = {}
        self._framework = framework
        self._device = device
        self._optional: dict[str, object] = {
            "limits": limits,
            "window": window,
            "profile": profile,
            "changes_inputs": changes_inputs or None,
        }

    def loss(
        self,
        name: str,
        *,
        coverage: Literal["native", "composed"] = "native",
        dtypes: Collection[str] | None = None,
        options: Mapping[str, Sequence[Any]] | None = None,
        gradients: Sequence[str] | None = None,
    ) -> Callable[[Function], Function]:
        """Returns a decorator for the function that computes a loss, which has the name it has in PyTorch.

        `coverage` is `"composed"` if the library has no function for the loss, and the adapter puts it together from
        other operations. `dtypes`, `options` and `gradients` say what the library has, if that is not everything: cases
        beyond them are answered as unsupported.
        """
        if name in self.losses:
            raise ValueError(f"{self.name} has {name} already")
        check_selection(name, dtypes, options, gradients)
        if coverage not in ("native", "composed"):
            raise ValueError(f"expected a coverage of native or composed, found {coverage!r}")

        def register(function: Function) -> Function:
            self.losses[name] = Provided(
                function,
                coverage,
                None if dtypes is None else tuple(dtypes),
                None if options is None else {option: tuple(values) for option, values in options.items()},
                None if gradients is None else tuple(gradients),
            )
            return function

        return register

    @cached_property
    def framework(self) -> Framework:
        """The framework, which this imports."""
        return framework(self._framework, self._device) if isinstance(self._framework, str) else self._framework

    def hello(self, cases: str | None = None) -> dict[str, object]:
        """Returns what the adapter says of itself; `cases` is the hash in losscheck's `hello`."""
        packages = dict.fromkeys([*self.libraries, self.framework.package])
        fields: dict[str, object] = {
            "protocol": PROTOCOL,
            "name": self.name,
            "libraries": {package: version(package) for package in packages},
            "device": self.framework.device,
            "losses": {name: provided.to_json() for name, provided in self.losses.items()},
            "encoding": self.encoding,
            "cases": cases,
            **self._optional,
        }
        return {"hello": {name: value for name, value in fields.items() if value is not None}}

    def answer(self, question: Question, busy: Callable[[str], None] = lambda stage: None) -> Reply:
        """Returns what the library answers to a case."""
        provided = self.losses.get(question.loss)
        if provided is None:
            return Missing(f"no {question.loss}")
        if why := provided.lacks(question):
            return Missing(why)
        return answer(self.framework, provided.function, restrict(question, provided.gradients), busy)

    def serve(self) -> NoReturn:
        """Answers the cases on the standard input until it ends, and ends the process."""
        from losscheck.serve import run

        run(self)


def version(package: str) -> str:
    """Returns the version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        module = importlib.import_module(package.replace("-", "_"))
        return str(getattr(module, "__version__", "unknown"))


def _same(value: Any, other: Any) -> bool:
    # True == 1 in Python.
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _json(value: Any) -> Any:
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, value) if isinstance(value, float) else value
