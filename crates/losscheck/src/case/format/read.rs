//! Reading files of cases: all of them, or only the one that is asked for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::value::RawValue;

use super::check::read_case;
use super::json::{Object, SyntaxProblem, from_json, locate, offset, syntax_problem};
use super::raw::{RawCase, RawFile, RawFormat, RawId};
use super::{FORMAT, FORMATS, Flag, Goldens, Source};
use crate::case::{Case, ExpectedBy};
use crate::error::{DataError, FieldPath, Position, Problem};

/// Reads a file, or every `.json` file directly in a folder.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format, or if an id stands twice.
pub fn read(path: &Path) -> Result<Goldens, DataError> {
    read_files(&files(path)?)
}

/// Reads some files, in parallel.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format, or if an id stands twice.
pub fn read_files(files: &[PathBuf]) -> Result<Goldens, DataError> {
    let mut goldens = Goldens::default();
    let mut ids: HashMap<String, &Path> = HashMap::new();
    let contents: Vec<_> = files.par_iter().map(|file| parse(file, &read_bytes(file)?)).collect();
    for (file, contents) in files.iter().zip(contents) {
        let Goldens { cases, flags, sources } = contents?;
        for (position, case) in cases.iter().enumerate() {
            if let Some(earlier) = ids.insert(case.id.clone(), file) {
                return Err(duplicate(file, position, &case.id, earlier));
            }
        }
        goldens.cases.extend(cases);
        goldens.flags.extend(flags);
        goldens.sources.extend(sources);
    }
    Ok(goldens)
}

/// Returns the error for an id that stands in an earlier file, or earlier in the same file, too.
fn duplicate(file: &Path, position: usize, id: &str, earlier: &Path) -> DataError {
    let place = if earlier == file { "earlier in this file".to_owned() } else { format!("in {}", earlier.display()) };
    let problem = Problem::new("id", format!("expected an id that no other case has, but it stands {place}, too"));
    let bytes = match read_bytes(file) {
        Ok(bytes) => bytes,
        Err(error) => return error,
    };
    match File::new(file, &bytes) {
        Ok(file) => file.in_case(position, Some(id), problem),
        Err(error) => error,
    }
}

/// Returns the case of that id, with the flags of its file, from the first of the files that has it. Of all other cases only
/// the ids are read.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format. What is wrong with another case than the one
/// that is looked for goes unnoticed.
pub fn find(files: &[PathBuf], id: &str) -> Result<Option<Goldens>, DataError> {
    let find_in = |path: &PathBuf| {
        let bytes = read_bytes(path)?;
        let file = File::new(path, &bytes)?;
        let Some(position) = file.ids()?.iter().position(|own| own == id) else { return Ok(None) };
        let cases = vec![file.case(position)?];
        Ok(Some(file.goldens(cases)))
    };
    let found: Vec<_> = files.par_iter().map(find_in).collect();
    found.into_iter().find_map(Result::transpose).transpose()
}

/// Returns where a field of the case of that id stands: the file, the line and the column, with colons between them. `None`
/// if no file that can be read has such a case. A field that is left out stands where the object stands that lacks it.
///
/// `field` is `cotangent`, or such as `inputs.target` or `options.margin`.
pub fn place(files: &[PathBuf], id: &str, field: &str) -> Option<String> {
    let path = match field.split_once('.') {
        Some((object, name)) => FieldPath::from(object).key(name),
        None => FieldPath::from(field),
    };
    files.iter().find_map(|name| {
        let bytes = read_bytes(name).ok()?;
        let file = File::new(name, &bytes).ok()?;
        let position = file.ids().ok()?.iter().position(|own| own == id)?;
        let here = locate(file.raw.cases[position].get(), &path);
        let Position { line, column } = Position::of(file.text, offset(file.text, here));
        Some(format!("{}:{line}:{column}", name.display()))
    })
}

/// Returns the ids of all cases of some files.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format.
pub fn ids(files: &[PathBuf]) -> Result<Vec<String>, DataError> {
    let ids_of = |path: &PathBuf| -> Result<Vec<String>, DataError> {
        let bytes = read_bytes(path)?;
        let ids = File::new(path, &bytes)?.ids()?;
        Ok(ids.into_iter().map(Cow::into_owned).collect())
    };
    let ids: Vec<_> = files.par_iter().map(ids_of).collect();
    Ok(ids.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// Returns the file itself, or every `.json` file directly in a folder, sorted.
///
/// # Errors
///
/// Returns an error if there is no such file or folder, or if the folder has no `.json` file.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error: std::io::Error| DataError::new(path, format!("cannot be read: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(DataError::new(path, "has no .json file, expected at least one in the golden format"));
    }
    files.sort();
    Ok(files)
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, DataError> {
    fs::read(file).map_err(|error| DataError::new(file, format!("cannot be read: {error}")))
}

/// Reads the cases and flags of a file that holds these bytes. Files that it names are relative to its folder.
///
/// # Errors
///
/// Returns an error if they are not in the golden format.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Goldens, DataError> {
    let file = File::new(file, bytes)?;
    let cases: Vec<_> = (0..file.raw.cases.len()).into_par_iter().map(|position| file.case(position)).collect();
    Ok(file.goldens(cases.into_iter().collect::<Result<_, _>>()?))
}

/// A file whose cases are still text.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    raw: RawFile<'a>,
    expected_by: ExpectedBy,
}

impl<'a> File<'a> {
    /// Reads all but the cases.
    fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, DataError> {
        let text = str::from_utf8(bytes).map_err(|error| {
            DataError::new(path, format!("is not UTF-8 at byte {}, expected UTF-8 JSON", error.valid_up_to()))
        })?;
        if text.starts_with('\u{feff}') {
            return Err(DataError::new(path, "starts with a byte order mark, expected UTF-8 JSON without it"));
        }
        let in_file = |problem: Problem| {
            let at = offset(text, locate(text, &problem.path));
            DataError::at(path, Position::of(text, at), None, problem)
        };
        let raw = match from_json::<Object<RawFile>>(text) {
            Ok(Object(raw)) => raw,
            Err(problem) => {
                return Err(match (syntax_problem(text), from_json::<Object<RawFormat>>(text)) {
                    (Some(SyntaxProblem { offset, case, id, problem }), _) => {
                        let case = case.map(|position| name_of(id.as_deref(), position));
                        DataError::at(path, Position::of(text, offset), case.as_deref(), problem)
                    }
                    // A later version may have other fields.
                    (None, Ok(Object(RawFormat { format }))) if !FORMATS.contains(&&*format) => {
                        in_file(unknown_format(&format))
                    }
                    (None, _) if problem.message == "missing field `format`" => {
                        let message = format!("missing, expected \"{FORMAT}\"");
                        in_file(Problem::new("format", message))
                    }
                    (None, _) if !text.trim_start().starts_with('{') => {
                        let message =
                            format!("{}: write {{\"format\": \"{FORMAT}\", \"cases\": [...]}}", problem.message);
                        in_file(Problem::new(FieldPath::default(), message))
                    }
                    (None, _) => in_file(problem),
                });
            }
        };
        check_header(&raw).map_err(in_file)?;
        let expected_by = match &raw.pytorch {
            Some(version) => ExpectedBy::Pytorch(version.as_str().into()),
            None => ExpectedBy::Author,
        };
        Ok(Self { path, text, raw, expected_by })
    }

    /// Returns cases of the file together with what it says of all of them.
    fn goldens(self, cases: Vec<Case>) -> Goldens {
        let flags = self.raw.flags.0.into_iter().map(|(name, Object(flag))| (name, flag)).collect();
        let sources = vec![Source { file: self.path.to_owned(), pytorch: self.raw.pytorch }];
        Goldens { cases, flags, sources }
    }

    /// Reads one case.
    fn case(&self, position: usize) -> Result<Case, DataError> {
        let text = self.raw.cases[position].get();
        from_json::<Object<RawCase>>(text)
            .and_then(|Object(case)| {
                let flags = &self.raw.flags.0;
                match case.flags.iter().position(|flag| !flags.contains_key(flag)) {
                    Some(unexplained) => {
                        let message = format!(
                            "expected a flag that `flags` of the file explains, found `{}`",
                            case.flags[unexplained]
                        );
                        Err(Problem::new(FieldPath::from("flags").index(unexplained), message))
                    }
                    None => read_case(case, &self.expected_by, self.path.parent()),
                }
            })
            .map_err(|problem| {
                // Whatever is wrong elsewhere in the case.
                let id = serde_json::from_str::<Object<RawId<'_>>>(text).ok();
                self.in_case(position, id.as_ref().map(|Object(raw)| &*raw.id), problem)
            })
    }

    /// Reads the ids of all cases, and nothing else of them.
    fn ids(&self) -> Result<Vec<Cow<'a, str>>, DataError> {
        let id = |(position, text): (usize, &&'a RawValue)| {
            let case: Object<RawId<'a>> =
                from_json(text.get()).map_err(|problem| self.in_case(position, None, problem))?;
            Ok(case.0.id)
        };
        self.raw.cases.iter().enumerate().map(id).collect()
    }

    /// Returns the error for a problem in a case.
    fn in_case(&self, position: usize, id: Option<&str>, problem: Problem) -> DataError {
        let here = locate(self.raw.cases[position].get(), &problem.path);
        let case = name_of(id, position);
        DataError::at(self.path, Position::of(self.text, offset(self.text, here)), Some(&case), problem)
    }
}

/// Returns how messages call a case: by its id, or else by its number in the file.
fn name_of(id: Option<&str>, position: usize) -> String {
    match id {
        Some(id) => format!("case `{}`", id.escape_debug()),
        None => format!("case number {}", position + 1),
    }
}

fn unknown_format(format: &str) -> Problem {
    Problem::new(
        "format",
        format!("expected {}, found `{format}`", FORMATS.map(|format| format!("`{format}`")).join(" or ")),
    )
}

/// Checks what a file says before its cases.
fn check_header(raw: &RawFile<'_>) -> Result<(), Problem> {
    if !FORMATS.contains(&raw.format.as_str()) {
        return Err(unknown_format(&raw.format));
    }
    if raw.generator.as_ref().is_some_and(String::is_empty) {
        return Err(Problem::new("generator", "expected a name, found the empty string"));
    }
    if let Some(version) = raw.pytorch.as_ref().filter(|version| !is_version(version)) {
        let message = format!(
            "expected a version of PyTorch such as `2.15.0`, found {version:?}: it says that the expected results are \
             PyTorch's, so leave it out if they are your own"
        );
        return Err(Problem::new("pytorch", message));
    }
    if let Some(count) = raw.count.filter(|count| *count != raw.cases.len()) {
        let message = format!("expected {}, the number of cases, found {count}: it may be left out", raw.cases.len());
        return Err(Problem::new("count", message));
    }
    let path = FieldPath::from("flags");
    for (name, Object(flag)) in &raw.flags.0 {
        check_flag(name, flag, &path.key(name))?;
    }
    Ok(())
}

fn check_flag(name: &str, flag: &Flag, path: &FieldPath) -> Result<(), Problem> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    if !name.split('_').all(is_word) {
        return Err(Problem::new(
            path.clone(),
            "expected a name of lower-case letters and digits in words joined by _",
        ));
    }
    for (field, text) in [("tests", &flag.tests), ("why", &flag.why)] {
        if text.is_empty() {
            return Err(Problem::new(path.key(field), "expected a text, found the empty string"));
        }
    }
    for (position, link) in flag.upstream.iter().enumerate() {
        let path = path.key("upstream").index(position);
        if !link.starts_with("https://") {
            return Err(Problem::new(path, format!("expected an address that starts with https://, found {link:?}")));
        }
        if flag.upstream[..position].contains(link) {
            return Err(Problem::new(path, format!("{link:?} stands twice, expected each address once")));
        }
    }
    Ok(())
}

/// Returns whether a text is three numbers with dots between them.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(is_number)
}
