"""The adapter of PyTorch's own loss functions, run eagerly.

`python -m losscheck.adapters.torch --portable` answers with the bits that the golden files have.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from losscheck.adapter import Adapter
from losscheck.case import Case
from losscheck.serve import run
from losscheck.streams import claim_streams


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serves the adapter."""
    parser = argparse.ArgumentParser(prog="python -m losscheck.adapters.torch", description=__doc__)
    parser.add_argument("--device", default="cpu", help="where PyTorch computes, such as cuda (default: cpu)")
    parser.add_argument(
        "--portable", action="store_true", help="results that do not depend on the processor; for x86-64 and the CPU"
    )
    chosen = parser.parse_args(arguments)
    if chosen.portable:
        if chosen.device != "cpu":
            parser.error("--portable: expected the device cpu")
        from losscheck.adapters.portable import restart_if_needed

        restart_if_needed()
    streams = claim_streams()
    if chosen.portable:
        from losscheck.adapters.portable import settle

        settle()
    run(adapter(chosen.device), streams)


def adapter(device: str = "cpu") -> Adapter:
    """Returns an adapter of the losses that the installed PyTorch has."""
    from losscheck.adapters.torch_losses import call, losses

    # A CUDA device computes behind the back of the processor, so that a device assertion is blamed on a later case.
    made = Adapter("torch", framework="torch", device=device, window=None if device == "cpu" else 1)
    for name, function in losses().items():

        def evaluate(case: Case, function: object = function) -> object:
            return call(function, case)  # type: ignore[arg-type]

        made.loss(name)(evaluate)
    return made


if __name__ == "__main__":
    main()
