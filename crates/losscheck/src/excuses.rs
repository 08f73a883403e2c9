//! What the records excuse on cases outside the goldens.

use crate::backend::Backend;
use crate::case::Case;
use crate::deviations::{Deviations, Record};
use crate::golden::DataError;
use crate::runner::PYTORCH;
use crate::suite::DataFolder;
use crate::verdict::Kind;

/// A deviation and how much it excused.
#[derive(Clone, Debug)]
pub struct Excuse {
    /// Whose record it is on: the backend's or PyTorch's.
    pub on_record_of: &'static str,
    /// The deviation.
    pub record: Record,
    /// How often.
    pub count: usize,
}

impl Excuse {
    /// Counts one more use of a deviation.
    pub(crate) fn count(excuses: &mut Vec<Self>, on_record_of: &'static str, record: &Record) {
        let known = excuses.iter_mut().find(|excuse| excuse.on_record_of == on_record_of && excuse.record == *record);
        match known {
            Some(excuse) => excuse.count += 1,
            None => excuses.push(Self { on_record_of, record: record.clone(), count: 1 }),
        }
    }
}

/// A backend with the records that may excuse it: its own, and PyTorch's, for what goes wrong as PyTorch does is PyTorch's
/// defect.
pub struct Subject<'a> {
    pub(crate) backend: &'a dyn Backend,
    records: [(&'static str, Deviations); 2],
}

impl<'a> Subject<'a> {
    /// The backend with the records of that folder.
    ///
    /// # Errors
    ///
    /// Where records cannot be read.
    pub fn new(backend: &'a dyn Backend, data: &DataFolder) -> Result<Self, DataError> {
        let record = |name| Ok((name, data.deviations(name)?));
        Ok(Self { backend, records: [record(backend.name())?, record(PYTORCH)?] })
    }

    pub(crate) fn all(backends: &[&'a dyn Backend], data: &DataFolder) -> Result<Vec<Self>, DataError> {
        backends.iter().map(|&backend| Self::new(backend, data)).collect()
    }

    /// The deviation that excuses a difference of that kind, and whose it is.
    pub fn excuse(&self, case: &Case, kind: Kind) -> Option<(&'static str, &Record)> {
        self.records.iter().find_map(|(name, record)| Some((*name, record.excuse_other(case, kind)?)))
    }
}
