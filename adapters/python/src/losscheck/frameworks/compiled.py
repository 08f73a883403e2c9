"""PyTorch with its compiler."""

from __future__ import annotations

import torch
import torch._dynamo.exc

from losscheck.frameworks.base import Failure
from losscheck.frameworks.torch import TorchFramework


class CompiledFramework(TorchFramework):
    """Tensors of PyTorch, for losses that `torch.compile` compiles."""

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception means: that the compiler has no way to compile a loss is a gap, and no refusal."""
        exceptions = torch._dynamo.exc
        if isinstance(error, exceptions.TorchRuntimeError) or "Observed exception" in str(error):
            # The loss refused its arguments while it was traced.
            return super().classify(RuntimeError(str(error)))
        if isinstance(error, exceptions.Unsupported | exceptions.UserError):
            return Failure("unsupported")
        if isinstance(error, exceptions.TorchDynamoException):
            return Failure("failed")
        return super().classify(error)
