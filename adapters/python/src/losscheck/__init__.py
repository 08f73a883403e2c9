"""Lets losscheck test an implementation of PyTorch's loss functions that Python can call.

An [`Adapter`] answers losscheck's test cases with the values and gradients of a library. The pytest plugin does it for a
marked test function. This package needs NumPy alone; it imports PyTorch or JAX only for an adapter that asks for it.
"""

from losscheck.adapter import Adapter
from losscheck.case import Case
from losscheck.errors import LibraryError, ProtocolError, Unsupported
from losscheck.tensor import Tensor

__all__ = ["Adapter", "Case", "LibraryError", "ProtocolError", "Tensor", "Unsupported"]
