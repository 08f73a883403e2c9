//! Metamorphic relations: what must hold between the answers to two cases, whatever the formula is.

mod relations;

use std::collections::BTreeMap;

use losscheck_reference::{Real, Wide};
use ndarray::ArrayD;

pub use relations::RELATIONS;

use crate::backend::{Backend, Outcome};
use crate::case::{Answer, Case};
use crate::definition::Evaluation;
use crate::oracle::{Truth, truth};
use crate::runner::evaluate;
use crate::verdict::{Verdict, judge};

/// A relation between two cases.
pub struct Relation {
    /// A short name.
    pub name: &'static str,
    /// The pair that it makes of a case, where it says something about that.
    relate: fn(&Case) -> Option<Pair>,
}

/// Two cases, and how the answer to one follows from that to the other.
struct Pair {
    case: Case,
    other: Case,
    carry: Box<dyn Fn(&Answer) -> Numbers>,
}

/// The numbers of an answer; of the gradients those that the relation speaks of.
struct Numbers {
    value: ArrayD<f64>,
    gradients: BTreeMap<String, ArrayD<f64>>,
}

impl Numbers {
    fn of(answer: &Answer) -> Self {
        let gradients = answer.gradients.iter().map(|(name, gradient)| (name.clone(), gradient.to_array()));
        Self { value: answer.value.to_array(), gradients: gradients.collect() }
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        let gradients = self.gradients.into_iter().map(|(name, gradient)| (name, gradient.mapv(&change)));
        Self { gradients: gradients.collect(), value: self.value.mapv(&change) }
    }

    fn without_gradients(self) -> Self {
        Self { gradients: BTreeMap::new(), ..self }
    }
}

/// What a backend makes of a relation.
#[derive(Clone, Debug)]
pub enum Holds {
    /// The answers agree, within what two careful implementations may be apart.
    Yes,
    /// They do not: both cases, and in words how.
    No(Box<[Case; 2]>, String),
    /// The relation says nothing about the case, or the backend has no answer.
    Unknown,
}

impl Relation {
    /// Whether it holds for a backend, from a case on.
    pub fn holds(&self, backend: &dyn Backend, case: &Case) -> Holds {
        let plain = Case { expected: None, ..case.clone() };
        let Some(Pair { case, other, carry }) = (self.relate)(&plain) else { return Holds::Unknown };
        let (Ok(own), Ok(of_other)) = (truth(&case), truth(&other)) else { return Holds::Unknown };
        if own.overflows || of_other.overflows {
            return Holds::Unknown;
        }
        let (outcome, other_outcome) = (evaluate(backend, &case), evaluate(backend, &other));
        let Ok(Outcome::Answer(answer)) = &other_outcome else {
            return match (&outcome, &other_outcome) {
                (Ok(Outcome::Answer(_)), Ok(Outcome::Rejection(why))) => {
                    Holds::No(Box::new([case, other]), format!("the other case is rejected: {why}"))
                }
                _ => Holds::Unknown,
            };
        };
        let expected = expected(&own, carry(answer));
        match judge(&case, &Ok(expected), &outcome) {
            Verdict::Agrees(_) => Holds::Yes,
            Verdict::NotProvided(_) => Holds::Unknown,
            Verdict::Differs(differences) => {
                let message = differences.first().map_or_else(String::new, |difference| difference.message.clone());
                Holds::No(Box::new([case, other]), message)
            }
        }
    }
}

/// What is carried over in place of the exact result. Both answers may be off by the budget, hence twice the magnitudes.
fn expected(own: &Truth, Numbers { value, gradients }: Numbers) -> Truth {
    let wide = |numbers: &ArrayD<f64>| numbers.mapv(Wide::from_f64);
    let twice = |magnitudes: &ArrayD<Wide>, exact: &ArrayD<Wide>| {
        let mut larger = magnitudes.clone();
        larger.zip_mut_with(exact, |m, x| *m = m.maximum(x.abs()) + m.maximum(x.abs()));
        larger
    };
    let named = |evaluation: &Evaluation<Wide>| -> Vec<(&'static str, ArrayD<Wide>)> {
        evaluation.gradients.iter().filter(|(name, _)| gradients.contains_key(*name)).cloned().collect()
    };
    let exact_gradients = named(&own.exact);
    let magnitudes = Evaluation {
        value: twice(&own.magnitudes.value, &own.exact.value),
        gradients: named(&own.magnitudes)
            .into_iter()
            .zip(&exact_gradients)
            .map(|((name, magnitudes), (_, exact))| (name, twice(&magnitudes, exact)))
            .collect(),
    };
    let gradients = exact_gradients.iter().map(|(name, _)| (*name, wide(&gradients[*name]))).collect();
    Truth { exact: Evaluation { value: wide(&value), gradients }, magnitudes, overflows: false, contenders: None }
}
