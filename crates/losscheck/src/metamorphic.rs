//! Metamorphic relations: what must hold between the answers to two cases, whatever the formula is.

mod relations;
mod run;

use std::collections::BTreeMap;

use losscheck_reference::{Real, Wide};
use ndarray::ArrayD;

pub use relations::RELATIONS;
pub use run::{Broken, Column, Report, run};

use crate::backend::{Backend, Outcome};
use crate::case::{Answer, Case};
use crate::definition::Evaluation;
use crate::oracle::{Truth, truth};
use crate::runner::evaluate;
use crate::verdict::{Difference, Kind, Verdict, judge_by_expected};

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
    carry: Box<dyn Fn(&Answer) -> Numbers + Send + Sync>,
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

/// What a relation says of a case, for any backend.
pub struct Claim {
    /// The name of the relation.
    pub relation: &'static str,
    pair: Pair,
    /// Of the first case: how large its terms are, which says how far the answers may be apart.
    truth: Truth,
}

/// What a backend makes of a claim.
#[derive(Clone, Debug)]
pub enum Holds {
    /// The answers agree, within what two careful implementations may be apart.
    Yes,
    /// They do not.
    No(Box<Breach>),
    /// The backend has no answer.
    Unknown,
}

/// Two answers that do not agree.
#[derive(Clone, Debug)]
pub struct Breach {
    /// The cases.
    pub pair: [Case; 2],
    /// How the answer to the first differs from what follows from the other's; at least one.
    pub differences: Vec<Difference>,
}

/// What the relations say of a case: nothing where it has no value, or where intermediate results may overflow.
pub fn claims(case: &Case) -> impl Iterator<Item = Claim> {
    let plain = Case { expected: None, ..case.clone() };
    RELATIONS.iter().filter_map(move |relation| relation.claim(&plain))
}

impl Relation {
    fn claim(&self, from: &Case) -> Option<Claim> {
        let mut pair = (self.relate)(from)?;
        let (own, of_other) = (truth(&pair.case).ok()?, truth(&pair.other).ok()?);
        if own.overflows() || of_other.overflows() {
            return None;
        }
        (pair.case.id, pair.other.id) = self.ids(from, &pair.other);
        Some(Claim { relation: self.name, pair, truth: own })
    }

    /// Ids for the two cases that it makes of one.
    fn ids(&self, from: &Case, other: &Case) -> (String, String) {
        let relation = self.name.replace(' ', "_");
        let of_loss = from.id.split_once('/').map_or(from.id.as_str(), |(_, rest)| rest);
        (format!("{}/{relation}", from.id), format!("{}/{of_loss}/{relation}/other", other.loss.kind().name()))
    }
}

impl Claim {
    /// The id of the first of its two cases, which names the relation, too.
    pub fn id(&self) -> &str {
        &self.pair.case.id
    }

    /// Whether it holds for a backend.
    pub fn holds(&self, backend: &dyn Backend) -> Holds {
        let Pair { case, other, carry } = &self.pair;
        let breach = |differences| Holds::No(Box::new(Breach { pair: [case.clone(), other.clone()], differences }));
        let outcome = evaluate(backend, case);
        let answer = match (evaluate(backend, other), &outcome) {
            (Ok(Outcome::Answer(answer)), _) => answer,
            (Ok(Outcome::Rejection(why)), Ok(Outcome::Answer(_))) => {
                let message = format!("the other case is rejected: {why}");
                return breach(vec![Difference { kind: Kind::Rejected, output: None, ulps: f64::INFINITY, message }]);
            }
            _ => return Holds::Unknown,
        };
        let expected = expected(&self.truth, carry(&answer));
        match judge_by_expected(case, ("from the other", expected), &outcome) {
            Verdict::Agrees => Holds::Yes,
            Verdict::NotProvided(_) => Holds::Unknown,
            Verdict::Differs(differences) => breach(differences),
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
        value: twice(&own.magnitudes().value, &own.exact.value),
        gradients: named(own.magnitudes())
            .into_iter()
            .zip(&exact_gradients)
            .map(|((name, magnitudes), (_, exact))| (name, twice(&magnitudes, exact)))
            .collect(),
    };
    let gradients = exact_gradients.iter().map(|(name, _)| (*name, wide(&gradients[*name]))).collect();
    Truth::in_range(Evaluation { value: wide(&value), gradients }, magnitudes)
}
