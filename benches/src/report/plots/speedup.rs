//! How many times as fast as tch the reference is, loss by loss.

use losscheck::backend::Pass;

use super::canvas::tick;
use super::dots::DotPlot;
use super::dots_of;
use crate::report::document::{Against, Performance};

/// Returns the plot of a pass.
pub(crate) fn plot(performance: &Performance, pass: Pass) -> DotPlot<'_> {
    DotPlot {
        title: format!("How many times as fast as tch the reference is: {pass}, f32, one thread"),
        dots: dots_of(performance, pass, |row| row.speed_up(Against::Backend("tch"))),
        most: f64::INFINITY,
        written: |ratio| format!("{}×", tick(ratio)),
        remark: "faster than tch →",
    }
}
