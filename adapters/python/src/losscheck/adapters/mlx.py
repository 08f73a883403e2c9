"""The adapter of MLX's own loss functions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from losscheck.adapter import Adapter
from losscheck.case import Case
from losscheck.errors import Unsupported
from losscheck.serve import run
from losscheck.streams import claim_streams


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serves the adapter."""
    parser = argparse.ArgumentParser(prog="python -m losscheck.adapters.mlx", description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "gpu"], help="where MLX computes (default: cpu)")
    chosen = parser.parse_args(arguments)
    streams = claim_streams()
    run(adapter(chosen.device), streams)


def adapter(device: str = "cpu") -> Adapter:
    """Returns an adapter of the losses that MLX has by PyTorch's meaning."""
    made = Adapter("mlx", framework="mlx", device=device)
    for loss in (
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        cross_entropy,
        gaussian_nll_loss,
        huber_loss,
        l1_loss,
        margin_ranking_loss,
        mse_loss,
        nll_loss,
        smooth_l1_loss,
    ):
        made.loss(loss.__name__)(loss)
    made.loss("kl_div", options={"log_target": [True], "reduction": ["sum"]})(kl_div)
    made.loss("triplet_margin_loss", options={"swap": [False]})(triplet_margin_loss)
    return made


def call(case: Case, name: str, *inputs: str, **options: Any) -> Any:
    """Calls a loss of MLX with the inputs that the case is to have, and no others."""
    from mlx.nn import losses

    case.takes(*inputs)
    return case.call(getattr(losses, name), *(case[name] for name in inputs), reduction=case.options["reduction"], **options)


def binary_cross_entropy(case: Case) -> Any:
    """Computes binary cross-entropy of probabilities."""
    return call(case, "binary_cross_entropy", "input", "target", with_logits=False)


def binary_cross_entropy_with_logits(case: Case) -> Any:
    """Computes binary cross-entropy of logits."""
    return call(case, "binary_cross_entropy", "input", "target", with_logits=True)


def cross_entropy(case: Case) -> Any:
    """Computes cross-entropy, of class indices or probabilities."""
    refuse_ignored(case)
    return call(case, "cross_entropy", "input", "target", axis=axis(case), label_smoothing=case.options["label_smoothing"])


def nll_loss(case: Case) -> Any:
    """Computes the negative log-likelihood."""
    refuse_ignored(case)
    return call(case, "nll_loss", "input", "target", axis=axis(case))


def axis(case: Case) -> int:
    """Returns the dimension of the classes."""
    return 1 if case["input"].ndim > 1 else 0


def refuse_ignored(case: Case) -> None:
    """Raises [`Unsupported`] if a row is to be ignored."""
    import mlx.core as mx

    target = case["target"]
    if mx.issubdtype(target.dtype, mx.floating):
        return
    if target.size and mx.any(target.astype(mx.int64) == case.options["ignore_index"]).item():
        raise Unsupported("no ignored rows")


def gaussian_nll_loss(case: Case) -> Any:
    """Computes the negative log-likelihood under a Gaussian distribution."""
    return call(case, "gaussian_nll_loss", "input", "target", "var", full=case.options["full"], eps=case.options["eps"])


def huber_loss(case: Case) -> Any:
    """Computes Huber's loss."""
    return call(case, "huber_loss", "input", "target", delta=case.options["delta"])


def kl_div(case: Case) -> Any:
    """Computes the Kullback-Leibler divergence; MLX adds it up over an axis, so that only the sum is PyTorch's."""
    return call(case, "kl_div_loss", "input", "target")


def l1_loss(case: Case) -> Any:
    """Computes the absolute error."""
    return call(case, "l1_loss", "input", "target")


def margin_ranking_loss(case: Case) -> Any:
    """Computes the ranking loss."""
    return call(case, "margin_ranking_loss", "input1", "input2", "target", margin=case.options["margin"])


def mse_loss(case: Case) -> Any:
    """Computes the squared error."""
    return call(case, "mse_loss", "input", "target")


def smooth_l1_loss(case: Case) -> Any:
    """Computes smooth L1."""
    return call(case, "smooth_l1_loss", "input", "target", beta=case.options["beta"])


def triplet_margin_loss(case: Case) -> Any:
    """Computes the triplet loss. PyTorch adds eps to the differences, MLX to the sum of their powers."""
    options = {name: case.options[name] for name in ("p", "margin", "eps")}
    return call(case, "triplet_loss", "anchor", "positive", "negative", **options)


if __name__ == "__main__":
    main()
