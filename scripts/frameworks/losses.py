"""The losses, with PyTorch's defaults: how their inputs are drawn, and what each framework calls them.

JAX has optax's function where that computes the same, else the formula as its users write it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import torch
import torch.nn.functional as F
from jax import Array

from . import draw
from .draw import LABELS, LOG_PROBABILITIES, LOGITS, PROBABILITIES

# How far a result may be from PyTorch's in f64, relatively, in units of the dtype's epsilon: sums are taken in other
# orders, and functions differ in the last digits. The right ones are seen to stay below 30.
TOLERANCE = 2**8
# The logarithm of a path's probability is in the thousands, and its error is a relative one of the probability.
CTC_TOLERANCE = 2**15


class Loss(NamedTuple):
    """A loss in both frameworks; the gradient is by the first input."""

    draw: draw.Drawing
    torch: Callable[..., torch.Tensor]
    jax: Callable[..., Array]
    tolerance: int = TOLERANCE
    # In place of PyTorch's function, where torch.compile does not get through that.
    torch_compile: Callable[..., torch.Tensor] | None = None


def binary_cross_entropy(x: Array, target: Array) -> Array:
    # PyTorch clamps the logarithms.
    positive, negative = jnp.maximum(jnp.log(x), -100), jnp.maximum(jnp.log1p(-x), -100)
    return -(target * positive + (1 - target) * negative).mean()


def cosine_embedding_loss(x1: Array, x2: Array, target: Array) -> Array:
    epsilon = 1e-12
    squares = ((x1 * x1).sum(axis=1) + epsilon) * ((x2 * x2).sum(axis=1) + epsilon)
    cosine = (x1 * x2).sum(axis=1) / jnp.sqrt(squares)
    return jnp.where(target == 1, 1 - cosine, jax.nn.relu(cosine)).mean()


def ctc_loss(log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array) -> Array:
    # optax takes the samples first, and normalises what is normalised already.
    logits = jnp.swapaxes(log_probs, 0, 1)
    losses = optax.ctc_loss(logits, padding(logits, input_lengths), targets, padding(targets, target_lengths))
    return (losses / jnp.maximum(target_lengths, 1)).mean()


def padding(sequences: Array, lengths: Array) -> Array:
    """1 at the places after the end of each sequence."""
    places = jnp.arange(sequences.shape[1], dtype=lengths.dtype)
    return (places >= lengths[:, None]).astype(float)


def gaussian_nll_loss(x: Array, target: Array, var: Array) -> Array:
    var = jnp.maximum(var, 1e-6)
    return (0.5 * (jnp.log(var) + (x - target) ** 2 / var)).mean()


def unchecked_gaussian_nll_loss(x: torch.Tensor, target: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
    """Without the search for a negative variance, whose outcome Python branches on."""
    var = var.clamp(min=1e-6)
    return (0.5 * (torch.log(var) + (x - target) ** 2 / var)).mean()


def linear_cross_entropy(x: Array, weight: Array, target: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(x @ weight.T, target).mean()


def multi_margin_loss(x: Array, target: Array) -> Array:
    margins = jax.nn.relu(1 - jnp.take_along_axis(x, target[:, None], axis=1) + x)
    others = jnp.arange(x.shape[1], dtype=target.dtype) != target[:, None]
    return jnp.where(others, margins, 0).sum(axis=1).mean() / x.shape[1]


def multilabel_margin_loss(x: Array, target: Array) -> Array:
    # XLA's shapes are fixed: as many columns as the longest list has, where PyTorch stops at the first -1.
    target = target[:, :LABELS]
    listed = jnp.cumprod(target >= 0, axis=1).astype(bool)
    labels = jnp.where(listed, target, 0)
    classes = jnp.arange(x.shape[1], dtype=target.dtype)
    others = ~((labels[:, :, None] == classes) & listed[:, :, None]).any(axis=1)
    margins = jax.nn.relu(1 - jnp.take_along_axis(x, labels, axis=1)[:, :, None] + x[:, None, :])
    counted = listed[:, :, None] & others[:, None, :]
    return jnp.where(counted, margins, 0).sum(axis=(1, 2)).mean() / x.shape[1]


def pairwise_distance(x: Array, y: Array) -> Array:
    return jnp.sqrt(((x - y + 1e-6) ** 2).sum(axis=1))


def triplet_margin_loss(anchor: Array, positive: Array, negative: Array) -> Array:
    return jax.nn.relu(pairwise_distance(anchor, positive) - pairwise_distance(anchor, negative) + 1).mean()


LOSSES = {
    "binary_cross_entropy": Loss(
        draw.pair(PROBABILITIES, PROBABILITIES), F.binary_cross_entropy, binary_cross_entropy
    ),
    "binary_cross_entropy_with_logits": Loss(
        draw.pair(LOGITS, PROBABILITIES),
        F.binary_cross_entropy_with_logits,
        lambda x, target: optax.sigmoid_binary_cross_entropy(x, target).mean(),
    ),
    "cosine_embedding_loss": Loss(draw.vectors_with_signs, F.cosine_embedding_loss, cosine_embedding_loss),
    "cross_entropy": Loss(
        draw.rows(LOGITS),
        F.cross_entropy,
        lambda x, target: optax.softmax_cross_entropy_with_integer_labels(x, target).mean(),
    ),
    "ctc_loss": Loss(draw.speech, F.ctc_loss, ctc_loss, CTC_TOLERANCE),
    "gaussian_nll_loss": Loss(
        draw.with_variance, F.gaussian_nll_loss, gaussian_nll_loss, torch_compile=unchecked_gaussian_nll_loss
    ),
    "hinge_embedding_loss": Loss(
        draw.with_signs((0.0, 2.0)),
        F.hinge_embedding_loss,
        lambda x, target: jnp.where(target == 1, x, jax.nn.relu(1 - x)).mean(),
    ),
    "huber_loss": Loss(
        draw.pair(LOGITS, LOGITS), F.huber_loss, lambda x, target: optax.huber_loss(x, target).mean()
    ),
    "kl_div": Loss(
        draw.pair(LOG_PROBABILITIES, PROBABILITIES),
        F.kl_div,
        lambda x, target: optax.kl_divergence(x, target).sum() / x.size,
    ),
    "l1_loss": Loss(draw.pair(LOGITS, LOGITS), F.l1_loss, lambda x, target: jnp.abs(x - target).mean()),
    "linear_cross_entropy": Loss(draw.linear, F.linear_cross_entropy, linear_cross_entropy),
    "margin_ranking_loss": Loss(
        draw.with_signs(LOGITS, inputs=2),
        F.margin_ranking_loss,
        lambda x1, x2, target: jax.nn.relu(-target * (x1 - x2)).mean(),
    ),
    "mse_loss": Loss(
        draw.pair(LOGITS, LOGITS), F.mse_loss, lambda x, target: optax.squared_error(x, target).mean()
    ),
    "multi_margin_loss": Loss(draw.rows(LOGITS), F.multi_margin_loss, multi_margin_loss),
    "multilabel_margin_loss": Loss(draw.label_lists, F.multilabel_margin_loss, multilabel_margin_loss),
    "multilabel_soft_margin_loss": Loss(
        draw.pair(LOGITS, PROBABILITIES),
        F.multilabel_soft_margin_loss,
        lambda x, target: optax.sigmoid_binary_cross_entropy(x, target).mean(),
    ),
    "nll_loss": Loss(
        draw.rows(LOG_PROBABILITIES),
        F.nll_loss,
        lambda x, target: -jnp.take_along_axis(x, target[:, None], axis=1).mean(),
    ),
    "poisson_nll_loss": Loss(
        draw.pair(LOGITS, (0.0, 8.0)), F.poisson_nll_loss, lambda x, target: (jnp.exp(x) - target * x).mean()
    ),
    "smooth_l1_loss": Loss(
        draw.pair(LOGITS, LOGITS), F.smooth_l1_loss, lambda x, target: optax.huber_loss(x, target).mean()
    ),
    "soft_margin_loss": Loss(
        draw.with_signs(LOGITS), F.soft_margin_loss, lambda x, target: jax.nn.softplus(-target * x).mean()
    ),
    "triplet_margin_loss": Loss(draw.vectors(3), F.triplet_margin_loss, triplet_margin_loss),
}
