"""The two compilers: each makes of a loss and its inputs a call that returns the value, and the gradient if wanted."""

import os
import shutil
from collections.abc import Callable, Sequence

import jax
import numpy as np
import torch
from torch._dynamo.utils import counters

from .draw import Inputs
from .losses import Loss

Results = Sequence[jax.Array] | Sequence[torch.Tensor]
Call = Callable[[], Results]


class Unavailable(Exception):
    """Why a backend has no call."""


def prepare_for(threads: int) -> None:
    """Sets what the environment cannot."""
    # Each call is waited for: to hand it to another thread would only cost the way there and back.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    # Code that was compiled for another number must not come out of inductor's cache.
    torch._inductor.config.cpp.threads = threads


def xla(loss: Loss, inputs: Inputs, gradient: bool) -> Call:
    # JAX has 64 bits only where one asks for them, in integers too.
    jax.config.update("jax_enable_x64", inputs[0].dtype == np.float64)
    arrays = [jax.device_put(x.astype(np.int32) if x.dtype == np.int64 else x) for x in inputs]
    if gradient:
        value_and_grad = jax.jit(jax.value_and_grad(loss.jax))

        def forward_gradient() -> Results:
            value, grad = value_and_grad(*arrays)
            return value.block_until_ready(), grad.block_until_ready()

        return forward_gradient
    value = jax.jit(loss.jax)
    return lambda: (value(*arrays).block_until_ready(),)


def torch_compile(loss: Loss, inputs: Inputs, gradient: bool) -> Call:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise Unavailable(f"needs a C++ compiler, and {compiler} is not found")
    torch._dynamo.reset()
    counters.clear()
    compiled = torch.compile(loss.torch_compile or loss.torch, dynamic=False)
    tensors = [torch.from_numpy(x) for x in inputs]
    if gradient:
        tensors[0].requires_grad_()
    compiled(*tensors)
    if not counters["stats"]["unique_graphs"]:
        raise Unavailable("finds nothing to compile and leaves it all to eager PyTorch")
    if gradient:

        def forward_gradient() -> Results:
            value = compiled(*tensors)
            return value, *torch.autograd.grad(value, tensors[0])

        return forward_gradient
    # No input asks for a gradient, so no graph is recorded.
    return lambda: (compiled(*tensors),)


BACKENDS = {"xla": xla, "torch.compile": torch_compile}
