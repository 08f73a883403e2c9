//! How many times as fast as tch the reference is, loss by loss.

use std::io;

use losscheck::backend::Pass;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Axis, BLACK, COLOURS, Canvas, GREY, LABEL, Mark, PALE, TITLE, tick};
use super::rows;
use crate::report::document::{Against, Performance};
use crate::size::Size;

const WIDTH: i32 = 960;
/// Where the axis begins and ends; the names of the losses stand to its left.
const AXIS: (i32, i32) = (270, 930);
const TOP: i32 = 90;
const LINE: i32 = 24;
const BOTTOM: i32 = 56;

/// One workload.
pub(crate) struct Point<'a> {
    loss: &'a str,
    size: Size,
    ratio: f64,
}

pub(crate) fn title(pass: Pass) -> String {
    format!("How many times as fast as tch the reference is: {pass}, f32, one thread")
}

pub(crate) fn points(performance: &Performance, pass: Pass) -> Vec<Point<'_>> {
    let point = |row| {
        let ratio = super::Row::speed_up(row, Against::Backend("tch"))?;
        Some(Point { loss: &row.loss, size: row.size, ratio })
    };
    rows(performance, pass).filter_map(point).collect()
}

fn mark(size: Size) -> Mark {
    match size {
        Size::Small => Mark::Circle,
        Size::L2 => Mark::Square,
        Size::L3 => Mark::Triangle,
        Size::Memory => Mark::Diamond,
    }
}

pub(crate) fn draw(performance: &Performance, pass: Pass) -> io::Result<String> {
    let points = points(performance, pass);
    let mut losses: Vec<&str> = points.iter().map(|point| point.loss).collect();
    losses.dedup();
    let bottom = TOP + LINE * losses.len() as i32;
    let mut svg = String::new();
    let Some(axis) = Axis::new(points.iter().map(|point| point.ratio).chain([1.0]), AXIS) else { return Ok(svg) };
    let canvas = Canvas::new(&mut svg, (WIDTH as u32, (bottom + BOTTOM) as u32))?;
    canvas.text(&title(pass), (WIDTH / 2, 14), TITLE, BLACK, (HPos::Center, VPos::Top))?;

    for (place, size) in Size::ALL.into_iter().enumerate() {
        let (x, y) = (AXIS.0 + 20 + 120 * place as i32, 60);
        canvas.mark(mark(size), (x, y), COLOURS[place])?;
        canvas.text(size.name(), (x + 12, y), LABEL, BLACK, (HPos::Left, VPos::Center))?;
    }
    for number in axis.decimal_ticks() {
        let x = axis.pixel(number);
        canvas.line(vec![(x, TOP), (x, bottom)], PALE, 1)?;
        canvas.text(&format!("{}×", tick(number)), (x, bottom + 6), LABEL, BLACK, (HPos::Center, VPos::Top))?;
    }
    let one = axis.pixel(1.0);
    canvas.line(vec![(one, TOP), (one, bottom)], GREY, 2)?;
    canvas.text("faster than tch →", (AXIS.1, bottom + 30), LABEL, GREY, (HPos::Right, VPos::Top))?;

    for (place, &loss) in losses.iter().enumerate() {
        let y = TOP + LINE * place as i32 + LINE / 2;
        canvas.text(loss, (AXIS.0 - 10, y), LABEL, BLACK, (HPos::Right, VPos::Center))?;
        canvas.line(vec![(AXIS.0, y), (AXIS.1, y)], PALE, 1)?;
        for point in points.iter().filter(|point| point.loss == loss) {
            let colour = COLOURS[point.size as usize];
            // One above the other, so that none hides another.
            let y = y + 4 * point.size as i32 - 6;
            canvas.mark(mark(point.size), (axis.pixel(point.ratio), y), colour)?;
        }
    }
    canvas.finish()?;
    Ok(svg)
}
