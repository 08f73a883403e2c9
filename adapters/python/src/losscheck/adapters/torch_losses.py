"""The 24 losses of PyTorch, as a case calls them. PyTorch has to be there."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
import torch.nn.functional

from losscheck.case import Case
from losscheck.errors import Unsupported

PyTorchFunction = Callable[..., Any]

# The losses that are functions of torch.nn.functional, by their names there.
FUNCTIONAL = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
)

# Some losses warn about arguments that test cases are about.
warnings.filterwarnings("ignore", message="Using a target size")
warnings.filterwarnings("ignore", message="reduction: 'mean' divides")
warnings.filterwarnings("ignore", message="linear_cross_entropy: ``options`` ignored")
warnings.filterwarnings("ignore", message="Initializing zero-element tensors")


def losses() -> Mapping[str, PyTorchFunction]:
    """Returns the losses that this version of PyTorch has, as functions of the tensors and options of a case."""
    functions = {name: getattr(torch.nn.functional, name, None) for name in FUNCTIONAL}
    found = {name: function for name, function in functions.items() if function is not None}
    if hasattr(torch.nn.functional, "linear_cross_entropy"):
        found["linear_cross_entropy"] = linear_cross_entropy
    return found | {
        "adaptive_log_softmax_with_loss": adaptive_log_softmax_with_loss,
        "nll_loss2d": nll_loss2d,
        "triplet_margin_with_distance_loss": triplet_margin_with_distance_loss,
    }


def call(function: PyTorchFunction, case: Case, through: PyTorchFunction | None = None) -> Any:
    """Calls a loss with the tensors and options of a case, by way of `through` if that is given."""
    names = parameters(function)
    # An older PyTorch does not have every argument.
    for name in [*case.inputs, *case.options]:
        if names is not None and name not in names:
            raise Unsupported(f"PyTorch {torch.__version__} has no argument `{name}`")
    return case.call(through or function, **case.inputs, **case.options)


@cache
def parameters(function: PyTorchFunction) -> frozenset[str] | None:
    """Returns the names of a function's arguments, or `None` if it takes any."""
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:  # A function in C++ does not say.
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in found):
        return None
    return frozenset(parameter.name for parameter in found)


class AdaptiveLogSoftmaxWithLoss(torch.nn.AdaptiveLogSoftmaxWithLoss):  # type: ignore[misc, unused-ignore]
    """PyTorch's class, with its other methods by way of `forward`, which `torch.func.functional_call` calls."""

    def forward(self, result: str, *inputs: Any) -> Any:
        """Returns one of the results that the class has."""
        if result == "log_prob":
            return self.log_prob(*inputs)
        if result == "predict":
            return self.predict(*inputs)
        return getattr(super().forward(*inputs), result)


def adaptive_log_softmax_with_loss(*, result: str, input: Any, target: Any = None, **arguments: Any) -> Any:
    """Computes a result of the class, because PyTorch has no function for it; the tensors are its parameters.

    `load_state_dict` refuses tensors that do not belong to the options.
    """
    tensors = {name: value for name, value in arguments.items() if isinstance(value, torch.Tensor)}
    options = {name: value for name, value in arguments.items() if name not in tensors}
    # Without memory of its own: it never holds other parameters than the case's.
    module = AdaptiveLogSoftmaxWithLoss(**options, device="meta")
    assigns = "assign" in inspect.signature(module.load_state_dict).parameters
    module.load_state_dict(tensors, **({"assign": True} if assigns else {}))
    inputs = (input,) if target is None else (input, target)
    return torch.func.functional_call(module, tensors, (result, *inputs))


def linear_cross_entropy(*, batch_chunk_size: int | None, **arguments: Any) -> Any:
    """Computes the loss in chunks of a size, which PyTorch takes in an object."""
    options = None
    if batch_chunk_size is not None:
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=batch_chunk_size, chunking_method=None)
    return torch.nn.functional.linear_cross_entropy(**arguments, options=options)


def nll_loss2d(input: Any, target: Any, *, weight: Any = None, **options: Any) -> Any:
    """Computes the loss of a deprecated class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nn.NLLLoss2d(weight=weight, **options)(input, target)


def manhattan(a: Any, b: Any) -> Any:
    """Returns the sum of the absolute differences."""
    return (a - b).abs().sum(-1)


def squared_euclidean(a: Any, b: Any) -> Any:
    """Returns the sum of the squared differences."""
    return (a - b).square().sum(-1)


# The distances that a case names; PyTorch takes any function.
DISTANCES: Mapping[str, Callable[[Any, Any], Any]] = {
    "pairwise": torch.nn.PairwiseDistance(),
    "manhattan": manhattan,
    "squared_euclidean": squared_euclidean,
}


def triplet_margin_with_distance_loss(*, distance_function: str, **arguments: Any) -> Any:
    """Computes the loss with a distance that is given by name."""
    return torch.nn.functional.triplet_margin_with_distance_loss(**arguments, distance_function=DISTANCES[distance_function])
