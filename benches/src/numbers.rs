//! Numbers and texts for people.

use crate::statistics::significant;

/// Returns a number with three digits or, if it is large, with all before the point.
pub(crate) fn digits(number: f64) -> String {
    let number = significant(number, 3);
    if number == 0.0 {
        return "0".to_owned();
    }
    // From nanoseconds of an element to those of a batch: an i32 holds the exponent of any number.
    let decimals = (2 - number.abs().log10().floor() as i32).clamp(0, 9) as usize;
    format!("{number:.decimals$}")
}

/// Returns how many times, for people.
pub(crate) fn times(ratio: f64) -> String {
    format!("{}×", digits(ratio))
}

/// Returns a share in percent, for people.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent.abs() < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Returns a number of things, in words.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Returns text from a file in a form that ends neither a cell of a table nor a line.
pub(crate) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let texts = [0.0, 0.012_34, 0.999_6, 1.0, 9.996, 12.34, 123.4, 12_345.0].map(digits);
        assert_eq!(texts, ["0", "0.0123", "1.00", "1.00", "10.0", "12.3", "123", "12300"]);
        assert_eq!((percent(0.0123), percent(0.85), times(2.5)), ("1.2 %".into(), "85 %".into(), "2.50×".into()));
    }

    #[test]
    fn texts_stay_in_their_cell() {
        assert_eq!(plain("a | b\nc"), "a \\| b c");
    }
}
