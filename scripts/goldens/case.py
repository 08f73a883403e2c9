"""A case, and PyTorch's answer to it."""

import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .compatibility import differentiate
from .draw import Draw
from .tensors import NAMES, Seeded, Shape, Tensor

FLOATS = ("f32", "f64", "f16", "bf16")
# For losses that PyTorch has no 16-bit kernels of on the CPU.
SINGLE_AND_DOUBLE = ("f32", "f64")
# Of the flag `many_samples`.
MANY = 20_001
REDUCTIONS = ("none", "mean", "sum")

Options = Mapping[str, float | int | str | Sequence[int]]


@dataclass(frozen=True)
class Case:
    """A call of a loss. The id is LOSS/DTYPE/what sets it apart."""

    id: str
    flags: tuple[str, ...]
    options: Options
    inputs: Mapping[str, Tensor]
    printed: float | None = None
    # What the backward pass starts from; drawn where it is left out.
    cotangent: Tensor | None = None
    # Inputs that need no gradient in this call, although the loss differentiates them.
    constants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_=+./-]+", self.id):
            raise ValueError(f"not a case id: {self.id}")

    @property
    def loss(self) -> str:
        return self.id.split("/")[0]

    @property
    def dtype(self) -> str:
        return self.id.split("/")[1]


@dataclass(frozen=True)
class Loss:
    """A loss, the inputs that it differentiates, its cases, and the function that it is in PyTorch: where none is given,
    that of torch.nn.functional by its name. A loss that `leaves_unused` does not look at every input in every case, and
    those have gradient 0."""

    name: str
    differentiable: tuple[str, ...]
    cases: Callable[[], Iterable[Case]]
    function: Callable[..., torch.Tensor] | None = None
    leaves_unused: bool = False

    def call(self, **arguments: object) -> torch.Tensor:
        return (self.function or getattr(torch.nn.functional, self.name))(**arguments)


@dataclass(frozen=True)
class Answer:
    value: torch.Tensor
    cotangent: Tensor | None
    gradients: Mapping[str, torch.Tensor]
    # The message of the backward pass, if that failed.
    backward_error: str = ""


@dataclass(frozen=True)
class Rejection:
    error: str
    message: str


@dataclass(frozen=True)
class Missing:
    """What a version of PyTorch does not have yet: `no_loss` or `no_option`."""

    answer: str
    message: str


Reply = Answer | Rejection | Missing | None


def name(loss: str, dtype: str, *parts: str) -> str:
    return "/".join([loss, dtype, *(part for part in parts if part)])


def label(*parts: str) -> str:
    """One part of an id, from several; empty ones do not show."""
    return "+".join(filter(None, parts))


def shape_name(shape: Shape) -> str:
    return "x".join(map(str, shape)) if shape else "scalar"


def given(**options: float | None) -> Options:
    """The options that are not None: what is left out has PyTorch's default."""
    return {key: value for key, value in options.items() if value is not None}


def options_name(options: Options) -> str:
    return "+".join(f"{key}={value}" for key, value in sorted(options.items()) if key != "reduction")


# What PyTorch is not asked: its answer differs from run to run, or ends the process.
UNASKED = ("uninitialised_result", "unchecked_label")


def evaluate(loss: Loss, case: Case) -> Reply:
    """Asks PyTorch, and returns None for what it is not asked."""
    if any(flag in UNASKED for flag in case.flags):
        return None
    tensors = {key: tensor.torch() for key, tensor in case.inputs.items()}
    leaves = {
        key: tensors[key]
        for key in loss.differentiable
        if key in tensors and key not in case.constants and tensors[key].is_floating_point()
    }
    for leaf in leaves.values():
        leaf.requires_grad_()
    try:
        value = _forward(loss, case, tensors)
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError, AssertionError) as error:
        return Rejection(type(error).__name__, _message(error))
    except AttributeError as error:
        if not getattr(error.obj, "__name__", "").startswith("torch.nn"):
            raise
        return Missing("no_loss", _message(error))
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        return Missing("no_option", _message(error))

    if not value.is_floating_point():
        return Answer(value, None, {})  # indices
    shape = tuple(value.shape)
    cotangent = case.cotangent or (Draw(case.id).cotangent(NAMES[value.dtype], shape) if math.prod(shape) else None)
    if any(isinstance(tensor, Seeded) for tensor in case.inputs.values()):
        return Answer(value, cotangent, {})  # as large as its inputs: the oracle alone judges the gradients
    start = cotangent.torch() if cotangent else torch.ones_like(value)
    if not leaves:
        return Answer(value, cotangent, {})  # all of it integers
    try:
        gradients = differentiate(value, list(leaves.values()), start, zeros=loss.leaves_unused)
    except RuntimeError as error:
        return Answer(value, cotangent, {}, _message(error))
    return Answer(value, cotangent, dict(zip(leaves, gradients)))


def check_flags(case: Case, reply: Reply) -> None:
    """Raises an error if the flags disagree with the current PyTorch, so that a change of its mind does not pass unseen.

    An older one may reject what is not `invalid` by now, for example.
    """
    if isinstance(reply, Missing) or reply and isinstance(reply, Rejection) != ("invalid" in case.flags):
        raise AssertionError(f"{case.id}: the flag `invalid` disagrees with PyTorch, which answers {reply}")
    error = reply.backward_error if isinstance(reply, Answer) else ""
    if isinstance(reply, Answer) and bool(error) != ("backward_fails" in case.flags):
        raise AssertionError(f"{case.id}: the flag `backward_fails` disagrees with PyTorch: {error or 'it works'}")


def _forward(loss: Loss, case: Case, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    with warnings.catch_warnings():
        # The regression losses warn when they broadcast, and broadcasting is what some cases are about.
        warnings.filterwarnings("ignore", message="Using a target size")
        # The mean of kl_div is not the divergence, and it says so.
        warnings.filterwarnings("ignore", message="reduction: 'mean' divides")
        # An adaptive softmax may project to nothing.
        warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
        return loss.call(**tensors, **case.options)


def _message(error: Exception) -> str:
    return str(error).split("\nException raised from", 1)[0]
