//! `torch.nn.functional.cross_entropy`.

use losscheck_options::CrossEntropyLoss;
use losscheck_reference::rowwise::{Classes, Probabilities, RowGradients, Rows, Rowwise, Targets};
use losscheck_reference::{Backward, DoubleDouble, Error, Real};
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use super::{classes, elements};
use crate::tensor::{DType, Tensors};

/// PyTorch documents ln p_c as the difference of a score and the logarithm of a sum. With the largest score taken out,
/// the sum is at least 1, so its own rounding counts as 1.
///
/// Differences of scores are exact. All else is worked out in f64, for how large terms are takes no more digits.
pub(super) struct CrossEntropyScale {
    pub(super) weight: Option<Vec<f64>>,
    pub(super) label_smoothing: f64,
    pub(super) smallest_normal: f64,
}

impl CrossEntropyScale {
    pub(super) fn weight(&self, class: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |weight| weight[class].abs())
    }

    pub(super) fn coefficients(&self, probability: impl Fn(usize) -> f64, classes: usize) -> Vec<f64> {
        let smoothing = self.label_smoothing.max(0.0);
        let (kept, spread) = (1.0 - smoothing, smoothing / classes as f64);
        (0..classes).map(|c| (probability(c).abs() * kept + spread) * self.weight(c)).collect()
    }

    /// The terms of -ln p, and p.
    pub(super) fn surprise(scores: &[DoubleDouble]) -> Vec<(f64, f64)> {
        let max = scores.iter().copied().reduce(Real::maximum).unwrap_or(DoubleDouble::ZERO);
        let below: Vec<f64> = scores.iter().map(|&x| (max - x).to_f64()).collect();
        let mut exps = below.clone();
        f64::vectorize(|| exps.iter_mut().for_each(|x| *x = Real::exp(-*x)));
        let sum: f64 = exps.iter().sum();
        let logarithm = Real::ln(sum) + 1.0;
        below.into_iter().zip(exps).map(|(below, e)| (below + logarithm, e / sum)).collect()
    }

    pub(super) fn slopes(
        &self,
        cotangent: f64,
        surprise: &[(f64, f64)],
        coefficients: &[f64],
    ) -> impl Iterator<Item = f64> {
        let least = self.smallest_normal;
        let total: f64 = coefficients.iter().sum();
        coefficients.iter().zip(surprise).map(move |(&own, &(terms, p))| {
            // A rounding inside the exponential is a relative error of p.
            let rounded = if total == 0.0 { total } else { Real::maximum(p, least) * terms * total };
            cotangent * (rounded + own)
        })
    }

    pub(super) fn sum(surprise: &[(f64, f64)], coefficients: &[f64]) -> f64 {
        coefficients.iter().zip(surprise).map(|(&own, &(terms, _))| own * terms).sum()
    }
}

impl Rowwise<DoubleDouble, usize> for CrossEntropyScale {
    fn value(&self, scores: &[DoubleDouble], class: usize) -> DoubleDouble {
        let gradients = RowGradients {
            scores: &mut vec![DoubleDouble::ZERO; scores.len()],
            target: None,
            workspace: &mut Vec::new(),
        };
        self.value_and_pullback(DoubleDouble::ONE, scores, class, gradients)
    }

    fn value_and_pullback(
        &self,
        cotangent: DoubleDouble,
        scores: &[DoubleDouble],
        class: usize,
        gradients: RowGradients<'_, DoubleDouble>,
    ) -> DoubleDouble {
        let surprise = Self::surprise(scores);
        let coefficients = self.coefficients(|c| if c == class { 1.0 } else { 0.0 }, scores.len());
        let slopes = self.slopes(cotangent.to_f64(), &surprise, &coefficients);
        gradients.scores.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient = DoubleDouble::from_f64(slope));
        DoubleDouble::from_f64(if self.label_smoothing > 0.0 {
            Self::sum(&surprise, &coefficients)
        } else {
            // Only the target's own term, so that infinities elsewhere do not make it NaN.
            self.weight(class) * surprise[class].0
        })
    }
}

impl Rowwise<DoubleDouble, &[DoubleDouble]> for CrossEntropyScale {
    fn value(&self, scores: &[DoubleDouble], target: &[DoubleDouble]) -> DoubleDouble {
        let gradients = RowGradients {
            scores: &mut vec![DoubleDouble::ZERO; scores.len()],
            target: None,
            workspace: &mut Vec::new(),
        };
        self.value_and_pullback(DoubleDouble::ONE, scores, target, gradients)
    }

    fn value_and_pullback(
        &self,
        cotangent: DoubleDouble,
        scores: &[DoubleDouble],
        target: &[DoubleDouble],
        gradients: RowGradients<'_, DoubleDouble>,
    ) -> DoubleDouble {
        let (cotangent, surprise) = (cotangent.to_f64(), Self::surprise(scores));
        if let Some(gradient) = gradients.target {
            for (c, (gradient, &(terms, _))) in gradient.iter_mut().zip(&surprise).enumerate() {
                *gradient = DoubleDouble::from_f64(cotangent * self.weight(c) * terms);
            }
        }
        let coefficients = self.coefficients(|c| target[c].to_f64(), scores.len());
        let slopes = self.slopes(cotangent, &surprise, &coefficients);
        gradients.scores.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient = DoubleDouble::from_f64(slope));
        DoubleDouble::from_f64(Self::sum(&surprise, &coefficients))
    }
}

fn sum_of_terms<T: Targets<DoubleDouble>, const K: usize>(
    options: &CrossEntropyLoss,
    inputs: &Inputs<DoubleDouble>,
    targets: T,
    names: [&'static str; K],
) -> Result<ValueAndGradients<DoubleDouble>, Error>
where
    CrossEntropyScale: for<'r> Rowwise<DoubleDouble, T::Row<'r>>,
{
    let scores = inputs.required("input")?;
    let weight = inputs.float("weight").map(|weight| weight.iter().map(|weight| weight.to_f64()).collect());
    let rows = Rows { scores, targets, weight: inputs.float("weight"), reduction: classes::summed(options.reduction) };
    let shapes = rows.shapes::<K>()?;
    let mut value = ArrayD::from_elem(IxDyn(&shapes.value), DoubleDouble::ZERO);
    let mut gradients = shapes.gradients.map(|shape| ArrayD::from_elem(IxDyn(&shape), DoubleDouble::ZERO));
    let cotangent = inputs.cotangent().map(|cotangent| cotangent.mapv(Real::abs));
    let backward = Backward {
        cotangent: cotangent.as_ref().map(|cotangent| cotangent.view()),
        gradients: gradients.each_mut().map(|gradient| Some(gradient.view_mut())),
    };
    let terms = CrossEntropyScale {
        weight,
        label_smoothing: options.label_smoothing,
        smallest_normal: inputs.smallest_normal(),
    };
    rows.evaluate_into(&terms, value.view_mut(), Some(backward))?;
    Ok(ValueAndGradients { value, gradients: names.into_iter().zip(gradients).collect() })
}

impl LossSpec for CrossEntropyLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let input = inputs.required("input")?;
        match inputs.float("target") {
            Some(target) => {
                let weight = inputs.optional("weight")?;
                ValueAndGradients::of(self, (input, target, weight), inputs, elements::INPUT_AND_TARGET, request)
            }
            None => {
                // PyTorch takes integer weights beside probabilities alone.
                let tensors = (input, classes::indices(inputs)?, inputs.optional_floats("weight")?);
                ValueAndGradients::of(self, tensors, inputs, ["input"], request)
            }
        }
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        match inputs.float("target") {
            Some(target) => {
                let evaluation = sum_of_terms::<Probabilities<'_, DoubleDouble>, 2>(
                    self,
                    inputs,
                    Probabilities(target.clone()),
                    elements::INPUT_AND_TARGET,
                )?;
                Ok(classes::divided(evaluation, self.reduction, classes::Denominator::rows(inputs)))
            }
            None => {
                let targets = Classes { indices: classes::indices(inputs)?, ignore_index: self.ignore_index };
                let evaluation = sum_of_terms::<Classes<'_>, 1>(self, inputs, targets, ["input"])?;
                Ok(classes::divided(evaluation, self.reduction, classes::denominator(inputs, self.ignore_index)))
            }
        }
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let score = prop_oneof![6 => generate::any_float(dtype), 1 => -200.0..200.0].boxed();
        let smoothing =
            || prop_oneof![3 => Just(0.0), 2 => 0.0..1.0, 1 => proptest::sample::select(vec![1.0, 1.5, -0.1])];
        let indices = (classes::inputs(dtype, score.clone()), smoothing(), generate::reduction()).prop_map(
            |((inputs, ignore_index), label_smoothing, reduction)| {
                (Self { ignore_index, label_smoothing, reduction }, inputs)
            },
        );
        let probabilities = classes::shapes()
            .prop_flat_map(move |(shape, classes)| {
                let weight = generate::optional(generate::tensor(dtype, vec![classes], generate::weight()));
                let target = generate::tensor(dtype, shape.clone(), generate::probability());
                (generate::tensor(dtype, shape, score.clone()), target, weight)
            })
            .prop_map(|(input, target, weight)| {
                generate::tensors([("input", Some(input)), ("target", Some(target)), ("weight", weight)])
            });
        let probabilities =
            (probabilities, smoothing(), generate::reduction()).prop_map(|(inputs, label_smoothing, reduction)| {
                (Self { ignore_index: -100, label_smoothing, reduction }, inputs)
            });
        prop_oneof![indices, probabilities].boxed()
    }
}
