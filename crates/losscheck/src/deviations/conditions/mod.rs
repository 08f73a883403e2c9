//! Properties of a case that deviations name, for cases that are not goldens and so have no flags.

mod classes;
mod ctc;
mod elements;
mod gaussian;
mod general;
mod integers;
mod poisson;
pub(super) mod properties;
pub(super) mod vectors;

use crate::case::parts::Part;

/// A property of a case, or of its parts.
#[derive(Debug)]
pub struct Condition {
    /// The name in deviation files.
    pub name: &'static str,
    /// What the condition speaks of.
    pub about: About,
    /// What the case or the part is like if the condition holds.
    pub describes: &'static str,
    holds: fn(&Part) -> bool,
}

/// What a [`Condition`] speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Each part of the case: an element, a row or a sample.
    Part,
    /// The case as a whole: its reduction, or how its tensors broadcast.
    Case,
}

impl Condition {
    /// Returns every condition.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let groups = [
            general::CONDITIONS,
            integers::CONDITIONS,
            elements::CONDITIONS,
            poisson::CONDITIONS,
            gaussian::CONDITIONS,
            classes::CONDITIONS,
            vectors::CONDITIONS,
            ctc::CONDITIONS,
        ];
        groups.into_iter().flatten()
    }

    /// Returns the condition of a name.
    ///
    /// # Errors
    ///
    /// Returns an error that lists the names if there is no such condition.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        Self::all().find(|condition| condition.name == name).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(|condition| condition.name).collect();
            format!("`{name}`, expected one of {}", names.join(", "))
        })
    }

    /// Returns whether the condition holds of a part, or of a case that is its only part.
    pub fn holds(&self, part: &Part) -> bool {
        (self.holds)(part)
    }
}
