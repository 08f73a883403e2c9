//! What a loss refuses, and why.

/// Why a loss refuses its input.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor has a shape that does not go with the others.
    #[error("`{name}` has shape {shape:?}, expected {expected}")]
    Shape {
        /// The tensor.
        name: &'static str,
        /// Its shape.
        shape: Vec<usize>,
        /// What was expected.
        expected: String,
    },
    /// An index is not that of a class.
    #[error("`target` holds the index {index} at row {row}, expected 0 to {}{}", classes.saturating_sub(1), or(*exception))]
    Index {
        /// The index.
        index: i64,
        /// The row, counted over all rows in order.
        row: usize,
        /// The number of classes.
        classes: usize,
        /// The index that is not a class's but has a meaning: `ignore_index`, or the end of a list.
        exception: Option<i64>,
    },
    /// An integer is out of range.
    #[error("`{name}` holds {value} at {place}, expected 0 to {largest}")]
    Integer {
        /// The tensor.
        name: &'static str,
        /// The integer.
        value: i64,
        /// Where it stands, counted over all that count.
        place: usize,
        /// The largest that is allowed.
        largest: usize,
    },
    /// An element is outside its domain.
    #[error("`{name}` holds {value}, expected {expected}")]
    Domain {
        /// The tensor.
        name: &'static str,
        /// The element.
        value: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// An option is outside its range.
    #[error("`{name}` is {value}, expected {expected}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// An input or option does not go with another.
    #[error("`{name}` {found}, expected {expected}")]
    Combination {
        /// The input or option.
        name: &'static str,
        /// What it is.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// Classes are not cut into clusters.
    #[error("`cutoffs` is {cutoffs:?}, expected one or more increasing numbers from 1 to {}", n_classes.saturating_sub(1))]
    Cutoffs {
        /// The option.
        cutoffs: Vec<usize>,
        /// The number of classes.
        n_classes: usize,
    },
}

fn or(exception: Option<i64>) -> String {
    exception.map_or_else(String::new, |index| format!(" or {index}"))
}
