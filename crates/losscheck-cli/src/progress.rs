//! The progress bar: on standard error, and only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for that many cases.
pub(crate) fn bar(cases: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} cases {eta} left").expect("the template is valid");
    ProgressBar::new(cases as u64).with_style(style)
}
