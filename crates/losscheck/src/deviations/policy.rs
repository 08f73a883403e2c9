//! The one place that decides whether a difference is known.

use std::sync::Arc;

use super::{Deviation, Deviations, PYTORCH};
use crate::case::Case;
use crate::judge::verdict::DifferenceKind;

/// The cases to which deviations are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The shipped goldens. A deviation covers the cases that it lists, and has to be true of all of them.
    Goldens,
    /// Any other cases. A deviation covers the cases that meet its condition, and those of PyTorch cover every backend: what
    /// goes wrong as it does in PyTorch is PyTorch's defect.
    Others,
}

/// The deviations that apply to a backend, or to PyTorch's stored answers.
#[derive(Debug)]
pub struct Policy {
    /// The name of the backend.
    pub name: String,
    /// The cases to which the deviations are applied.
    pub scope: Scope,
    /// The deviations of the backend itself.
    pub own: Deviations,
    pytorch: Deviations,
}

/// A deviation that covers a difference.
#[derive(Clone, Debug)]
pub struct Known {
    /// Whose deviation it is: the name of the backend, or [`PYTORCH`].
    pub of: String,
    /// The deviation.
    pub deviation: Arc<Deviation>,
}

impl Known {
    /// Returns whether this and another deviation of the same policy are one.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.deviation, &other.deviation)
    }
}

impl Policy {
    /// Puts together the deviations of a backend and those of PyTorch.
    pub fn new(name: impl Into<String>, scope: Scope, own: Deviations, pytorch: Deviations) -> Self {
        Self { name: name.into(), scope, own, pytorch }
    }

    /// Returns the deviation that covers a difference of this kind on a case.
    pub fn known(&self, case: &Case, kind: DifferenceKind) -> Option<Known> {
        let found = match self.scope {
            Scope::Goldens => self.own.that_lists(case, kind).map(|deviation| (&*self.name, deviation)),
            Scope::Others => {
                let own = self.own.that_holds(case, kind).map(|deviation| (&*self.name, deviation));
                own.or_else(|| self.pytorch.that_holds(case, kind).map(|deviation| (PYTORCH, deviation)))
            }
        };
        found.map(|(of, deviation)| Known { of: of.to_owned(), deviation: Arc::clone(deviation) })
    }
}
