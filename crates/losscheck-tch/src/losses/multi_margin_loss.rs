use losscheck_options::MultiMarginLoss;
use tch::{Kind, Tensor};

use super::reduced;
use crate::{Rejection, Result};

/// The kernel of `multi_margin_loss`, whose forward pass tch does not bind, in tensor operations.
pub(super) fn multi_margin_loss(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: &MultiMarginLoss,
) -> Result<Tensor> {
    let reject = |message: String| Err(Rejection(message));
    if options.p != 1 && options.p != 2 {
        return reject("only p == 1 and p == 2 supported".to_owned());
    }
    let size = input.size();
    let (rows, classes) = match size[..] {
        [] => (1, 1),
        [classes] if classes > 0 => (1, classes),
        [rows, classes] if classes > 0 => (rows, classes),
        _ => {
            return reject(format!(
                "Expected non-empty vector or matrix with optional 0-dim batch size, but got: {size:?}"
            ));
        }
    };
    if target.dim() > 1 || target.numel() as i64 != rows {
        return reject(format!("Expected target size [{rows}], but got {:?}", target.size()));
    }
    if target.kind() != Kind::Int64 {
        return reject(format!("expected scalar type Long but found {:?}", target.kind()));
    }
    if let Some(weight) = weight
        && weight.size() != [classes]
    {
        return reject(format!("inconsistent weight size, expected {classes} but got {:?}", weight.size()));
    }
    if !input.f_is_floating_point()? {
        return reject(format!("\"multi_margin_loss_cpu_kernel\" not implemented for '{:?}'", input.kind()));
    }
    if let Some(weight) = weight
        && weight.kind() != input.kind()
    {
        return reject(format!("expected scalar type {:?} but found {:?}", input.kind(), weight.kind()));
    }
    let index = target.f_reshape([rows, 1])?;
    if index.f_lt(0)?.f_logical_or(&index.f_ge(classes)?)?.f_any()?.f_int64_value(&[])? != 0 {
        return reject("target out of range".to_owned());
    }
    let scores = input.f_reshape([rows, classes])?;
    let z = scores.f_gather(1, &index, false)?.f_neg()?.f_add_scalar(options.margin)?.f_add(&scores)?;
    // Neither the class itself nor what is not above 0, NaN included.
    let others = z.f_zeros_like()?.f_scatter_value(1, &index, 1.0)?.f_eq(0.0)?;
    let counted = z.f_gt(0.0)?.f_logical_and(&others)?;
    let hinges = z.f_where_self(&counted, &z.f_zeros_like()?)?;
    let mut terms = if options.p == 2 { hinges.f_mul(&hinges)? } else { hinges };
    if let Some(weight) = weight {
        let weight = weight.f_index_select(0, &index.f_flatten(0, -1)?)?.f_unsqueeze(1)?;
        // 0 beside a hinge that does not count, so that an infinite weight does not make it NaN.
        terms = terms.f_mul(&weight.f_where_self(&counted, &z.f_zeros_like()?)?)?;
    }
    let losses = terms.f_sum_dim_intlist(1i64, false, None)?.f_div_scalar(classes)?;
    reduced(losses.f_reshape(target.size())?, options.reduction)
}
