//! Why PyTorch's answers changed, as far as it is known: the file `versions/changes.toml` of the reference data.

use losscheck_backend::pytorch::PytorchVersion;
use serde::Deserialize;

use super::{Change, Kind};
use crate::data::DataFolder;
use crate::error::DataError;
use crate::files::read_if_present;
use crate::loss::LossKind;

/// The known reasons for changes.
#[derive(Clone, Debug, Default)]
pub struct Notes(Vec<Note>);

/// Why the answers to some losses changed in one way.
#[derive(Clone, Debug)]
pub struct Note {
    since: PytorchVersion,
    kind: Kind,
    losses: Vec<LossKind>,
    /// What PyTorch does otherwise, in a sentence.
    pub why: String,
    /// The address of the pull request or of the release note, or `None` if it was looked for and not found.
    pub upstream: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotes {
    #[serde(default)]
    change: Vec<RawNote>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNote {
    since: String,
    kind: Kind,
    losses: Vec<String>,
    why: String,
    upstream: Option<String>,
}

impl Notes {
    /// Reads the file. Without a file there are no notes.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or is malformed.
    pub fn read(data: &DataFolder) -> Result<Self, DataError> {
        let file = &data.versions_folder().join("changes.toml");
        let Some(text) = read_if_present(file)? else { return Ok(Self::default()) };
        let raw: RawNotes = toml::from_str(&text).map_err(|error| DataError::new(file, error.to_string()))?;
        let notes = raw.change.into_iter().map(Note::new).collect::<Result<_, _>>();
        notes.map(Self).map_err(|message| DataError::new(file, message))
    }

    /// Returns the note about a change.
    pub fn of(&self, change: &Change) -> Option<&Note> {
        self.0.iter().find(|note| note.is_of(change))
    }

    /// Returns the notes about none of these changes, in words.
    pub fn idle(&self, changes: &[Change]) -> Vec<String> {
        let idle = self.0.iter().flat_map(|note| note.losses.iter().map(move |&loss| (note, loss)));
        let idle = idle.filter(|&(note, loss)| !changes.iter().any(|change| change.loss == loss && note.is_of(change)));
        idle.map(|(note, loss)| format!("{}, {}: {loss}", note.since, note.kind.describe())).collect()
    }
}

impl Note {
    fn new(raw: RawNote) -> Result<Self, String> {
        let RawNote { since, kind, losses, why, upstream } = raw;
        let since = since.parse().map_err(|error| format!("`since`: {error}, found {since:?}"))?;
        let losses = losses.iter().map(|loss| loss.parse::<LossKind>().map_err(|error| format!("`losses`: {error}")));
        Ok(Self { since, kind, losses: losses.collect::<Result<_, _>>()?, why, upstream })
    }

    fn is_of(&self, change: &Change) -> bool {
        self.since == change.since && self.kind == change.kind && self.losses.contains(&change.loss)
    }
}
