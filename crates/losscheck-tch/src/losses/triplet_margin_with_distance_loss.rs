use losscheck_options::{DistanceFunction, TripletMarginWithDistanceLoss};
use tch::Tensor;

use super::{has_positive_margin, reduced};
use crate::{Rejection, Result};

/// The tensor operations of `torch.nn.functional.triplet_margin_with_distance_loss`, which is Python alone.
pub(super) fn triplet_margin_with_distance_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: &TripletMarginWithDistanceLoss,
) -> Result<Tensor> {
    has_positive_margin(options.margin)?;
    let dims = [anchor.dim(), positive.dim(), negative.dim()];
    if dims != [dims[0]; 3] {
        return Err(Rejection(format!(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: \
             anchor {}D, positive {}D, and negative {}D inputs",
            dims[0], dims[1], dims[2]
        )));
    }
    let distance = |a: &Tensor, b: &Tensor| -> Result<Tensor> {
        let sum = |terms: Tensor| terms.f_sum_dim_intlist(-1i64, false, None);
        Ok(match options.distance_function {
            DistanceFunction::Pairwise => Tensor::f_pairwise_distance(a, b, 2.0, 1e-6, false)?,
            DistanceFunction::Manhattan => sum(a.f_sub(b)?.f_abs()?)?,
            DistanceFunction::SquaredEuclidean => sum(a.f_sub(b)?.f_square()?)?,
        })
    };
    let of_positive = distance(anchor, positive)?;
    let mut of_negative = distance(anchor, negative)?;
    if options.swap {
        of_negative = of_negative.f_minimum(&distance(positive, negative)?)?;
    }
    let losses = of_positive.f_add_scalar(options.margin)?.f_sub(&of_negative)?.f_clamp_min(0.0)?;
    reduced(losses, options.reduction)
}
