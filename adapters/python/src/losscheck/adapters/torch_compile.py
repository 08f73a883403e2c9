"""The adapter of PyTorch's loss functions, forward and backward compiled by `torch.compile`.

A loss that cannot be compiled as a whole is answered as unsupported. One that PyTorch ran uncompiled without a word is
answered as failed: it does so beyond eight compilations of a function, for example.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from losscheck.adapter import Adapter
from losscheck.case import Case
from losscheck.errors import AdapterError
from losscheck.serve import run
from losscheck.streams import claim_streams

# Seconds that a compilation and a call may take.
FIRST, CASE = 300, 60


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serves the adapter."""
    parser = argparse.ArgumentParser(prog="python -m losscheck.adapters.torch_compile", description=__doc__)
    parser.add_argument("--device", default="cpu", help="where PyTorch computes, such as cuda (default: cpu)")
    chosen = parser.parse_args(arguments)
    streams = claim_streams()
    run(adapter(chosen.device), streams)


def adapter(device: str = "cpu") -> Adapter:
    """Returns an adapter that compiles once for each signature."""
    from losscheck.adapters.torch_losses import losses
    from losscheck.frameworks.compiled import CompiledFramework

    made = Adapter(
        "torch-compile",
        framework=CompiledFramework(device),
        limits={"first": FIRST, "case": CASE},
        profile="compiled",
        window=None if device == "cpu" else 1,
    )
    compiler = Compiler()
    for name, function in losses().items():

        def evaluate(case: Case, function: Callable[..., Any] = function) -> Any:
            return compiler.call(function, case)

        made.loss(name)(evaluate)
    return made


class Compiler:
    """The compiled loss of the latest signature."""

    def __init__(self) -> None:
        self._signature: object = None
        self._compiled: Callable[..., Any] | None = None

    def call(self, function: Callable[..., Any], case: Case) -> Any:
        """Calls a compiled loss, after compiling it if the signature is another one than before."""
        from losscheck.adapters.torch_losses import call

        is_new = case.signature != self._signature
        if is_new:
            case.busy("compile")
            self._compiled = compiled(function, case.options)
            self._signature = case.signature

        def through(**arguments: Any) -> Any:
            assert self._compiled is not None  # noqa: S101 (set with the signature)
            return self._compiled(**{name: arguments[name] for name in case.inputs})

        try:
            value = call(function, case, through)
        except BaseException:
            # What it has compiled is unknown.
            self._signature = None
            raise
        if (count := graphs()) != 1:
            self._signature = None
            raise AdapterError(f"expected one compiled graph for {case.id}, found {count}: PyTorch ran it uncompiled")
        return value


def compiled(function: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    """Returns a loss with fixed options that compiles when it is called, and forgets what was compiled before."""
    import torch
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()

    def loss(**inputs: Any) -> Any:
        return function(**inputs, **options)

    # Each shape has its own signature, so that the graph need not be right for another one.
    result: Callable[..., Any] = torch.compile(loss, fullgraph=True, dynamic=False)
    return result


def graphs() -> int:
    """Returns how many graphs were compiled since the latest reset."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


if __name__ == "__main__":
    main()
