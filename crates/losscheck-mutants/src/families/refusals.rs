//! Bad input that is accepted, and good input that is refused.

use losscheck::backend::Outcome;
use losscheck::case::{Answer, Case};
use losscheck::loss::{Inputs, LossExt, LossKind, Outputs};
use losscheck::tensor::Tensors;
use losscheck_reference::Error;

use crate::Mutant;

/// What a loss checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Shape,
    Index,
    Integer,
    Domain,
    Option,
}

impl Check {
    const ALL: [Self; 5] = [Self::Shape, Self::Index, Self::Integer, Self::Domain, Self::Option];

    fn describe(self) -> &'static str {
        match self {
            Self::Shape => "a wrong shape is accepted",
            Self::Index => "an index beyond the classes is accepted",
            Self::Integer => "an integer out of range is accepted",
            Self::Domain => "a number outside its domain is accepted",
            Self::Option => "an option out of range is accepted",
        }
    }

    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Shape { .. } => Some(Self::Shape),
            Error::Index { .. } => Some(Self::Index),
            Error::Integer { .. } => Some(Self::Integer),
            Error::Domain { .. } => Some(Self::Domain),
            Error::Option { .. } => Some(Self::Option),
            _ => None,
        }
    }

    /// Whether the loss has anything to check so.
    fn applies_to(self, loss: LossKind) -> bool {
        use LossKind as Kind;
        match self {
            Self::Shape => true,
            Self::Index => {
                let signature = loss.signature();
                signature.integers.contains(&"target") && !signature.numbers.contains(&"target")
            }
            Self::Integer => loss == Kind::CtcLoss,
            Self::Domain => matches!(loss, Kind::BinaryCrossEntropy | Kind::GaussianNllLoss),
            Self::Option => matches!(
                loss,
                Kind::CrossEntropy
                    | Kind::CtcLoss
                    | Kind::HuberLoss
                    | Kind::LinearCrossEntropy
                    | Kind::MultiMarginLoss
                    | Kind::SmoothL1Loss
                    | Kind::TripletMarginLoss
                    | Kind::TripletMarginWithDistanceLoss
            ),
        }
    }
}

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    let accepts = |check: Check| {
        Mutant::of_outcome(loss, check.describe(), move |case, own| {
            match case.loss.evaluate(&Inputs::<f64>::from(case), Outputs::Value) {
                Err(error) if Check::of(&error) == Some(check) => Outcome::Answer(zeros(case)),
                _ => own,
            }
        })
    };
    let checks = Check::ALL.into_iter().filter(|check| check.applies_to(loss));
    let mut mutants: Vec<Mutant> = checks.map(accepts).collect();
    mutants.push(Mutant::of_outcome(loss, "an empty tensor is refused", |case, own| {
        let is_empty = case.inputs.values().any(|tensor| tensor.is_empty());
        if is_empty { Outcome::Rejection("a tensor is empty".to_owned()) } else { own }
    }));
    mutants
}

/// An answer of zeros.
fn zeros(case: &Case) -> Answer {
    let zeros = |name: &str| case.inputs[name].map(|_| 0.0);
    let gradients: Tensors = case.differentiable().map(|name| (name.to_owned(), zeros(name))).collect();
    Answer { value: zeros(case.loss.kind().signature().first()), gradients }
}
