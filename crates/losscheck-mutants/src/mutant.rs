//! What a mutant is, and what mutants are made of.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Outcome};
use losscheck::case::{Answer, Case};
use losscheck::loss::LossKind;
use losscheck::tensor::Tensor;
use serde_json::Value;

/// Where a mistake comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is made of every loss that can have it.
    Systematic,
    /// A framework made it, as the page says.
    Known(&'static str),
}

/// A loss with one mistake.
pub struct Mutant {
    /// The loss that is wrong; the others are right.
    pub loss: LossKind,
    /// What is wrong.
    pub mistake: String,
    /// Where the mistake comes from.
    pub source: Source,
    evaluate: Box<dyn Fn(&Case) -> Outcome + Send + Sync>,
}

impl std::fmt::Debug for Mutant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.loss.name(), self.mistake)
    }
}

impl Backend for Mutant {
    fn name(&self) -> &str {
        "mutant"
    }

    fn version(&self) -> String {
        self.mistake.clone()
    }

    fn coverage(&self, _: LossKind) -> Coverage {
        Coverage::Native
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        if case.loss.kind() == self.loss { (self.evaluate)(case) } else { Reference.evaluate(case) }
    }
}

/// Which part of an answer a mistake is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    Value,
    Gradients,
}

impl Part {
    pub(crate) const EACH: [Self; 3] = [Self::All, Self::Value, Self::Gradients];

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Value => " in the value",
            Self::Gradients => " in the gradients",
        }
    }
}

impl Mutant {
    fn new(
        loss: LossKind,
        mistake: impl Into<String>,
        evaluate: impl Fn(&Case) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self { loss, mistake: mistake.into(), source: Source::Systematic, evaluate: Box::new(evaluate) }
    }

    /// The same, made by a framework.
    pub(crate) fn known(self, page: &'static str) -> Self {
        Self { source: Source::Known(page), ..self }
    }

    /// Answers, in that part, as if the case were another; `None` leaves it as it is.
    pub(crate) fn of_another_case(
        loss: LossKind,
        mistake: impl Into<String>,
        part: Part,
        rewrite: impl Fn(&Case) -> Option<Case> + Send + Sync + 'static,
    ) -> Self {
        Self::new(loss, mistake.into() + part.describe(), move |case| {
            let own = Reference.evaluate(case);
            let Some(other) = rewrite(case) else { return own };
            match (part, own, Reference.evaluate(&other)) {
                (Part::All, Outcome::Answer(_), other) => other,
                (Part::Value, Outcome::Answer(own), Outcome::Answer(other)) => {
                    Outcome::Answer(Answer { value: other.value, ..own })
                }
                (Part::Gradients, Outcome::Answer(mut own), Outcome::Answer(other)) => {
                    own.gradients.extend(other.gradients);
                    Outcome::Answer(own)
                }
                (_, own, _) => own,
            }
        })
    }

    /// Answers as the reference, and then changes the answer.
    pub(crate) fn of_answer(
        loss: LossKind,
        mistake: impl Into<String>,
        change: impl Fn(&Case, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        Self::new(loss, mistake, move |case| {
            let mut outcome = Reference.evaluate(case);
            if let Outcome::Answer(answer) = &mut outcome {
                change(case, answer);
            }
            outcome
        })
    }

    /// Answers as the reference; `decide` may give another outcome.
    pub(crate) fn of_outcome(
        loss: LossKind,
        mistake: impl Into<String>,
        decide: impl Fn(&Case, Outcome) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self::new(loss, mistake, move |case| decide(case, Reference.evaluate(case)))
    }
}

/// The case with another value of an option; `None` where it has that value, or there is no such option.
pub(crate) fn with_option(case: &Case, name: &str, value: Value) -> Option<Case> {
    let loss = case.loss.with_option(name, value).ok()?;
    (loss != case.loss).then(|| Case { loss, ..case.clone() })
}

/// The case with one of its tensors changed; `None` where it has no such.
pub(crate) fn with_input(case: &Case, name: &str, change: impl Fn(&Tensor) -> Tensor) -> Option<Case> {
    Some(case.with_input(name, change(case.input(name)?)))
}

/// Whether the case's reduction is that one.
pub(crate) fn is_reduced_by(case: &Case, reduction: &str) -> bool {
    case.loss.reduction() == Some(reduction)
}
