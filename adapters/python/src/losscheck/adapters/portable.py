"""Settings under which PyTorch's results on a CPU do not depend on the processor: those of the golden files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

# These have to be there before PyTorch is loaded, and the last one before the process starts.
ENVIRONMENT: Mapping[str, str] = {
    "ATEN_CPU_CAPABILITY": "default",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MKL_CBWR": "COMPATIBLE",
    # The exp and log that the C library has for every x86-64: with FMA, a few results in f64 end in another digit.
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-FMA_Usable,-FMA4_Usable,-AVX2_Usable",
}

# Holds the replacements of operators as long as the process lives.
_libraries: list[Any] = []


def restart_if_needed() -> None:
    """Starts the same command again with the variables of `ENVIRONMENT`, unless they are set already."""
    if all(os.environ.get(name) == value for name, value in ENVIRONMENT.items()):
        return
    # `orig_argv` has the options of the interpreter, too.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ENVIRONMENT})  # noqa: S606


def settle() -> None:
    """Settles what PyTorch can be told after it is loaded."""
    import torch

    torch.set_num_threads(1)
    # In 16 bits oneDNN multiplies matrices only if the processor can, and then in its own way.
    torch.backends.mkldnn.set_flags(_enabled=False)
    _replace_square_roots()


def _replace_square_roots() -> None:
    """Replaces PyTorch's square roots on the CPU by those that IEEE 754 defines.

    MKL starts from the processor's estimate of 1/sqrt, of which each vendor has its own, and ends within 1 ULP, in every
    code path: `MKL_CBWR=COMPATIBLE` does not change that.
    """
    import inspect

    import numpy as np
    import torch

    def root(x: Any) -> Any:
        # The root of a 16-bit number in 32 bits, rounded, is the nearest.
        wide = x.float() if x.element_size() == 2 else x
        with np.errstate(invalid="ignore"):
            return torch.from_numpy(np.asarray(np.sqrt(wide.detach().numpy()))).to(x.dtype)

    def power(x: Any, exponent: float) -> Any:
        # PyTorch takes the root for this power. The kernel that writes into `out` is its own.
        return root(x) if exponent == 0.5 else torch.pow(x, exponent, out=torch.empty_like(x))

    library = torch.library.Library("aten", "IMPL")
    _libraries.append(library)
    # Since 2.7, PyTorch wants to be told that this is on purpose.
    known = "allow_override" in inspect.signature(library.impl).parameters
    for operator, function in {
        "sqrt": root,
        "sqrt_": lambda x: x.copy_(root(x)),
        "sqrt.out": lambda x, out: out.copy_(root(x)),
        "pow.Tensor_Scalar": power,
        "pow_.Scalar": lambda x, exponent: x.copy_(power(x, exponent)),
    }.items():
        library.impl(operator, function, "CPU", **({"allow_override": True} if known else {}))
