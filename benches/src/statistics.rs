//! Medians, spreads and means.

/// Returns the number in the middle, or between the two in the middle; `None` if there is none.
pub(crate) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

/// Returns the median of the distances to the median, as a share of it.
pub(crate) fn spread(numbers: &[f64]) -> Option<f64> {
    let middle = median(numbers)?;
    let distances: Vec<f64> = numbers.iter().map(|number| (number - middle).abs()).collect();
    median(&distances).map(|distance| distance / middle)
}

/// Returns the geometric mean of positive numbers; `None` if there are none.
pub(crate) fn geometric_mean(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = numbers.into_iter().fold((0_u32, 0.0), |(count, sum), number| (count + 1, sum + number.ln()));
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

/// Returns a number to so many significant digits.
pub(crate) fn significant(number: f64, digits: usize) -> f64 {
    // A number in decimal is a number again.
    format!("{number:.*e}", digits.saturating_sub(1)).parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_spread_does_not_mind_one_outlier() {
        assert_eq!(spread(&[9.0, 10.0, 11.0, 10.0, 1000.0]), Some(0.1));
        assert_eq!(spread(&[7.0]), Some(0.0));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_geometric_mean_of_ratios() {
        assert!((geometric_mean([0.5, 2.0, 8.0]).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(geometric_mean([]), None);
    }

    #[test]
    fn four_digits_are_kept() {
        assert_eq!(significant(123_456.0, 4), 123_500.0);
        assert_eq!(significant(0.012_345_6, 4), 0.012_35);
        assert_eq!(significant(0.0, 4), 0.0);
    }
}
