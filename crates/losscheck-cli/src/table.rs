//! Tables: aligned, borderless, as wide as the terminal at most.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle, presets};
use losscheck::run::table::Tally;

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

/// A cell of the matrix: how many agree of how many, how many differ in a known way, how many differ.
pub(crate) fn tally(tally: Tally) -> Cell {
    let (Tally { agree, known, differ, .. }, provided) = (tally, tally.provided());
    if provided == 0 {
        return missing();
    }
    let mut lines = vec![format!("{agree}/{provided}")];
    if known > 0 {
        lines.push(format!("{known} known"));
    }
    if differ > 0 {
        lines.push(format!("{differ} differ"));
    }
    let color = match (differ, known) {
        (0, 0) => Color::DarkGreen,
        (0, _) => Color::DarkYellow,
        _ => Color::DarkRed,
    };
    Cell::new(lines.join("\n")).fg(color)
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
