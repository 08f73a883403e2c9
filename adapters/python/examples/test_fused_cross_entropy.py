"""Tests a fused cross-entropy, which computes its gradient in the forward pass. It has a bug that such kernels had."""

import pytest
import torch

from losscheck import Unsupported


class FusedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target, reduction):
        log_probs = torch.log_softmax(logits.double(), -1)
        losses = -log_probs.gather(-1, target[:, None]).squeeze(-1)
        gradient = log_probs.exp().scatter_add(-1, target[:, None], -torch.ones_like(losses)[:, None])
        count = len(target) if reduction == "mean" else 1
        ctx.save_for_backward(gradient / count)
        value = losses if reduction == "none" else losses.sum() / count
        return value.to(logits.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        (gradient,) = ctx.saved_tensors
        # The bug: without a reduction, each row has a cotangent of its own, and this takes the first for all of them.
        return (gradient * grad_output.flatten()[0]).to(grad_output.dtype), None, None


@pytest.mark.losscheck("cross_entropy", dtypes=["f32", "bf16"], options={"label_smoothing": [0.0]}, gradients=["input"])
def test_fused_cross_entropy(case):
    case.takes("input", "target")
    logits, target = case["input"], case["target"]
    if logits.dim() != 2 or target.shape != logits.shape[:1] or target.dtype != torch.int64 or logits.numel() == 0:
        raise Unsupported("only rows of logits, and the index of a class for each")
    if not ((target >= 0) & (target < logits.shape[1]) & (target != case.options["ignore_index"])).all():
        raise Unsupported("no ignored rows")
    return case.call(FusedCrossEntropy.apply, logits, target, case.options["reduction"])
