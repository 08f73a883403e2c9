//! How far each loss is from its limit.

use losscheck::backend::Pass;

use super::canvas::tick;
use super::dots::DotPlot;
use super::dots_of;
use crate::report::document::{Performance, Row};

/// The largest share of the limit with a place of its own on the axis. A loss that does not read all of its input, such as the
/// negative log-likelihood, takes a small part of the time of a copy.
const MOST: f64 = 2.0;

/// Returns the plot of a pass.
pub(crate) fn plot(performance: &Performance, pass: Pass) -> DotPlot<'_> {
    DotPlot {
        title: format!("The reference's speed as a share of its limit: {pass}, f32, one thread"),
        dots: dots_of(performance, pass, Row::share_of_limit),
        most: MOST,
        written: |share| format!("{} %", tick(100.0 * share)),
        remark: "100 %: as fast as a copy of the same bytes, or as the elementary functions alone if they take longer",
    }
}
