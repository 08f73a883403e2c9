//! The progress bar: on standard error, and only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for that many things, which it names.
pub(crate) fn bar(number: usize, things: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix}{bar:40} {pos}/{len} {msg} {eta} left").expect("the template is valid");
    ProgressBar::new(number as u64).with_style(style).with_message(things)
}
