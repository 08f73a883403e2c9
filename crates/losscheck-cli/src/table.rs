//! Tables: aligned, borderless, as wide as the terminal at most.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle, presets};
use losscheck::run::table::Tally;

use crate::style::DIM;

const STYLE: TableStyle = presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with that header; the columns after the first `left` are aligned to the right.
pub(crate) fn table<T: AsRef<str>>(header: impl IntoIterator<Item = T>, left: usize) -> Table {
    let mut table = Table::new();
    table.style_text_only();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).enforce_styling();
    let header = header.into_iter().map(|name| Cell::new(name.as_ref()).add_attribute(comfy_table::Attribute::Bold));
    table.set_header(header.collect::<Vec<_>>());
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The width of a page of text.
pub(crate) const WIDTH: u16 = 100;

/// Makes a table at most [`WIDTH`] wide, or as wide as the terminal if that is narrower. Cells that do not fit are wrapped.
pub(crate) fn fit(table: &mut Table) -> &Table {
    let width = table.width().unwrap_or(WIDTH).min(WIDTH);
    table.set_width(width)
}

/// Breaks a text into lines of at most so many characters. A word that is longer has a line of its own.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The marks of [`matrix`], and what they mean.
const MARKS: [(&str, &str); 2] =
    [("~", "the others differ in known ways"), ("!", "some differ in a way that is not known")];

/// The matrix of a run: a line for each row, whose last cells say how many cases of those that a backend provides agree.
///
/// No cell is wrapped. If the table is wider than [`WIDTH`], a cell only says how many cases agree.
pub(crate) fn matrix(left: &[&str], backends: &[&str], rows: &[(Vec<String>, Vec<Tally>)]) -> String {
    let filled = |in_full: bool| {
        // The mark of a cell stands after its numbers, and nothing stands over it.
        let names = backends.iter().map(|backend| format!("{backend} "));
        let mut matrix = table(left.iter().map(|&name| name.to_owned()).chain(names), 1);
        matrix.set_content_arrangement(ContentArrangement::Disabled);
        for (names, tallies) in rows {
            let cells = tallies.iter().map(|&tallied| tally(tallied, in_full));
            matrix.add_row(names.iter().map(Cell::new).chain(cells));
        }
        for (position, column) in matrix.column_iter_mut().enumerate() {
            column.set_padding((u16::from(position > 0), 0));
        }
        let widths = matrix.column_max_content_widths();
        let gaps = 2 * widths.len().saturating_sub(1);
        (widths.iter().map(|&width| usize::from(width)).sum::<usize>() + gaps, matrix)
    };
    let (width, in_full) = filled(true);
    let matrix = if width <= usize::from(WIDTH) { in_full } else { filled(false).1 };
    let all = rows.iter().flat_map(|(_, tallies)| tallies);
    let is_there =
        [all.clone().any(|tally| tally.known > 0 && tally.differ == 0), all.clone().any(|tally| tally.differ > 0)];
    let legend: Vec<_> = MARKS
        .iter()
        .zip(is_there)
        .filter(|(_, there)| *there)
        .map(|((mark, why), _)| format!("{mark} {why}"))
        .collect();
    let legend = if legend.is_empty() { String::new() } else { format!("\n{DIM}{}{DIM:#}", legend.join("; ")) };
    format!("{}{legend}", matrix.trim_fmt())
}

/// Returns a cell of [`matrix`].
fn tally(tally: Tally, in_full: bool) -> Cell {
    let (Tally { agree, known, differ, .. }, provided) = (tally, tally.provided());
    if provided == 0 {
        return missing();
    }
    let [(is_known, _), (differs, _)] = MARKS;
    let (mark, color) = match (differ, known) {
        (0, 0) => (" ", Color::DarkGreen),
        (0, _) => (is_known, Color::DarkYellow),
        _ => (differs, Color::DarkRed),
    };
    let text = if in_full { format!("{agree}/{provided}{mark}") } else { format!("{agree}{mark}") };
    Cell::new(text).fg(color)
}

/// The cell for what is not there.
pub(crate) fn missing() -> Cell {
    Cell::new("-").add_attribute(comfy_table::Attribute::Dim)
}

/// A number of things, in words.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// A number of cases, in words.
pub(crate) fn cases(count: usize) -> String {
    counted(count, "case")
}

#[cfg(test)]
mod tests {
    use losscheck::run::table::Tally;

    use super::matrix;

    /// Returns the lines without styles.
    fn lines(text: &str) -> Vec<String> {
        anstream::adapter::strip_str(text).to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_matrix_of_five_backends_has_one_line_of_a_page_for_each_loss() {
        let backends = ["pytorch", "reference", "candle-nn", "candle", "tch"];
        let name = "triplet_margin_with_distance_loss".to_owned();
        for cases in [1, 9999, 99_999, 999_999] {
            let tally = Tally { agree: cases - 1, known: 1, ..Tally::default() };
            let rows = vec![(vec![name.clone(), cases.to_string()], vec![tally; backends.len()]); 24];
            let lines = lines(&matrix(&["loss", "cases"], &backends, &rows));
            assert_eq!(
                lines.len(),
                2 + rows.len() + 1,
                "a header, a rule, a line for each loss, and what the mark means"
            );
            for line in &lines {
                assert!(line.chars().count() <= 100, "{cases} cases: wider than 100 columns: {line}");
            }
            let is_in_full = lines[2].contains(&format!("{}/{cases}~", cases - 1));
            assert_eq!(is_in_full, cases < 10_000, "{}", lines[2]);
        }
    }

    #[test]
    fn a_mark_says_that_not_all_cases_agree() {
        let all = Tally { agree: 3, ..Tally::default() };
        let known = Tally { known: 1, ..all };
        let new = Tally { differ: 1, ..known };
        let rows = [(vec!["mse_loss".to_owned()], vec![all, known, new, Tally::default()])];
        let lines = lines(&matrix(&["loss"], &["a", "b", "c", "d"], &rows));
        let cells: Vec<_> = lines[2].split_whitespace().collect();
        assert_eq!(cells, ["mse_loss", "3/3", "3/4~", "3/5!", "-"]);
        assert!(lines[3].starts_with("~ ") && lines[3].contains("; ! "), "{}", lines[3]);
    }
}
