"""The frameworks whose arrays a loss function can take, and whose automatic differentiation gives the gradients."""

from __future__ import annotations

from losscheck.frameworks.base import Failure, Framework, LossFunction

FRAMEWORKS = ("numpy", "torch", "jax", "mlx")


def framework(name: str, device: str | None = None) -> Framework:
    """Imports a framework, and returns what this package has to know of it."""
    if name == "numpy":
        from losscheck.frameworks.numpy import NumpyFramework

        return NumpyFramework()
    if name == "torch":
        from losscheck.frameworks.torch import TorchFramework

        return TorchFramework(device or "cpu")
    if name == "jax":
        from losscheck.frameworks.jax import JaxFramework

        return JaxFramework(device)
    if name == "mlx":
        from losscheck.frameworks.mlx import MlxFramework

        return MlxFramework(device)
    raise ValueError(f"expected a framework of {', '.join(FRAMEWORKS)}, found {name!r}")


__all__ = ["FRAMEWORKS", "Failure", "Framework", "LossFunction", "framework"]
