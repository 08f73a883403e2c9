//! What may have been meant by an id that is none.

/// How many to name.
const NAMED: usize = 5;

/// The message for an unknown id: with the ids that hold it, or else those with the fewest letters changed.
pub(super) fn unknown<'a>(id: &str, ids: impl Iterator<Item = &'a str>) -> String {
    let mut ids: Vec<(usize, &str)> =
        ids.map(|known| (if known.contains(id) { 0 } else { distance(id, known) }, known)).collect();
    ids.sort();
    let near: Vec<String> = ids.iter().take(NAMED).map(|(_, known)| format!("\n  {known}")).collect();
    match near.as_slice() {
        [] => format!("there is no case `{id}`, nor any other"),
        near => format!("there is no case `{id}`; the nearest are{}", near.concat()),
    }
}

/// The Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "abc", 3), ("kitten", "sitting", 3), ("mean", "mean", 0), ("sum", "mean", 4)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
