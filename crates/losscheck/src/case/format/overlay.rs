//! Overlays: what a version of PyTorch answers otherwise than the next newer one.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::check::{context_of, read_cotangent, read_expected};
use super::json::{Object, from_json, given, locate, offset};
use super::raw::{MaybeTensor, RawExpected, RawId};
use crate::case::versions::{Lack, Lacking};
use crate::case::{Case, Expected};
use crate::error::{DataError, FieldPath, Position, Problem};
use crate::files;
use crate::tensor::{DType, Tensor};

/// The version of the format of overlays.
pub(crate) const OVERLAY_FORMAT: &str = "losscheck-version/1";

/// What a version answers otherwise than the next newer one to the cases of one loss.
#[derive(Debug)]
pub(crate) struct Overlay {
    groups: Vec<RawGroup>,
    answers: HashMap<String, Difference>,
}

/// How an answer differs from that of the next newer version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    /// Another answer.
    pub(crate) expected: Option<Expected>,
    /// The cotangent of the answer, where the golden has none.
    pub(crate) cotangent: Option<Tensor>,
    /// What the version does not have.
    pub(crate) lack: Option<Lack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverlay<'a> {
    format: String,
    #[serde(rename = "generator")]
    _generator: String,
    #[serde(rename = "pytorch")]
    _pytorch: String,
    #[serde(rename = "newer")]
    _newer: String,
    loss: String,
    #[serde(default)]
    groups: Vec<Object<RawGroup>>,
    #[serde(borrow, default)]
    answers: Vec<&'a RawValue>,
}

/// Cases that a version has no answer to, or none to all of it, for the same reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    answer: Lacking,
    #[serde(default, deserialize_with = "given")]
    dtype: Option<String>,
    /// A tensor that the cases have.
    #[serde(default, deserialize_with = "given")]
    has: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    except: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    #[serde(rename = "id")]
    _id: String,
    #[serde(default, deserialize_with = "given")]
    cotangent: Option<MaybeTensor>,
    #[serde(default, deserialize_with = "given")]
    expected: Option<Object<RawExpected>>,
    #[serde(default, deserialize_with = "given")]
    answer: Option<Lacking>,
    #[serde(default)]
    message: String,
}

impl RawGroup {
    fn covers(&self, golden: &Case) -> bool {
        self.dtype.as_ref().is_none_or(|dtype| golden.id.split('/').nth(1) == Some(dtype))
            && self.has.as_ref().is_none_or(|name| golden.inputs.contains_key(name))
            && !self.except.contains(&golden.id)
    }
}

impl Overlay {
    /// Reads the overlay of a loss, whose goldens are given; `None` if there is no such file.
    pub(crate) fn read(path: &Path, goldens: &[&Case]) -> Result<Option<Self>, DataError> {
        let Some(text) = files::read_if_present(path)? else { return Ok(None) };
        let in_file = |problem: Problem| {
            let at = offset(&text, locate(&text, &problem.path));
            DataError::at(path, Position::of(&text, at), None, problem)
        };
        let Object(raw) = from_json::<Object<RawOverlay>>(&text).map_err(in_file)?;
        if raw.format != OVERLAY_FORMAT {
            let message = format!("expected `{OVERLAY_FORMAT}`, found `{}`", raw.format);
            return Err(in_file(Problem::new("format", message)));
        }
        if let Some(other) = goldens.first().filter(|golden| golden.loss.kind().name() != raw.loss) {
            let message = format!("expected {}, as the file is called, found {}", other.loss.kind(), raw.loss);
            return Err(in_file(Problem::new("loss", message)));
        }
        for (position, Object(group)) in raw.groups.iter().enumerate() {
            if let Some(dtype) = group.dtype.as_ref().filter(|dtype| dtype.parse::<DType>().is_err()) {
                let message = format!("expected a dtype such as f16, found {dtype:?}");
                return Err(in_file(Problem::new(FieldPath::from("groups").index(position).key("dtype"), message)));
            }
        }
        let goldens: HashMap<&str, &Case> = goldens.iter().map(|golden| (golden.id.as_str(), *golden)).collect();
        let mut answers = HashMap::new();
        for line in raw.answers {
            let in_answer = |id: Option<&str>, problem: Problem| {
                let at = offset(&text, locate(line.get(), &problem.path));
                let case = id.map(|id| format!("case `{}`", id.escape_debug()));
                DataError::at(path, Position::of(&text, at), case.as_deref(), problem)
            };
            let Object(RawId { id }) =
                from_json::<Object<RawId<'_>>>(line.get()).map_err(|problem| in_answer(None, problem))?;
            let golden = goldens
                .get(&*id)
                .ok_or_else(|| in_answer(Some(&id), Problem::new("id", "expected the id of a golden of the loss")))?;
            let difference = from_json::<Object<RawAnswer>>(line.get())
                .and_then(|Object(raw)| raw.difference(golden))
                .map_err(|problem| in_answer(Some(&id), problem))?;
            answers.insert(id.into_owned(), difference);
        }
        let groups = raw.groups.into_iter().map(|Object(group)| group).collect();
        Ok(Some(Self { groups, answers }))
    }

    /// Returns how the answer to a golden differs from that of the next newer version, if it does.
    pub(crate) fn difference(&self, golden: &Case) -> Option<Difference> {
        let of_group = |group: &RawGroup| {
            let lack = Lack { of: group.answer, message: group.message.clone() };
            Difference { lack: Some(lack), ..Difference::default() }
        };
        let own = self.answers.get(&golden.id).cloned();
        own.or_else(|| self.groups.iter().find(|group| group.covers(golden)).map(of_group))
    }
}

impl RawAnswer {
    fn difference(self, golden: &Case) -> Result<Difference, Problem> {
        if self.expected.is_none() && self.answer.is_none() {
            return Err(Problem::new(
                "expected",
                "missing, expected an answer, or `answer`, which says what is lacking",
            ));
        }
        let context = context_of(&golden.inputs, golden.loss.kind());
        let answers_with_indices = golden.loss.argmax_candidates().is_some();
        let of_version = |Object(mut raw): Object<RawExpected>| {
            // Some of the older versions say nothing but the class.
            if raw.message.as_ref().is_some_and(String::is_empty) {
                raw.message = raw.error.clone();
            }
            read_expected(raw, answers_with_indices, &golden.inputs, context)
        };
        let expected = self.expected.map(of_version).transpose()?;
        let cotangent = self.cotangent.map(|raw| read_cotangent(raw, context)).transpose()?;
        let lack = self.answer.map(|of| Lack { of, message: self.message });
        Ok(Difference { expected, cotangent, lack })
    }
}
