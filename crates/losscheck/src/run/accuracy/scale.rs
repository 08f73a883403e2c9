//! The scale that a result has by its nature: |f| + sum |x df/dx| over the predictions x.
//!
//! A relative change of a prediction by one rounding changes the result by no more than one rounding of its scale; so
//! does an algorithm that is as good as its inputs are. The derivatives come from dual numbers, at any input.

use fastrand::Rng;
use losscheck_reference::{DoubleDouble, Dual, Error, Real};
use ndarray::ArrayD;

use super::{Exact, predictions};
use crate::case::Case;
use crate::loss::{Inputs, LossExt, Outputs, ValueAndGradients};
use crate::tensor::TensorExt;

/// By how many roundings the predictions are changed to find jumps.
const ROUNDINGS: f64 = 4.0;
/// In how many ways; each finds a jump one time in two at least.
const NEIGHBOURS: usize = 6;

impl Exact {
    /// The exact results of a case, each with its scale.
    ///
    /// # Errors
    ///
    /// Where the loss has no value for the case's inputs and options.
    pub fn of(case: &Case) -> Result<Self, Error> {
        let mut exact = Self::without_derivatives(case)?;
        let inputs = Inputs::<Dual<DoubleDouble>>::from(case);
        for (name, prediction) in predictions(case) {
            for at in 0..prediction.len() {
                exact.add_derivatives(case, varied(&inputs, name, |other| other == at))?;
            }
        }
        exact.leave_out_jumps(case)?;
        Ok(exact)
    }

    /// The same, faster, where each number of a result depends on one element of each prediction.
    ///
    /// # Errors
    ///
    /// Where the loss has no value for the case's inputs and options.
    pub fn of_elements(case: &Case) -> Result<Self, Error> {
        let mut exact = Self::without_derivatives(case)?;
        let inputs = Inputs::<Dual<DoubleDouble>>::from(case);
        for (name, _) in predictions(case) {
            exact.add_derivatives(case, varied(&inputs, name, |_| true))?;
        }
        Ok(exact)
    }

    /// The exact value of a reduced loss alone; its derivatives are its gradients.
    ///
    /// # Errors
    ///
    /// Where the loss has no value for the case's inputs and options.
    pub fn of_value(case: &Case) -> Result<Self, Error> {
        let ValueAndGradients { value, gradients } =
            case.loss.evaluate(&Inputs::<DoubleDouble>::from(case), Outputs::Gradients)?;
        let mut scale = value.mapv(Real::abs);
        let of_predictions = gradients.iter().filter(|(name, _)| *name != "target");
        let terms = of_predictions.flat_map(|(name, gradient)| {
            let prediction: ArrayD<DoubleDouble> = case.inputs[*name].to_array();
            prediction.iter().zip(gradient).map(|(&x, &slope)| x * slope).collect::<Vec<_>>()
        });
        let terms = terms.fold(DoubleDouble::ZERO, add);
        scale.mapv_inplace(|value| value + terms);
        let jumps = ValueAndGradients { value: value.mapv(|_| false), gradients: Vec::new() };
        let [results, scales] = [value, scale].map(|value| ValueAndGradients { value, gradients: Vec::new() });
        Ok(Self { results, scales, jumps })
    }

    fn without_derivatives(case: &Case) -> Result<Self, Error> {
        let results = case.loss.evaluate(&Inputs::<DoubleDouble>::from(case), Outputs::Gradients)?;
        let scales = results.map(|array| array.mapv(Real::abs));
        let jumps = results.map(|array| array.mapv(|_| false));
        Ok(Self { results, scales, jumps })
    }

    /// Finds the results that jump where the predictions change by a few roundings: beside the kink of a hinge the
    /// gradient is one number or another, and no algorithm can know which.
    fn leave_out_jumps(&mut self, case: &Case) -> Result<(), Error> {
        let inputs = Inputs::<DoubleDouble>::from(case);
        let step = ROUNDINGS * inputs.epsilon();
        let mut random = Rng::with_seed(0);
        for _ in 0..NEIGHBOURS {
            let mut near = inputs.clone();
            for (name, _) in predictions(case) {
                for x in near.float_mut(name).into_iter().flatten() {
                    *x = *x * DoubleDouble::from_f64(if random.bool() { 1.0 + step } else { 1.0 - step });
                }
            }
            let near = case.loss.evaluate(&near, Outputs::Gradients)?;
            let results = self.results.outputs().zip(self.scales.outputs()).zip(near.outputs());
            for (((exact, scales), near), jumps) in results.zip(self.jumps.arrays_mut()) {
                for (((exact, scale), near), jumps) in exact.1.iter().zip(scales.1).zip(near.1).zip(jumps) {
                    let change = (*near - *exact).abs();
                    *jumps |= change > *scale * DoubleDouble::from_f64(4.0 * step);
                }
            }
        }
        Ok(())
    }

    fn add_derivatives(&mut self, case: &Case, inputs: Inputs<Dual<DoubleDouble>>) -> Result<(), Error> {
        let ValueAndGradients { value, gradients } = case.loss.evaluate(&inputs, Outputs::Gradients)?;
        let add_all = |scales: &mut ArrayD<DoubleDouble>, duals: &ArrayD<Dual<DoubleDouble>>| {
            for (scale, dual) in scales.iter_mut().zip(duals) {
                *scale = add(*scale, dual.derivative);
            }
        };
        add_all(&mut self.scales.value, &value);
        for ((_, scales), (_, duals)) in self.scales.gradients.iter_mut().zip(&gradients) {
            add_all(scales, duals);
        }
        Ok(())
    }
}

/// The inputs with the derivative by the logarithm of the chosen elements.
fn varied(
    inputs: &Inputs<Dual<DoubleDouble>>,
    name: &str,
    is_chosen: impl Fn(usize) -> bool,
) -> Inputs<Dual<DoubleDouble>> {
    let mut inputs = inputs.clone();
    let elements = inputs.float_mut(name).into_iter().flatten().enumerate();
    for (_, x) in elements.filter(|(at, _)| is_chosen(*at)) {
        x.derivative = x.value;
    }
    inputs
}

/// The sum with one more term; a derivative that does not exist excuses nothing.
fn add(sum: DoubleDouble, term: DoubleDouble) -> DoubleDouble {
    if term.is_nan() { sum } else { sum + term.abs() }
}
