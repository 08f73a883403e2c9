"""The losses that losscheck has test cases of: what `losscheck list LOSS` prints, for checks before it is asked."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from losscheck.tensor import FLOATS

REDUCTIONS = ("none", "mean", "sum")
# PyTorch has no 16-bit kernels of these losses on the CPU.
SINGLE_AND_DOUBLE = ("f32", "f64")


@dataclass(frozen=True)
class Loss:
    """The names that a loss has in PyTorch for what a case holds."""

    # The inputs that have gradients.
    differentiable: tuple[str, ...]
    # The options, and the values that the one by which tests are grouped can have.
    options: tuple[str, ...]
    group: tuple[str, tuple[str, ...]] = ("reduction", REDUCTIONS)
    dtypes: tuple[str, ...] = FLOATS


LOSSES: Mapping[str, Loss] = {
    "adaptive_log_softmax_with_loss": Loss(
        (
            "input",
            "head.weight",
            "tail.0.0.weight",
            "tail.0.1.weight",
            "tail.1.0.weight",
            "tail.1.1.weight",
            "head.bias",
            "tail.2.0.weight",
            "tail.2.1.weight",
            "tail.3.0.weight",
            "tail.3.1.weight",
        ),
        ("in_features", "n_classes", "cutoffs", "div_value", "head_bias", "result"),
        group=("result", ("loss", "output", "log_prob", "predict")),
    ),
    "binary_cross_entropy": Loss(("input", "target"), ("reduction",)),
    "binary_cross_entropy_with_logits": Loss(("input", "target"), ("reduction",)),
    "cosine_embedding_loss": Loss(("input1", "input2"), ("margin", "reduction")),
    "cross_entropy": Loss(("input", "target"), ("ignore_index", "label_smoothing", "reduction")),
    "ctc_loss": Loss(("log_probs",), ("blank", "reduction", "zero_infinity"), dtypes=SINGLE_AND_DOUBLE),
    "gaussian_nll_loss": Loss(("input", "target", "var"), ("full", "eps", "reduction")),
    "hinge_embedding_loss": Loss(("input",), ("margin", "reduction")),
    "huber_loss": Loss(("input", "target"), ("delta", "reduction")),
    "kl_div": Loss(("input", "target"), ("log_target", "reduction"), group=("reduction", ("none", "mean", "batchmean", "sum"))),
    "l1_loss": Loss(("input", "target"), ("reduction",)),
    "linear_cross_entropy": Loss(
        ("input", "linear_weight", "linear_bias", "target"),
        ("ignore_index", "label_smoothing", "batch_chunk_size", "reduction"),
    ),
    "margin_ranking_loss": Loss(("input1", "input2", "target"), ("margin", "reduction")),
    "mse_loss": Loss(("input", "target"), ("reduction",)),
    "multi_margin_loss": Loss(("input",), ("p", "margin", "reduction"), dtypes=SINGLE_AND_DOUBLE),
    "multilabel_margin_loss": Loss(("input",), ("reduction",), dtypes=SINGLE_AND_DOUBLE),
    "multilabel_soft_margin_loss": Loss(("input", "target"), ("reduction",)),
    "nll_loss": Loss(("input",), ("ignore_index", "reduction")),
    "nll_loss2d": Loss(("input",), ("ignore_index", "reduction")),
    "poisson_nll_loss": Loss(("input", "target"), ("log_input", "full", "eps", "reduction")),
    "smooth_l1_loss": Loss(("input", "target"), ("beta", "reduction")),
    "soft_margin_loss": Loss(("input",), ("reduction",)),
    "triplet_margin_loss": Loss(("anchor", "positive", "negative"), ("margin", "p", "eps", "swap", "reduction")),
    "triplet_margin_with_distance_loss": Loss(
        ("anchor", "positive", "negative"), ("distance_function", "margin", "swap", "reduction")
    ),
}


def check_selection(
    loss: str,
    dtypes: Collection[str] | None = None,
    options: Mapping[str, Sequence[Any]] | None = None,
    gradients: Collection[str] | None = None,
) -> None:
    """Raises a `ValueError` that says what was expected, unless all of these names exist."""
    _check("a loss", loss, LOSSES)
    known = LOSSES[loss]
    for argument in (dtypes, gradients, *(options or {}).values()):
        if isinstance(argument, str):
            raise ValueError(f"expected a list, such as [{argument!r}], found {argument!r}")
    for dtype in dtypes or ():
        _check(f"a dtype of {loss}", dtype, known.dtypes)
    for name in gradients or ():
        _check(f"an input of {loss} that has a gradient", name, known.differentiable)
    for name, values in (options or {}).items():
        _check(f"an option of {loss}", name, known.options)
        if name == known.group[0]:
            for value in values:
                _check(f"a {name} of {loss}", value, known.group[1])


def _check(what: str, found: str, known: Iterable[str]) -> None:
    names = list(known)
    if found in names:
        return
    close = difflib.get_close_matches(str(found), names, 1, 0.7)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"expected {what}: {', '.join(names)}; found {found!r}{hint}")
