//! Inputs on which a backend is far off: random cases, then steps from the worst of them towards worse ones.

use std::collections::BTreeMap;
use std::mem::take;

use fastrand::Rng;
use losscheck_options::Reduction;

use super::{Exact, InputSet, Key, NumberError, Row, Rows, SearchBudget, answer, predictions};
use crate::backend::Backend;
use crate::case::Case;
use crate::case::random::{Draw, fnv};
use crate::judge::oracle;
use crate::loss::{Inputs, LossExt, LossKind, Output, Outputs};
use crate::tensor::{DType, Tensor, power_of_two};

/// The random cases do not depend on the run.
const SEED: u64 = 2;

/// Each prediction costs a differentiation of the whole case.
const MOST_PREDICTIONS: usize = 32;

/// The magnitudes of f64, but for 0, whose products and quotients the oracle's exponents hold.
const F64_EXPONENTS: std::ops::RangeInclusive<i32> = -250..=250;

/// A row for each output of a loss on each backend; a backend that has means alone is given means of the small cases.
pub(super) fn search(loss: LossKind, dtype: DType, backends: &[&dyn Backend], budget: SearchBudget) -> Rows {
    let mut found: Vec<Found<'_>> = backends.iter().map(|&backend| Found::new(backend)).collect();
    let cases = || (0..budget.samples).filter_map(|number| drawn(loss, dtype, number));
    start(&mut found.iter_mut().collect::<Vec<_>>(), cases(), budget);
    let mut silent: Vec<_> = found.iter_mut().filter(|found| found.columns.is_empty()).collect();
    if !silent.is_empty() {
        start(&mut silent, cases().filter_map(|case| case.reduced(Reduction::Mean)), budget);
    }
    let mut rows = Rows::default();
    for mut found in found {
        found.climb_all(budget.steps);
        for (output, Column { row, .. }) in found.columns {
            let backend = found.backend.name().to_owned();
            rows.0.insert(Key { loss, inputs: InputSet::Searched, dtype, output, backend }, row);
        }
    }
    rows
}

fn start(found: &mut [&mut Found<'_>], cases: impl Iterator<Item = Case>, budget: SearchBudget) {
    for case in cases {
        let Some(exact) = exact(&case) else { continue };
        for found in &mut *found {
            found.start(&case, &exact, budget.restarts);
        }
    }
}

/// The exact results where the case can be measured: it is accepted, its numbers are finite, and no intermediate result
/// comes near the end of the range.
fn exact(case: &Case) -> Option<Exact> {
    let floats = || case.inputs.values().filter(|tensor| tensor.dtype().is_float());
    let in_range = |x: f64| x == 0.0 || exponents(case.dtype()).contains(&(x.abs().log2() as i32)) && x.is_finite();
    let exact = floats().flat_map(Tensor::to_f64).all(in_range).then(|| Exact::of(case).ok())??;
    let overflows = oracle::overflows(case, &Inputs::from(case)).ok()?;
    (!overflows).then_some(exact)
}

fn exponents(dtype: DType) -> std::ops::RangeInclusive<i32> {
    let format = dtype.format();
    if dtype == DType::F64 { F64_EXPONENTS } else { format.lowest_exponent()..=format.max_exponent() }
}

/// A random case without reduction, its predictions of ordinary size, spread over some decades, or over all exponents.
pub(super) fn drawn(loss: LossKind, dtype: DType, number: usize) -> Option<Case> {
    let mut case = Draw { seed: SEED, loss, dtype, number }.case().unreduced();
    if case.loss.argmax_candidates().is_some() {
        return None;
    }
    for tensor in case.inputs.values_mut().filter(|tensor| tensor.dtype().is_float()) {
        *tensor = tensor.map(|x| if x.is_finite() { x } else { 1f64.copysign(x) });
    }
    let count: usize = predictions(&case).map(|(_, tensor)| tensor.len()).sum();
    if count == 0 || count > MOST_PREDICTIONS || is_broadcast(&case) {
        return None;
    }
    let range = match number % 3 {
        0 => return Some(case),
        1 => -30..=10,
        _ => exponents(dtype),
    };
    let mut random = Rng::with_seed(number as u64);
    let mut spread = case.clone();
    for (name, prediction) in predictions(&case) {
        // Of the same sign: probabilities and variances stay in their domain, or nearly.
        let draw = |x: f64| (power_of_two(random.i32(range.clone())) * (1.0 + random.f64())).copysign(x);
        let elements: Vec<f64> = prediction.to_f64().into_iter().map(draw).collect();
        spread = spread.with_input(name, prediction.with_elements(elements.into_iter()).expect("as many as before"));
    }
    let is_accepted = spread.loss.evaluate::<f64>(&Inputs::from(&spread), Outputs::Value).is_ok();
    Some(if is_accepted { spread } else { case })
}

/// Whether the gradients of one input are summed over another's elements, which is a reduction.
fn is_broadcast(case: &Case) -> bool {
    let has_parameters =
        matches!(case.loss.kind(), LossKind::AdaptiveLogSoftmaxWithLoss | LossKind::LinearCrossEntropy);
    let mut shapes = case.differentiable().map(|name| case.inputs[name].shape());
    let first = shapes.next();
    !has_parameters && shapes.any(|shape| Some(shape) != first)
}

/// What is known of one backend.
struct Found<'a> {
    backend: &'a dyn Backend,
    columns: BTreeMap<Output, Column>,
}

#[derive(Default)]
struct Column {
    row: Row,
    /// For each measure the worst cases of all that were drawn, the worst first.
    starts: [Vec<(f64, Case)>; 2],
}

impl<'a> Found<'a> {
    fn new(backend: &'a dyn Backend) -> Self {
        Self { backend, columns: BTreeMap::new() }
    }

    fn measure(&self, case: &Case, exact: &Exact) -> Vec<NumberError> {
        answer(self.backend, case).map_or_else(Vec::new, |answer| exact.errors(&answer))
    }

    /// Counts the errors of a case, and keeps it if it is among the worst so many.
    fn start(&mut self, case: &Case, exact: &Exact, most: usize) {
        let errors = self.measure(case, exact);
        for error in &errors {
            let Column { row, .. } = self.columns.entry(error.output).or_default();
            row.count(error);
            row.consider(error, Some(case));
        }
        for (&output, column) in &mut self.columns {
            for (which, starts) in column.starts.iter_mut().enumerate() {
                let worst = worst(&errors, output, which);
                let at = starts.partition_point(|(ulps, _)| *ulps >= worst);
                if worst > 0.0 && at < most {
                    starts.insert(at, (worst, case.clone()));
                    starts.truncate(most);
                }
            }
        }
    }

    fn climb_all(&mut self, steps: usize) {
        let starts: Vec<_> =
            self.columns.iter_mut().map(|(&output, column)| (output, take(&mut column.starts))).collect();
        for (output, starts) in starts {
            for (which, starts) in starts.into_iter().enumerate() {
                for (number, (ulps, case)) in starts.into_iter().enumerate() {
                    let name = format!("{}/{}/{output}/{which}/{number}", self.backend.name(), case.id);
                    self.climb(case, ulps, (output, which), steps, Rng::with_seed(fnv(&name)));
                }
            }
        }
    }

    /// Changes one number at a time, and keeps the change where it does not make the error smaller.
    fn climb(&mut self, mut case: Case, mut ulps: f64, of: (Output, usize), steps: usize, mut random: Rng) {
        for _ in 0..steps {
            if ulps.is_infinite() {
                break;
            }
            let changed = changed(&case, &mut random);
            let Some(exact) = exact(&changed) else { continue };
            let errors = self.measure(&changed, &exact);
            for error in &errors {
                self.columns.entry(error.output).or_default().row.consider(error, Some(&changed));
            }
            let worst = worst(&errors, of.0, of.1);
            if worst >= ulps {
                (case, ulps) = (changed, worst);
            }
        }
    }
}

fn worst(errors: &[NumberError], output: Output, which: usize) -> f64 {
    let of_output = errors.iter().filter(|error| error.output == output);
    of_output.map(|error| [error.plain, error.scaled][which]).fold(0.0, f64::max)
}

/// The case with another number somewhere among its predictions.
fn changed(case: &Case, random: &mut Rng) -> Case {
    let inputs: Vec<_> = predictions(case).filter(|(_, tensor)| !tensor.is_empty()).collect();
    let (name, tensor) = inputs[random.usize(..inputs.len())];
    let mut elements = tensor.to_f64();
    let at = random.usize(..elements.len());
    let x = elements[at];
    elements[at] = match random.u8(..6) {
        // A few numbers further.
        0 => x * (1.0 + f64::from(random.i32(-16..=16)) * power_of_two(1 - tensor.dtype().format().precision)),
        1 => x * (1.0 + (random.f64() - 0.5) * power_of_two(-random.i32(0..20))),
        2 => x * power_of_two(random.i32(-4..=4)),
        // Ties and near ties, within the tensor and with another one.
        3 => elements[random.usize(..elements.len())],
        4 => {
            let others: Vec<_> = case.differentiable().filter(|&name| !case.inputs[name].is_empty()).collect();
            let others = case.inputs[others[random.usize(..others.len())]].to_f64();
            others[random.usize(..others.len())] * (1.0 + (random.f64() - 0.5) * power_of_two(-random.i32(0..20)))
        }
        _ => (power_of_two(random.i32(-30..=10)) * (1.0 + random.f64())).copysign(x),
    };
    case.with_input(name, tensor.with_elements(elements.into_iter()).expect("as many elements as before"))
}
