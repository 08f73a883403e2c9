"""The list of losses: a new loss is a file here and a line in the list."""

from . import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

LOSSES = [
    module.LOSS
    for module in (
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        cross_entropy,
        huber_loss,
        l1_loss,
        mse_loss,
        nll_loss,
        smooth_l1_loss,
    )
]
