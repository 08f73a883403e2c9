//! What other versions of PyTorch answer to the goldens than the current one.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use losscheck_backend::pytorch::PytorchVersion;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::format::overlay::{Difference, Overlay};
use super::{Answer, Case, Expected, ExpectedBy};
use crate::error::DataError;
use crate::loss::LossKind;
use crate::tensor::{Tensor, Tensors};

/// The answers of a version of PyTorch where they are others than those of the current one.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The version.
    pub version: PytorchVersion,
    changed: HashMap<String, Arc<Changed>>,
}

/// What a version of PyTorch answers to a case.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// The answer, if there is one.
    pub expected: Option<Expected>,
    /// The cotangent that the answer is of.
    pub cotangent: Option<Tensor>,
    /// What the version does not have for the case.
    pub lack: Option<Lack>,
}

/// Why a version of PyTorch has no answer to a case, or none to all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What is lacking.
    pub of: Lacking,
    /// PyTorch's message; empty if there is none.
    pub message: String,
}

/// What a version of PyTorch does not have for a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacking {
    /// The loss.
    #[serde(rename = "no_loss")]
    Loss,
    /// An option or a tensor of the loss.
    #[serde(rename = "no_option")]
    Option,
    /// A kernel for the dtype.
    #[serde(rename = "no_kernel")]
    Kernel,
    /// A kernel of the backward pass for the dtype. There is a value.
    #[serde(rename = "no_gradient")]
    Gradient,
    /// An answer: the process ends.
    #[serde(rename = "crashes")]
    Process,
    /// One answer: it varies from run to run.
    #[serde(rename = "undefined")]
    Definition,
}

impl Lacking {
    /// Returns a description for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Loss => "no such loss",
            Self::Option => "no such option",
            Self::Kernel => "no kernel for the dtype",
            Self::Gradient => "no gradient for the dtype",
            Self::Process => "the process crashes",
            Self::Definition => "undefined: it varies from run to run",
        }
    }
}

impl Changed {
    /// Returns what the current version answers: the golden.
    fn of(golden: &Case) -> Self {
        Self { expected: golden.expected.clone(), cotangent: golden.cotangent.clone(), lack: None }
    }

    /// Returns what a version answers that differs from one with this answer as an overlay says.
    fn older(self, difference: Difference) -> Self {
        let Difference { expected: own, cotangent, lack } = difference;
        let expected = match lack.as_ref().map(|lack| lack.of) {
            None | Some(Lacking::Gradient) if own.is_some() => own,
            Some(Lacking::Gradient) => self.expected.map(without_gradients),
            _ => None,
        };
        Self { expected, cotangent: cotangent.or(self.cotangent), lack }
    }
}

fn without_gradients(expected: Expected) -> Expected {
    match expected {
        Expected::Answer(Answer { value, .. }) => Expected::Answer(Answer { value, gradients: Tensors::new() }),
        rejection => rejection,
    }
}

impl Answers {
    /// Returns the answers of the current version: the goldens.
    pub fn current() -> Self {
        Self { version: PytorchVersion::CURRENT, changed: HashMap::new() }
    }

    /// Returns the answers of a version that are those of the current one as far as they are stored.
    pub(crate) fn unchanged(version: PytorchVersion) -> Self {
        Self { version, ..Self::current() }
    }

    /// Reads what the version before this one answers to some goldens, from the folder of its overlay.
    pub(crate) fn before(&self, version: PytorchVersion, folder: &Path, goldens: &[Case]) -> Result<Self, DataError> {
        let mut of_losses: BTreeMap<LossKind, Vec<&Case>> = BTreeMap::new();
        for golden in goldens {
            of_losses.entry(golden.loss.kind()).or_default().push(golden);
        }
        let of_loss = |(loss, goldens): (LossKind, Vec<&Case>)| {
            let mut changed = Vec::new();
            if let Some(overlay) = Overlay::read(&folder.join(format!("{}.json", loss.name())), &goldens)? {
                for golden in &goldens {
                    let Some(difference) = overlay.difference(golden) else { continue };
                    let newer = self.changed(golden).map_or_else(|| Changed::of(golden), Changed::clone);
                    changed.push((golden.id.clone(), Arc::new(newer.older(difference))));
                }
            }
            Ok(changed)
        };
        let of_losses: Vec<_> = of_losses.into_par_iter().map(of_loss).collect();
        let mut changed = self.changed.clone();
        for of_loss in of_losses {
            changed.extend(of_loss?);
        }
        Ok(Self { version, changed })
    }

    /// Returns what the version answers to a golden, if that is not what the current one answers.
    pub fn changed(&self, golden: &Case) -> Option<&Changed> {
        self.changed.get(&golden.id).map(|changed| &**changed)
    }

    /// Returns whether another version next to this one is stored with the same answer to a golden.
    pub(crate) fn is_as(&self, other: &Self, golden: &Case) -> bool {
        match (self.changed.get(&golden.id), other.changed.get(&golden.id)) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Returns a golden as this version answers it. Of what it lacks nothing is expected.
    pub fn case<'a>(&self, golden: &'a Case) -> Cow<'a, Case> {
        if self.version == PytorchVersion::CURRENT {
            return Cow::Borrowed(golden);
        }
        let Changed { expected, cotangent, .. } = match self.changed(golden) {
            Some(changed) => changed.clone(),
            None => return Cow::Borrowed(golden),
        };
        let by_pytorch = || ExpectedBy::Pytorch(self.version.to_string().into());
        let expected_by = expected.as_ref().map(|_| by_pytorch()).unwrap_or_default();
        Cow::Owned(Case { expected, expected_by, cotangent, ..golden.clone() })
    }
}
