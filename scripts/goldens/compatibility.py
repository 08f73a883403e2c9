"""What the generator asks of PyTorch in other words, depending on the version."""

import inspect
from collections.abc import Callable, Mapping, Sequence

import torch


def override(library: torch.library.Library, operator: str, function: Callable[..., torch.Tensor]) -> None:
    """Replaces PyTorch's kernel of an operator on the CPU."""
    # Since 2.7, PyTorch wants to be told that this is on purpose.
    known = "allow_override" in inspect.signature(library.impl).parameters
    library.impl(operator, function, "CPU", **({"allow_override": True} if known else {}))


def differentiate(
    value: torch.Tensor, leaves: Sequence[torch.Tensor], start: torch.Tensor, *, zeros: bool
) -> Sequence[torch.Tensor]:
    """Returns the gradients of the leaves, where `zeros` gives those that the value does not depend on gradient 0."""
    gradients = torch.autograd.grad(value, leaves, start, allow_unused=zeros)
    return [torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in zip(leaves, gradients)]


def assign_parameters(module: torch.nn.Module, parameters: Mapping[str, torch.Tensor]) -> None:
    """Makes the tensors the module's parameters; an error says which of them do not belong to it."""
    # Before 2.1, loading into a module without memory checks the names and shapes, and does nothing else.
    known = "assign" in inspect.signature(module.load_state_dict).parameters
    module.load_state_dict(parameters, **({"assign": True} if known else {}))
