//! Conditions for the losses of vectors.

use super::Condition;
use super::properties::{any, extreme};
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "power_out_of_range",
        describes: "a triplet loss whose norm raises a number to a power that is out of range",
        holds: |case| {
            let p = match &case.loss {
                Loss::TripletMarginLoss(options) if options.p.is_finite() => options.p.max(2.0),
                _ => 2.0,
            };
            any(case, |x| extreme(case.dtype(), x.abs().powf(p / 2.0)))
        },
    },
    Condition {
        name: "fourth_power_out_of_range",
        describes: "a tensor holds a number whose fourth power, which two squared lengths make, is out of range",
        holds: |case| any(case, |x| extreme(case.dtype(), x * x)),
    },
    Condition {
        name: "sixth_power_out_of_range",
        describes: "a tensor holds a number whose sixth power, which three squared lengths make, is above the range",
        holds: |case| any(case, |x| x.abs() > 1.0 && extreme(case.dtype(), x * x * x)),
    },
    Condition {
        name: "short_vector",
        describes: "vectors whose squared length is within 2^28 of an eps of 1e-12, in f64; all but 0 or empty, in f16",
        holds: |case| {
            let least = match case.dtype() {
                DType::F64 => 3e-4,
                DType::F16 => 1e-2,
                _ => return false,
            };
            let length_is_small = |tensor: &Tensor| {
                let length = tensor.shape().last().copied().unwrap_or(1).max(1);
                tensor.is_empty()
                    || tensor.to_f64().chunks(length).any(|row| row.iter().map(|x| x * x).sum::<f64>() < least)
            };
            ["input1", "input2"].into_iter().filter_map(|name| case.input(name)).any(length_is_small)
        },
    },
];
