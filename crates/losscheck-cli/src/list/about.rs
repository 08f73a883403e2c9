//! What the documentation of a loss's options says, taken apart: the schema of the options carries it along.

use losscheck::loss::{LossKind, LossKindExt};
use serde_json::{Map, Value};

/// A loss as its documentation describes it.
#[derive(Debug)]
pub(crate) struct About {
    /// What the loss is, in a sentence without its full stop.
    pub(crate) summary: String,
    /// The lines of the formula.
    pub(crate) formula: Vec<String>,
    /// The address of the page in PyTorch's documentation.
    pub(crate) page: Option<String>,
    shapes: Vec<Shapes>,
    options: Map<String, Value>,
}

/// What the documentation says of the shapes of some tensors.
#[derive(Debug)]
struct Shapes {
    tensors: Vec<String>,
    text: String,
}

impl About {
    /// Takes the documentation of a loss apart.
    pub(crate) fn new(loss: LossKind) -> Self {
        let schema = loss.options_schema().to_value();
        let text = schema["description"].as_str().unwrap_or_default();
        let options = schema["properties"].as_object().cloned().unwrap_or_default();
        Self { summary: summary(text), formula: formula(text), page: page(text), shapes: shapes(text), options }
    }

    /// Returns the summary, up to the last comma or colon at which it is no longer than `most` characters.
    pub(crate) fn short_summary(&self, most: usize) -> &str {
        let mut text = self.summary.as_str();
        while text.chars().count() > most
            && let Some(end) = text.rfind(", ").max(text.rfind(": "))
        {
            text = &text[..end];
        }
        text
    }

    /// Returns what the documentation says of the shape of a tensor, or of the output.
    pub(crate) fn shape(&self, tensor: &str) -> &str {
        // The documentation calls every tail of the adaptive softmax i.
        let names = |name: &String| {
            let mut parts = name.split('.').zip(tensor.split('.'));
            name.split('.').count() == tensor.split('.').count() && parts.all(|(name, own)| name == own || name == "i")
        };
        let found = self.shapes.iter().find(|shapes| shapes.tensors.iter().any(names));
        found.map_or("", |shapes| &shapes.text)
    }

    /// Returns the type of an option, in words.
    pub(crate) fn type_of(&self, option: &str) -> String {
        self.options.get(option).map_or_else(String::new, type_name)
    }

    /// Returns what the documentation says of an option.
    pub(crate) fn option(&self, option: &str) -> String {
        let text = self.options.get(option).and_then(|schema| schema["description"].as_str());
        text.map_or_else(String::new, |text| plain(&joined(text.lines())))
    }
}

/// The name of a schema's type.
fn type_name(schema: &Value) -> String {
    let choices = |key: &str| schema[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(constant) = schema.get("const") {
        return text(constant);
    }
    let parts: Vec<String> = choices("enum")
        .iter()
        .map(text)
        .chain(choices("oneOf").iter().map(type_name))
        .chain(choices("anyOf").iter().map(type_name))
        .collect();
    if !parts.is_empty() {
        return parts.join(", ");
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}s", type_name(&schema["items"])),
        Some(name) => name.to_owned(),
        None => String::new(),
    }
}

/// The first sentence, or what comes before the formula.
fn summary(text: &str) -> String {
    let paragraph = plain(&joined(text.lines().take_while(|line| !line.trim().is_empty())));
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    paragraph[..end].trim_end_matches(['.', ':']).to_owned()
}

/// The first block of code.
fn formula(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with("```")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("```")).map(str::trim_end);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The first address of PyTorch's documentation.
fn page(text: &str) -> Option<String> {
    let start = text.find("<https://docs.pytorch.org/")? + 1;
    let length = text[start..].find('>')?;
    Some(text[start..start + length].to_owned())
}

/// What the documentation says beside the shape of a tensor: whether it has a gradient and what it holds.
const COLUMNS: [&str; 4] = [
    "; differentiable",
    "; floats or integers",
    "; floats, which are differentiable, or integers",
    ", which are differentiable",
];

/// The items of the list under the heading `Shapes`.
fn shapes(text: &str) -> Vec<Shapes> {
    let lines = text.lines().skip_while(|line| *line != "# Shapes").skip(1).take_while(|line| !line.starts_with('#'));
    let mut items: Vec<Vec<&str>> = Vec::new();
    for line in lines {
        if let Some(first) = line.strip_prefix("- ") {
            items.push(vec![first]);
        } else if let (Some(item), Some(more)) = (items.last_mut(), line.strip_prefix("  ")) {
            item.push(more);
        }
    }
    let item = |lines: Vec<&str>| {
        let item = joined(lines.into_iter());
        let (names, text) = item.split_once(": ")?;
        // Every other piece between asterisks is a name.
        let tensors = names.split('*').skip(1).step_by(2).map(str::to_owned).collect();
        // What the columns beside the shape say.
        let text = COLUMNS.iter().fold(plain(text), |text, column| text.replace(column, ""));
        Some(Shapes { tensors, text: text.trim_end_matches('.').to_owned() })
    };
    items.into_iter().filter_map(item).collect()
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The text without the marks of Markdown.
fn plain(text: &str) -> String {
    let mut text = text.replace("[`", "").replace("`]", "").replace(['*', '`'], "");
    // A link.
    while let Some(middle) = text.find("](")
        && let (Some(start), Some(end)) = (text[..middle].rfind('['), text[middle..].find(')'))
    {
        text = format!("{}{}{}", &text[..start], &text[start + 1..middle], &text[middle + end + 1..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::SUMMARY;
    use super::*;

    #[test]
    fn the_documentation_of_every_loss_says_what_the_list_needs() {
        for &loss in LossKind::ALL {
            let about = About::new(loss);
            assert!(about.short_summary(SUMMARY).chars().count() <= SUMMARY, "{loss}: {}", about.summary);
            assert!(!about.summary.is_empty() && !about.summary.contains(['\n', '`', '[']), "{}", about.summary);
            assert!(about.page.is_some_and(|page| page.ends_with(".html")), "{loss} has no page");
            let signature = loss.signature();
            for tensor in signature.required.iter().chain(signature.optional).chain([&"output"]) {
                let shapes = about.shapes.iter().map(|shapes| &shapes.tensors).collect::<Vec<_>>();
                assert!(
                    !About::new(loss).shape(tensor).is_empty(),
                    "`# Shapes` of {loss} has no item for `{tensor}`, only {shapes:?}"
                );
            }
        }
    }

    #[test]
    fn a_documentation_is_taken_apart() {
        let text = "Loss of *x*,\nin two lines, with [`Other`] and a [link](Other):\n\n```text\nx^2\n\n0  else\n```\n\n# Shapes\n\n\
                    - *a*, *b*, optional: any\n  shape; `f32`; differentiable.\n- *output*: a scalar.\n\n# Errors\n\n- *c*: none.\n\n\
                    Source: <https://docs.pytorch.org/x.html>";
        assert_eq!(summary(text), "Loss of x, in two lines, with Other and a link");
        assert_eq!(formula(text), ["x^2", "0  else"]);
        assert_eq!(page(text).as_deref(), Some("https://docs.pytorch.org/x.html"));
        let found: Vec<_> = shapes(text).into_iter().map(|Shapes { tensors, text }| (tensors.concat(), text)).collect();
        assert_eq!(
            found,
            [("ab".to_owned(), "any shape; f32".to_owned()), ("output".to_owned(), "a scalar".to_owned())]
        );
    }
}
