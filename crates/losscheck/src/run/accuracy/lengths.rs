//! Sums and means of many elements.

use fastrand::Rng;
use losscheck_options::Reduction;
use ndarray::{ArrayD, Axis};

use super::search::drawn;
use super::{Exact, InputSet, Key, Rows, answer, predictions};
use crate::backend::Backend;
use crate::case::{Case, batch_axes};
use crate::judge::oracle;
use crate::loss::{Inputs, LossKind};
use crate::tensor::{DType, Tensor, TensorExt};

/// How many elements.
const LENGTHS: [usize; 2] = [1_000, 100_000];
/// Of each length and reduction.
const CASES: usize = 4;
/// Most can be made longer.
const DRAWS: usize = 100;

/// A row for the value of a reduced loss, for each length, on each backend.
pub(super) fn reduced(loss: LossKind, dtype: DType, backends: &[&dyn Backend]) -> Rows {
    let mut rows = Rows::default();
    for length in LENGTHS {
        for case in cases(loss, dtype, length) {
            let Ok(exact) = Exact::of_value(&case) else { continue };
            for backend in backends {
                let errors = answer(*backend, &case).map_or_else(Vec::new, |answer| exact.errors(&answer));
                for error in errors {
                    let (inputs, backend) = (InputSet::Elements(length), backend.name().to_owned());
                    let key = Key { loss, inputs, dtype, output: error.output, backend };
                    let row = rows.0.entry(key).or_default();
                    row.count(&error);
                    row.consider(&error, None);
                }
            }
        }
    }
    rows
}

fn cases(loss: LossKind, dtype: DType, length: usize) -> Vec<Case> {
    let reductions = [Reduction::Sum, Reduction::Mean].into_iter().flat_map(|reduction| {
        let reduced = (0..DRAWS).filter_map(move |number| {
            let case = longer(&drawn(loss, dtype, number)?, length, number as u64)?.reduced(reduction)?;
            oracle::overflows(&case, &Inputs::from(&case)).is_ok_and(|overflows| !overflows).then_some(case)
        });
        reduced.take(CASES)
    });
    reductions.collect()
}

/// The case with its rows over and over, each time with other predictions, up to so many elements.
fn longer(case: &Case, length: usize, seed: u64) -> Option<Case> {
    let axes = batch_axes(case)?;
    let mut random = Rng::with_seed(seed);
    let (first, axis) = axes[0];
    let rows = case.input(first)?.shape()[axis];
    let of_row = case.input(first)?.len() / rows.max(1);
    if rows == 0 || of_row == 0 {
        return None;
    }
    let repeated: Vec<usize> = (0..(length / of_row).max(1)).map(|row| row % rows).collect();
    let is_prediction = |name: &str| predictions(case).any(|(prediction, _)| prediction == name);
    let mut long = case.clone();
    for &(name, axis) in &axes {
        let tensor = case.input(name)?;
        let mut array: ArrayD<f64> = tensor.to_array::<f64>().select(Axis(axis), &repeated);
        if is_prediction(name) {
            array.mapv_inplace(|x| x * (1.0 - random.f64() / 8.0));
        }
        long = long.with_input(name, Tensor::from_array(tensor.dtype(), &array));
    }
    Some(long)
}
