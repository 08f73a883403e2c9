//! JSON, with the path of each mistake in it, and with messages for those who do not know the reader.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::{FieldPath, Problem, Segment};

/// Deserializes a JSON text, and nothing after it.
///
/// # Errors
///
/// Returns the path of the field that is wrong. To keep track of the path takes longer than the reading itself, so a text is
/// read without it at first, and read again only if something is wrong.
pub(super) fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).or_else(|_| {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| Problem::new(path(error.path()), message(error.inner())))?;
        // The text may go on after the value.
        deserializer.end().map(|()| value).map_err(|error| Problem::new(FieldPath::default(), message(&error)))
    })
}

fn path(path: &serde_path_to_error::Path) -> FieldPath {
    let mut segments = Vec::new();
    for segment in path {
        match segment {
            serde_path_to_error::Segment::Seq { index } => segments.push(Segment::Index(*index)),
            serde_path_to_error::Segment::Map { key } => segments.push(Segment::Key(key.clone())),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => break,
        }
    }
    FieldPath(segments)
}

/// Returns the part of a JSON text that a path leads to, or the innermost part on the way to it that is there.
pub(super) fn locate<'a>(text: &'a str, path: &FieldPath) -> &'a str {
    let mut here = text;
    for segment in &path.0 {
        let inner = match segment {
            Segment::Key(key) => serde_json::from_str::<BTreeMap<String, &RawValue>>(here)
                .ok()
                .and_then(|members| members.get(key).copied()),
            Segment::Index(index) => {
                serde_json::from_str::<Vec<&RawValue>>(here).ok().and_then(|elements| elements.get(*index).copied())
            }
        };
        match inner {
            Some(inner) => here = inner.get(),
            None => break,
        }
    }
    here
}

/// Returns the number of bytes of `text` before its part `part`.
pub(super) fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// What is wrong with the syntax of a text.
pub(super) struct SyntaxProblem {
    /// The byte that cannot stand where it stands.
    pub(super) offset: usize,
    /// The position in the list of cases of the case that it is in.
    pub(super) case: Option<usize>,
    /// The id of that case, if the id comes before the error.
    pub(super) id: Option<String>,
    pub(super) problem: Problem,
}

/// Returns the first error in the syntax of a text, or `None` if the text is JSON.
pub(super) fn syntax_problem(text: &str) -> Option<SyntaxProblem> {
    let id = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let error = FileWithIds(&id).deserialize(tracked).and_then(|()| deserializer.end()).err()?;
    if !matches!(error.classify(), Category::Syntax | Category::Eof) {
        return None;
    }
    let line_start = match error.line() {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(0, |(newline, _)| newline + 1),
    };
    let mut offset = (line_start + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let (start, word) = word_at(text, offset);
    let path = path(&track.path());
    let (case, path) = match path.0.as_slice() {
        // The path inside of the case, as in all other messages.
        [Segment::Key(cases), Segment::Index(case), inner @ ..] if cases == "cases" => {
            (Some(*case), FieldPath(inner.to_vec()))
        }
        _ => (None, path),
    };
    let (offset, message) = match instead_of(word) {
        Some(instead) => (start, format!("expected a JSON value, found {word}: write {instead}")),
        None => (offset, message(&error)),
    };
    Some(SyntaxProblem { offset, case, id: id.into_inner(), problem: Problem::new(path, message) })
}

/// Returns the characters around a byte that may belong to one word or number, and where they start.
fn word_at(text: &str, offset: usize) -> (usize, &str) {
    let is_part = |c: char| c.is_alphanumeric() || "+-._'".contains(c);
    let start = text[..offset]
        .rfind(|c| !is_part(c))
        .map_or(0, |last| last + text[last..].chars().next().map_or(1, char::len_utf8));
    let end = text[offset..].find(|c| !is_part(c)).map_or(text.len(), |length| offset + length);
    (start, &text[start..end])
}

/// Returns what to write instead of a word that other languages have and JSON does not.
pub(super) fn instead_of(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().trim_start_matches("np.").trim_start_matches("float.") {
        "nan" | "-nan" | "+nan" => "\"NaN\"",
        "inf" | "infinity" | "+inf" | "+infinity" => "\"Infinity\"",
        "-inf" | "-infinity" => "\"-Infinity\"",
        "none" => "null, or leave the field out",
        // Only in other letters than JSON's they are errors.
        "true" => "true",
        "false" => "false",
        quoted if quoted.starts_with('\'') => "strings in double quotes",
        number if number.starts_with('.') || number.starts_with("-.") => "a digit before the decimal point",
        number if number.starts_with('+') => "the number without the plus sign",
        number if number.ends_with('.') => "a digit after the decimal point",
        _ => return None,
    })
}

/// Reads any JSON and notes the ids of cases: those in the list `cases` of the outermost object. It holds the id of the case
/// that is being read, or `None` if that has not come yet.
#[derive(Clone, Copy)]
struct FileWithIds<'a>(&'a RefCell<Option<String>>);

#[derive(Clone, Copy)]
struct CasesWithIds<'a>(&'a RefCell<Option<String>>);

#[derive(Clone, Copy)]
struct CaseWithId<'a>(&'a RefCell<Option<String>>);

macro_rules! any_json {
    ($name:ident, $($visit:tt)*) => {
        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $name<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, _: bool) -> Result<(), E> {
                Ok(())
            }

            fn visit_i64<E>(self, _: i64) -> Result<(), E> {
                Ok(())
            }

            fn visit_u64<E>(self, _: u64) -> Result<(), E> {
                Ok(())
            }

            fn visit_f64<E>(self, _: f64) -> Result<(), E> {
                Ok(())
            }

            fn visit_str<E>(self, _: &str) -> Result<(), E> {
                Ok(())
            }

            fn visit_unit<E>(self) -> Result<(), E> {
                Ok(())
            }

            $($visit)*
        }
    };
}

any_json! { FileWithIds,
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<Value>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            if key == "cases" {
                members.next_value_seed(CasesWithIds(self.0))?;
            } else {
                members.next_value::<Value>()?;
            }
        }
        Ok(())
    }
}

any_json! { CasesWithIds,
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(CaseWithId(self.0))?.is_some() {
            self.0.take();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry::<String, Value>()?.is_some() {}
        Ok(())
    }
}

any_json! { CaseWithId,
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<Value>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            let value: Value = members.next_value()?;
            if let ("id", Value::String(id)) = (key.as_str(), value) {
                self.0.replace(Some(id));
            }
        }
        Ok(())
    }
}

/// Returns the message of an error in plain words, without the position, which counts from the start of a part of the file.
pub(super) fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&position).unwrap_or(&message);
    let plain = match message {
        "number out of range" => "expected a number within the range of f64, or \"Infinity\" or \"-Infinity\"",
        "trailing comma" => {
            "expected another element after the comma, found the end of the list or object: remove the comma"
        }
        "trailing characters" => "expected the end of the file after the JSON value, found more text",
        "key must be a string" => "expected the name of a field in double quotes",
        "expected value" | "expected ident" => "expected a JSON value",
        "EOF while parsing a value" => "expected a JSON value, found the end of the file",
        "EOF while parsing a string" => "expected the end of a string, found the end of the file",
        "EOF while parsing a list" => "expected the end of a list, found the end of the file",
        "EOF while parsing an object" => "expected the end of an object, found the end of the file",
        _ => "",
    };
    if !plain.is_empty() {
        return plain.to_owned();
    }
    let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
    else {
        return message.to_owned();
    };
    let found = match found {
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        found => ["string ", "integer ", "floating point ", "boolean "]
            .iter()
            .find_map(|kind| found.strip_prefix(kind))
            .unwrap_or(found)
            .trim_matches('`')
            .to_owned(),
    };
    let expected = match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "f64" => "a number",
        "u64" | "usize" | "u32" => "an integer that is not negative",
        "i64" => "an integer",
        "a boolean" => "true or false",
        expected if expected.starts_with("struct ") => "an object",
        expected => expected,
    };
    format!("expected {expected}, found {found}")
}

/// Reads a value that may be left out but not be `null`. For `#[serde(default, deserialize_with = "given")]`.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An object, or what stands where one is expected. serde's own structs may also be lists of their fields.
#[derive(Debug)]
pub(super) enum MaybeObject<T> {
    Object(T),
    Other(Value),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for MaybeObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = MaybeObject<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(MaybeObject::Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    list.push(element);
                }
                Ok(MaybeObject::Other(Value::Array(list)))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(MaybeObject::Other(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(MaybeObject::Other(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(MaybeObject::Other(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(MaybeObject::Other(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(MaybeObject::Other(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(MaybeObject::Other(Value::Null))
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// An object of the JSON text, and nothing else.
#[derive(Clone, Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match MaybeObject::deserialize(deserializer)? {
            MaybeObject::Object(object) => Ok(Self(object)),
            MaybeObject::Other(other) => {
                let instead = if other.is_null() { ": leave the field out if there is none" } else { "" };
                Err(D::Error::custom(format!("expected an object, found {}{instead}", describe(&other))))
            }
        }
    }
}

/// The members of an object by name. A name that stands twice is an error.
#[derive(Clone, Debug)]
pub(super) struct Members<T>(pub(super) BTreeMap<String, T>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut named = BTreeMap::new();
                while let Some((name, value)) = members.next_entry::<String, T>()? {
                    if named.contains_key(&name) {
                        return Err(A::Error::custom(format!("`{name}` stands twice, expected each name once")));
                    }
                    named.insert(name, value);
                }
                Ok(Members(named))
            }
        }

        deserializer.deserialize_map(Named(PhantomData))
    }
}

/// Returns what a value is, in the words of a message: `a list`, `the number 1.5`.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {}", Value::from(shortened(text))),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Returns a text that fits into a message.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
