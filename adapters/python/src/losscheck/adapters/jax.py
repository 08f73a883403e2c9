"""The adapter of JAX: the loss functions of Optax, run operation by operation, and some that are composed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from losscheck.adapter import Adapter
from losscheck.case import Case
from losscheck.errors import Unsupported
from losscheck.serve import run
from losscheck.streams import claim_streams


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serves the adapter."""
    parser = argparse.ArgumentParser(prog="python -m losscheck.adapters.jax", description=__doc__)
    parser.add_argument("--device", default="cpu", help="the platform of JAX (default: cpu)")
    chosen = parser.parse_args(arguments)
    streams = claim_streams()
    run(adapter(chosen.device), streams)


def adapter(device: str = "cpu") -> Adapter:
    """Returns an adapter of Optax's losses."""
    made = Adapter("jax", framework="jax", device=device, libraries=["jax", "optax"])
    for loss in (cross_entropy, binary_cross_entropy_with_logits, mse_loss, huber_loss):
        made.loss(loss.__name__, options={"label_smoothing": [0.0]} if loss is cross_entropy else None)(loss)
    made.loss("kl_div")(kl_div)
    made.loss("triplet_margin_loss", options={"swap": [False]})(triplet_margin_loss)
    for loss in (l1_loss, smooth_l1_loss, soft_margin_loss, cosine_embedding_loss, multilabel_soft_margin_loss):
        made.loss(loss.__name__, coverage="composed")(loss)
    return made


def reduced(case: Case, losses: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Returns the losses that a function computes, reduced; Optax leaves that to its users."""

    def call() -> Any:
        import jax.numpy as jnp

        values = losses(*arguments, **options)
        return {"none": lambda x: x, "mean": jnp.mean, "sum": jnp.sum}[case.options["reduction"]](values)

    return case.call(call)


def cross_entropy(case: Case) -> Any:
    """Computes cross-entropy, by the function for class indices or by the one for probabilities."""
    import jax.numpy as jnp
    import optax

    case.takes("input", "target")
    logits, target = case["input"], case["target"]
    axis = 1 if logits.ndim > 1 else -1
    if jnp.issubdtype(target.dtype, jnp.floating):
        if case.options["reduction"] == "mean" and logits.ndim > 2:
            raise Unsupported("no mean over the samples of probabilities with positions")
        return reduced(case, optax.softmax_cross_entropy, logits, target, axis=axis)
    if jnp.any(target == case.options["ignore_index"]):
        raise Unsupported("no ignored rows")
    return reduced(case, optax.softmax_cross_entropy_with_integer_labels, logits, target, axis=axis)


def binary_cross_entropy_with_logits(case: Case) -> Any:
    """Computes binary cross-entropy of logits."""
    import optax

    case.takes("input", "target")
    return reduced(case, optax.sigmoid_binary_cross_entropy, case["input"], case["target"])


def mse_loss(case: Case) -> Any:
    """Computes the squared error."""
    import optax

    case.takes("input", "target")
    return reduced(case, optax.squared_error, case["input"], case["target"])


def huber_loss(case: Case) -> Any:
    """Computes Huber's loss."""
    import optax

    case.takes("input", "target")
    return reduced(case, optax.huber_loss, case["input"], case["target"], delta=case.options["delta"])


def kl_div(case: Case) -> Any:
    """Computes the Kullback-Leibler divergence, which Optax adds up over any axes, or none."""
    import jax.numpy as jnp
    import optax

    function = optax.losses.kl_divergence_with_log_targets if case.options["log_target"] else optax.losses.kl_divergence
    if case.options["reduction"] != "batchmean":
        return reduced(case, function, case["input"], case["target"], axis=())
    if case["input"].ndim == 0 or case["input"].shape != case["target"].shape:
        raise Unsupported("no mean over a batch that is broadcast")

    def batch_mean() -> Any:
        return jnp.sum(function(case["input"], case["target"], axis=())) / case["input"].shape[0]

    return case.call(batch_mean)


def triplet_margin_loss(case: Case) -> Any:
    """Computes the triplet loss. PyTorch adds eps to the differences, Optax to the sum of their powers."""
    import optax

    arguments = (case["anchor"], case["positive"], case["negative"])
    options = case.options
    return reduced(
        case,
        optax.losses.triplet_margin_loss,
        *arguments,
        norm_degree=options["p"],
        margin=options["margin"],
        eps=options["eps"],
    )


def l1_loss(case: Case) -> Any:
    """Composes the absolute error."""
    import jax.numpy as jnp

    case.takes("input", "target")
    return reduced(case, lambda x, y: jnp.abs(x - y), case["input"], case["target"])


def smooth_l1_loss(case: Case) -> Any:
    """Composes smooth L1 from Huber's loss, which it is a multiple of."""
    import optax

    beta = case.options["beta"]
    if beta <= 0:
        raise Unsupported(f"no beta={beta}")
    return reduced(case, lambda x, y: optax.huber_loss(x, y, delta=beta) / beta, case["input"], case["target"])


def soft_margin_loss(case: Case) -> Any:
    """Composes the logistic loss from `jax.nn.softplus`."""
    import jax

    return reduced(case, lambda x, y: jax.nn.softplus(-y * x), case["input"], case["target"])


def cosine_embedding_loss(case: Case) -> Any:
    """Composes the embedding loss from Optax's cosine similarity."""
    import jax.numpy as jnp
    import optax

    def losses(a: Any, b: Any, y: Any) -> Any:
        cosine = optax.losses.cosine_similarity(a, b)
        apart = jnp.where(y == -1, jnp.maximum(cosine - case.options["margin"], 0), 0)
        return jnp.where(y == 1, 1 - cosine, apart)

    return reduced(case, losses, case["input1"], case["input2"], case["target"])


def multilabel_soft_margin_loss(case: Case) -> Any:
    """Composes the mean of binary cross-entropies over the classes."""
    import jax.numpy as jnp
    import optax

    case.takes("input", "target")
    return reduced(
        case, lambda x, y: jnp.mean(optax.sigmoid_binary_cross_entropy(x, y), axis=-1), case["input"], case["target"]
    )


if __name__ == "__main__":
    main()
