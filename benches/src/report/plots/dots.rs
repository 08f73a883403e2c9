//! A plot with a line for each loss, and a mark on it for each workload.

use std::io;

use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Axis, BLACK, Canvas, GREY, LABEL, Mark, PALE, TITLE};
use crate::size::Size;

const WIDTH: i32 = 960;
/// Where the axis begins and ends; the names of the losses stand to its left.
const AXIS: (i32, i32) = (270, 930);
const TOP: i32 = 90;
const LINE: i32 = 24;
const BOTTOM: i32 = 56;

/// What a plot shows.
pub(crate) struct DotPlot<'a> {
    /// What the numbers are.
    pub(crate) title: String,
    /// The marks, those of a loss beside each other.
    pub(crate) dots: Vec<Dot<'a>>,
    /// The largest number with a place of its own on the axis; larger ones are at its end.
    pub(crate) most: f64,
    /// How a number is written below the axis.
    pub(crate) written: fn(f64) -> String,
    /// What there is to say about the line at 1 or the axis.
    pub(crate) remark: &'static str,
}

/// One workload.
pub(crate) struct Dot<'a> {
    pub(crate) loss: &'a str,
    pub(crate) size: Size,
    pub(crate) number: f64,
}

/// Returns how the workloads of a size are marked.
fn mark(size: Size) -> (Mark, RGBColor) {
    // Colours that the colour-blind tell apart, too.
    match size {
        Size::Small => (Mark::Circle, RGBColor(0x00, 0x72, 0xb2)),
        Size::L2 => (Mark::Square, RGBColor(0xd5, 0x5e, 0x00)),
        Size::L3 => (Mark::Triangle, RGBColor(0x00, 0x9e, 0x73)),
        Size::Memory => (Mark::Diamond, RGBColor(0xcc, 0x79, 0xa7)),
    }
}

impl DotPlot<'_> {
    /// Returns the plot as SVG, which is empty if no dot can be drawn.
    pub(crate) fn draw(&self) -> io::Result<String> {
        let Self { title, dots, most, written, remark } = self;
        let mut losses: Vec<&str> = dots.iter().map(|dot| dot.loss).collect();
        losses.dedup();
        let bottom = TOP + LINE * losses.len() as i32;
        let mut svg = String::new();
        let numbers = dots.iter().map(|dot| dot.number.min(*most)).chain([1.0]);
        let Some(axis) = Axis::new(numbers, AXIS) else { return Ok(svg) };
        let canvas = Canvas::new(&mut svg, (WIDTH as u32, (bottom + BOTTOM) as u32))?;
        canvas.text(title, (WIDTH / 2, 14), TITLE, BLACK, (HPos::Center, VPos::Top))?;

        for (place, size) in Size::ALL.into_iter().enumerate() {
            let (x, y) = (AXIS.0 + 20 + 120 * place as i32, 60);
            canvas.mark(mark(size), (x, y))?;
            canvas.text(size.name(), (x + 12, y), LABEL, BLACK, (HPos::Left, VPos::Center))?;
        }
        for number in axis.ticks() {
            let x = axis.pixel(number);
            canvas.line(vec![(x, TOP), (x, bottom)], PALE, 1)?;
            canvas.text(&written(number), (x, bottom + 6), LABEL, BLACK, (HPos::Center, VPos::Top))?;
        }
        let one = axis.pixel(1.0);
        canvas.line(vec![(one, TOP), (one, bottom)], GREY, 2)?;
        canvas.text(remark, (AXIS.1, bottom + 30), LABEL, GREY, (HPos::Right, VPos::Top))?;

        for (place, &loss) in losses.iter().enumerate() {
            let y = TOP + LINE * place as i32 + LINE / 2;
            canvas.text(loss, (AXIS.0 - 10, y), LABEL, BLACK, (HPos::Right, VPos::Center))?;
            canvas.line(vec![(AXIS.0, y), (AXIS.1, y)], PALE, 1)?;
            for dot in dots.iter().filter(|dot| dot.loss == loss) {
                // One above the other, so that none hides another.
                let y = y + 4 * dot.size as i32 - 6;
                canvas.mark(mark(dot.size), (axis.pixel(dot.number), y))?;
            }
        }
        canvas.finish()?;
        Ok(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beyond_the_axis_is_drawn_at_its_end() {
        let draw = |number| {
            let dot = |number| Dot { loss: "l1_loss", size: Size::Small, number };
            let dots = vec![dot(0.5), dot(number)];
            let plot =
                DotPlot { title: String::new(), dots, most: 2.0, written: |number| number.to_string(), remark: "" };
            plot.draw().unwrap()
        };
        assert_eq!(draw(500.0), draw(1000.0));
        assert_ne!(draw(500.0), draw(1.0));
    }
}
