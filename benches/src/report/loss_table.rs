//! The table of one loss, with what has to be said beneath it.

use losscheck::markdown::table;

use crate::numbers::{digits, percent, plain, times};
use crate::record::ELEMENTARY;
use crate::report::document::{Performance, REFERENCE, REFERENCE_INTO, Row};

/// By how much a time may be longer than the best and still count as one.
const TIE: f64 = 0.025;

/// Returns the table of a loss, from its rows.
pub(crate) fn loss_table(performance: &Performance, rows: &[&Row]) -> String {
    let backends: Vec<&str> = performance.backends.iter().map(String::as_str).collect();
    let notes = Notes::new(&backends, rows);
    let threads = performance.has_several_runs();
    let elementary = rows.iter().any(|row| row.elementary.is_some());
    let workspace = rows.iter().any(|row| row.workspace.is_some());
    let line = |row: &&Row| {
        let best = row.best();
        let mut line = vec![row.pass.to_string(), format!("{}{}", row.shape, row.noise_mark()), row.dtype.clone()];
        line.push(row.size.to_string());
        if threads {
            line.push(row.threads.to_string());
        }
        line.extend(backends.iter().map(|backend| cell(row, backend, best, &notes)));
        let reference = row.nanoseconds(REFERENCE);
        let none = || "–".to_owned();
        if elementary {
            line.push(row.elementary.map_or_else(none, |figure| digits(figure.nanoseconds / row.elements as f64)));
        }
        line.push(reference.map_or_else(none, |time| digits(row.bandwidth(time))));
        line.push(reference.and_then(|time| row.share_of_copy(time)).map_or_else(none, percent));
        if workspace {
            line.push(row.workspace.map_or_else(none, |workspace| digits(workspace.bytes as f64 / 1e3)));
        }
        line
    };
    let header: Vec<&str> = ["pass", "shape", "dtype", "size"]
        .into_iter()
        .chain(threads.then_some("threads"))
        .chain(backends.iter().copied())
        .chain(elementary.then_some(ELEMENTARY))
        .chain(["GB/s", "of a copy"])
        .chain(workspace.then_some("workspace"))
        .collect();
    let mut text = table(&header, if threads { 5 } else { 4 }, rows.iter().map(line));
    text.push_str(&notes.text(rows));
    text
}

/// Returns a cell of the table: nanoseconds per element, and how many times those of the best.
fn cell(row: &Row, backend: &str, best: Option<f64>, notes: &Notes<'_>) -> String {
    let Some(time) = row.nanoseconds(backend) else {
        return notes.mark(row.absence(backend).unwrap_or_default());
    };
    let written = digits(time / row.elements as f64);
    // Without an allocation it is no rival of the others.
    let Some(best) = best.filter(|_| backend != REFERENCE_INTO) else { return written };
    let ratio = times(time / best);
    if time <= best * (1.0 + TIE) { format!("**{written}** ({ratio})") } else { format!("{written} ({ratio})") }
}

/// The reasons for what is missing, each with the backends that it is the reason of.
struct Notes<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl<'a> Notes<'a> {
    fn new(backends: &[&'a str], rows: &[&'a Row]) -> Self {
        let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
        for &backend in backends {
            for reason in rows.iter().filter_map(|row| row.absence(backend)) {
                match notes.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, of)) if of.contains(&backend) => {}
                    Some((_, of)) => of.push(backend),
                    None => notes.push((reason, vec![backend])),
                }
            }
        }
        Self(notes)
    }

    /// Returns the mark of a reason, without a number if there is just one.
    fn mark(&self, reason: &str) -> String {
        let place = self.0.iter().position(|(known, _)| *known == reason).filter(|_| self.0.len() > 1);
        place.map_or_else(|| "†".to_owned(), |place| format!("†{}", place + 1))
    }

    fn text(&self, rows: &[&Row]) -> String {
        let mut lines = Vec::new();
        for (reason, backends) in &self.0 {
            let backends: Vec<String> = backends.iter().map(|backend| format!("`{backend}`")).collect();
            lines.push(format!("{} {}: {}", self.mark(reason), backends.join(", "), plain(reason)));
        }
        let mut reasons: Vec<&str> = rows.iter().filter_map(|row| row.noisy.as_deref()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        lines.extend(reasons.into_iter().map(|reason| format!("‡ noisy: {}", plain(reason))));
        if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("<br>\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Workspace;
    use crate::report::document::Figure;
    use crate::report::document::tests::{absent, performance, row};

    #[test]
    fn the_best_are_bold_and_what_is_missing_has_its_reason() {
        let first =
            row("mse_loss", 100, &[("reference", 102.4), ("reference-into", 50.0), ("candle", 102.6), ("tch", 100.0)]);
        let second = absent(row("mse_loss", 200, &[("reference", 400.0), ("tch", 800.0)]), "candle", "no such | loss");
        let second = Row { noisy: Some("a build".to_owned()), ..second };
        let performance = performance(vec![first, second]);
        let text = loss_table(&performance, &performance.rows.iter().collect::<Vec<_>>());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "| pass | shape | dtype | size | reference | reference-into | candle | tch | GB/s | of a copy |",
                "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
                "| forward | 100 | f32 | small | **1.02** (1.02×) | 0.500 | 1.03 (1.03×) | **1.00** (1.00×) | 11.7 | 117 % |",
                "| forward | 200 ‡ | f32 | small | **2.00** (1.00×) | †1 | †2 | 4.00 (2.00×) | 6.00 | 60 % |",
                "",
                "†1 `reference-into`: not measured<br>",
                "†2 `candle`: no such \\| loss<br>",
                "‡ noisy: a build",
            ]
        );
    }

    #[test]
    fn what_one_row_has_beside_the_backends_is_a_column() {
        let mut first = row("mse_loss", 100, &[("reference", 100.0)]);
        first.elementary = Some(Figure { nanoseconds: 80.0, spread: 0.0 });
        first.workspace = Some(Workspace { bytes: 40, documented: 8192 });
        let performance = performance(vec![first, row("mse_loss", 200, &[("reference", 400.0)])]);
        let text = loss_table(&performance, &performance.rows.iter().collect::<Vec<_>>());
        assert!(text.contains("| reference | elementary | GB/s | of a copy | workspace |"), "{text}");
        assert!(text.contains("| **1.00** (1.00×) | 0.800 | 12.0 | 120 % | 0.0400 |"), "{text}");
        assert!(text.contains("| **2.00** (1.00×) | – | 6.00 | 60 % | – |"), "{text}");
    }

    #[test]
    fn a_single_note_has_no_number_and_none_no_lines() {
        let all = performance(vec![row("mse_loss", 100, &[("reference", 1.0), ("tch", 1.0)])]);
        assert!(!loss_table(&all, &[&all.rows[0]]).contains('†'));
        let one = row("mse_loss", 100, &[("reference", 1.0)]);
        let one = performance(vec![absent(absent(one, "tch", "none"), "candle", "none")]);
        let text = loss_table(&one, &[&one.rows[0]]);
        assert!(text.contains("| † | † |") && text.ends_with("\n† `candle`, `tch`: none\n"), "{text}");
    }
}
