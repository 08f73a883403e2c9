//! Tables in Markdown.

/// Returns a table. The columns after the first `left` are aligned to the right.
pub fn table(header: &[&str], left: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rules = (0..header.len()).map(|column| if column < left { "---" } else { "---:" });
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let rules: Vec<String> = rules.map(str::to_owned).collect();
    [line(&header), line(&rules)].into_iter().chain(rows.map(|row| line(&row))).collect()
}
