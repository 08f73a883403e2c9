use losscheck_options::MultiLabelSoftMarginLoss;
use tch::Tensor;

use super::reduced;
use crate::{Rejection, Result};

/// The tensor operations of `torch.nn.functional.multilabel_soft_margin_loss`, which is Python alone.
pub(super) fn multilabel_soft_margin_loss(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: &MultiLabelSoftMarginLoss,
) -> Result<Tensor> {
    let positive = target.f_mul(&input.f_log_sigmoid()?)?;
    let negative = target.f_neg()?.f_add_scalar(1)?.f_mul(&input.f_neg()?.f_log_sigmoid()?)?;
    let mut losses = positive.f_add(&negative)?.f_neg()?;
    if let Some(weight) = weight {
        losses = losses.f_mul(weight)?;
    }
    let Some(class_dim) = input.dim().checked_sub(1) else {
        return Err(Rejection("Dimension specified as -1 but tensor has no dimensions".to_owned()));
    };
    let classes = input.size()[class_dim];
    reduced(losses.f_sum_dim_intlist(class_dim as i64, false, None)?.f_div_scalar(classes)?, options.reduction)
}
