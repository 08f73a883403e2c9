"""Square roots in whose bits the processor does not show.

PyTorch takes them from MKL, which starts from the processor's estimate of 1/sqrt (rsqrtps, of which each vendor has its
own) and ends within 1 ULP, in whatever code path: `MKL_CBWR=COMPATIBLE` included, although that is to do without it. The
goldens have the root that IEEE 754 defines, as PyTorch has it where it is built without MKL.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch

from .compatibility import override


def root(x: torch.Tensor) -> torch.Tensor:
    # Of a number of 16 bits the root in 32, rounded, is the nearest.
    wide = x.float() if x.element_size() == 2 else x
    with numpy.errstate(invalid="ignore"):
        return torch.from_numpy(numpy.asarray(numpy.sqrt(wide.detach().numpy()))).to(x.dtype)


def power(x: torch.Tensor, exponent: float) -> torch.Tensor:
    # PyTorch takes the root for this power. The kernel that writes into `out` is its own.
    return root(x) if exponent == 0.5 else torch.pow(x, exponent, out=torch.empty_like(x))


@contextmanager
def defined_square_roots() -> Iterator[None]:
    library = torch.library.Library("aten", "IMPL")
    for operator, function in {
        "sqrt": root,
        "sqrt_": lambda x: x.copy_(root(x)),
        "sqrt.out": lambda x, out: out.copy_(root(x)),
        "pow.Tensor_Scalar": power,
        "pow_.Scalar": lambda x, exponent: x.copy_(power(x, exponent)),
    }.items():
        override(library, operator, function)
    yield
    # PyTorch's own come back when the library goes.
    del library
