//! Metamorphic relations: what must hold between the answers to two cases, for any formula.

mod relations;
mod run;

use std::collections::BTreeMap;

use losscheck_reference::{DoubleDouble, Real};
use ndarray::ArrayD;

pub use relations::RELATIONS;
pub use run::{Broken, Related, broken, run};

use crate::backend::call::evaluate;
use crate::backend::{Backend, Outcome};
use crate::case::{Answer, Case};
use crate::deviations::{Explained, Known, Policy};
use crate::judge::oracle::{self, ExactAnswer};
use crate::judge::verdict::{Difference, DifferenceKind, Verdict};
use crate::judge::{judge, judge_by_expected};
use crate::loss::ValueAndGradients;
use crate::tensor::TensorExt;

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
pub(crate) struct Numbers {
    value: ArrayD<f64>,
    gradients: BTreeMap<String, ArrayD<f64>>,
}

impl Numbers {
    pub(crate) fn of(answer: &Answer) -> Self {
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

/// What a relation says about a case, for any backend.
pub struct Claim {
    /// The relation.
    pub relation: &'static Relation,
    pair: Pair,
    /// The exact answer to the first case: how large its terms are says how far the answers may be apart.
    exact: ExactAnswer,
}

/// Returns what the relations say about a case: nothing if it has no value, or if intermediate results may overflow.
pub fn claims(case: &Case) -> impl Iterator<Item = Claim> + use<> {
    let plain = Case { expected: None, ..case.clone() };
    RELATIONS.iter().filter_map(move |relation| relation.claim(&plain))
}

impl Relation {
    /// Returns the pair that the relation makes of a case, with an id for each of the two.
    fn pair(&self, from: &Case) -> Option<Pair> {
        let mut pair = (self.relate)(from)?;
        let relation = self.name.replace(' ', "_");
        let of_loss = from.id.split_once('/').map_or(from.id.as_str(), |(_, rest)| rest);
        pair.other.id = format!("{}/{of_loss}/{relation}/other", pair.other.loss.kind().name());
        pair.case.id = format!("{}/{relation}", from.id);
        Some(pair)
    }

    fn claim(&'static self, from: &Case) -> Option<Claim> {
        let pair = self.pair(from)?;
        let (exact, of_other) = (oracle::evaluate(&pair.case).ok()?, oracle::evaluate(&pair.other).ok()?);
        let may_overflow = exact.overflows() || of_other.overflows();
        (!may_overflow).then_some(Claim { relation: self, pair, exact })
    }
}

impl std::fmt::Debug for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Claim {
    /// Returns the id of the first of its two cases, which names the relation, too.
    pub fn id(&self) -> &str {
        &self.pair.case.id
    }

    /// Returns the differences of a verdict on the claim, with the deviation that covers them: one that covers the answer to
    /// one of the two cases by itself.
    pub fn explain(&self, backend: &dyn Backend, policy: &Policy, verdict: &Verdict) -> Vec<Explained> {
        let known = match verdict.differences() {
            [] => None,
            _ => explanation(backend, policy, [&self.pair.case, &self.pair.other]),
        };
        let explained = |difference: &Difference| Explained { difference: difference.clone(), known: known.clone() };
        verdict.differences().iter().map(explained).collect()
    }

    /// Judges whether the answers of a backend to the two cases agree, within what two careful implementations may be apart.
    pub fn judge(&self, backend: &dyn Backend) -> Verdict {
        let Pair { case, other, carry } = &self.pair;
        let outcome = evaluate(backend, case);
        let answer = match (evaluate(backend, other), &outcome) {
            (Outcome::Answer(answer) | Outcome::ChangedInputs(answer), _) => answer,
            (Outcome::Rejection(why), Outcome::Answer(_) | Outcome::ChangedInputs(_)) => {
                let message = format!("the other case is rejected: {why}");
                return Verdict::whole(DifferenceKind::WronglyRejected, message);
            }
            _ => return Verdict::NotProvided("the other case has no answer".to_owned()),
        };
        let expected = carried(&self.exact, carry(&answer));
        let verdict = judge_by_expected(case, ("from the other", expected), &outcome);
        verdict.without_missing_gradients(backend, case.loss.kind())
    }
}

/// Returns the deviation that covers the answer to one of the two cases, unless the answers agree with the oracle, or one of
/// them differs in a way that is not known.
fn explanation(backend: &dyn Backend, policy: &Policy, cases: [&Case; 2]) -> Option<Known> {
    let mut known = None;
    for case in cases {
        let exact = oracle::evaluate_with(case, backend.pytorch().slope_at_kink());
        let verdict = judge(case, &exact, &evaluate(backend, case));
        let verdict = verdict.without_missing_gradients(backend, case.loss.kind());
        for explained in policy.explain(case, &verdict) {
            known = Some(explained.known?);
        }
    }
    known
}

/// Returns what is carried over in place of the exact results. Both answers may be off by the tolerance and may jump, so the
/// error scale and the jumps count twice.
pub(crate) fn carried(own: &ExactAnswer, Numbers { value, gradients }: Numbers) -> ExactAnswer {
    // The value, and the gradients that the relation speaks of.
    let of_relation = |all: &ValueAndGradients<DoubleDouble>| {
        let named = all.gradients.iter().filter(|(name, _)| gradients.contains_key(*name));
        ValueAndGradients { value: all.value.clone(), gradients: named.cloned().collect() }
    };
    let twice = |array: &ArrayD<DoubleDouble>| array.mapv(|x| x + x);
    let exact = |array: &ArrayD<f64>| array.mapv(DoubleDouble::from_f64);

    let own_results = of_relation(&own.results);
    let mut error_scale = of_relation(own.error_scale());
    for (scale, (_, results)) in error_scale.arrays_mut().zip(own_results.outputs()) {
        scale.zip_mut_with(results, |scale, result| *scale = scale.maximum(result.abs()));
    }
    let names = own_results.gradients.iter().map(|(name, _)| *name);
    let carried = names.map(|name| (name, exact(&gradients[name]))).collect();
    let results = ValueAndGradients { value: exact(&value), gradients: carried };
    let expected = ExactAnswer::in_range(results, error_scale.map(twice));
    match own.jumps() {
        Some(jumps) => expected.jumping_by(of_relation(jumps).map(twice)),
        None => expected,
    }
}
