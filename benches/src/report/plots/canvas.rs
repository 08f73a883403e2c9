//! Drawing in pixels, and logarithmic axes.

use std::io;

use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoTextStyle, RGBColor, ShapeStyle};

pub(crate) const BLACK: RGBColor = RGBColor(0x20, 0x20, 0x20);
pub(crate) const GREY: RGBColor = RGBColor(0x60, 0x60, 0x60);
pub(crate) const PALE: RGBColor = RGBColor(0xe0, 0xe0, 0xe0);
const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// The height of text that labels something.
pub(crate) const LABEL: u32 = 15;
/// The height of a title.
pub(crate) const TITLE: u32 = 19;

/// A point in pixels, from the upper left corner.
pub(crate) type Point = (i32, i32);

/// The form of a point, so that colours alone need not tell points apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// Something to draw on, white at first.
pub(crate) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl<'a> Canvas<'a> {
    pub(crate) fn new(svg: &'a mut String, size: (u32, u32)) -> io::Result<Self> {
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        done(area.fill(&WHITE))?;
        Ok(Self(area))
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        done(self.0.present())
    }

    pub(crate) fn line(&self, points: Vec<Point>, colour: RGBColor, width: u32) -> io::Result<()> {
        done(self.0.draw(&PathElement::new(points, colour.stroke_width(width))))
    }

    pub(crate) fn mark(&self, (mark, colour): (Mark, RGBColor), (x, y): Point) -> io::Result<()> {
        let style: ShapeStyle = colour.filled();
        match mark {
            Mark::Circle => done(self.0.draw(&Circle::new((x, y), 4, style))),
            Mark::Square => done(self.0.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], style))),
            Mark::Triangle => done(self.0.draw(&Polygon::new(vec![(x, y - 5), (x + 5, y + 4), (x - 5, y + 4)], style))),
            Mark::Diamond => {
                done(self.0.draw(&Polygon::new(vec![(x, y - 6), (x + 5, y), (x, y + 6), (x - 5, y)], style)))
            }
        }
    }

    pub(crate) fn text(
        &self,
        text: &str,
        at: Point,
        height: u32,
        colour: RGBColor,
        (h_pos, v_pos): (HPos, VPos),
    ) -> io::Result<()> {
        let style = ("sans-serif", height).with_color(colour).into_text_style(&self.0).pos(Pos::new(h_pos, v_pos));
        done(self.0.draw(&Text::new(text, at, style)))
    }
}

/// Converts an error of the library. The backend writes into a string, so that none is expected.
fn done<T, E: std::error::Error + Send + Sync>(
    result: Result<T, plotters::drawing::DrawingAreaErrorKind<E>>,
) -> io::Result<T> {
    result.map_err(|error| io::Error::other(format!("a plot cannot be drawn: {error}")))
}

/// A logarithmic axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// The numbers at its ends.
    numbers: (f64, f64),
    /// The pixels at its ends.
    pixels: (i32, i32),
}

impl Axis {
    /// Returns an axis with place for these positive numbers; `None` if there are none.
    pub(crate) fn new(numbers: impl IntoIterator<Item = f64>, pixels: (i32, i32)) -> Option<Self> {
        let ends = |ends: Option<(f64, f64)>, number: f64| {
            let (low, high) = ends.unwrap_or((number, number));
            Some((low.min(number), high.max(number)))
        };
        // Quotients of times may be out of range.
        let drawn = numbers.into_iter().filter(|number| *number > 0.0 && number.is_finite());
        let (low, high) = drawn.fold(None, ends)?;
        // A margin, so that no point lies on an edge.
        Some(Self { numbers: (low / 1.15, high * 1.15), pixels })
    }

    /// Returns the pixel of a number, or of the nearer end if the number is not on the axis.
    pub(crate) fn pixel(&self, number: f64) -> i32 {
        let (low, high) = self.numbers;
        let (from, to) = (f64::from(self.pixels.0), f64::from(self.pixels.1));
        let pixel = from + (to - from) * (number / low).ln() / (high / low).ln();
        pixel.round().clamp(from.min(to), from.max(to)) as i32
    }

    /// Returns the numbers on the axis of the form 1, 2 or 5 times a power of ten; on a long axis only the powers.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.numbers;
        let digits: &[f64] = if high / low > 2000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| digits.iter().map(move |digit| digit * 10_f64.powi(decade)));
        ticks.filter(|tick| (low..=high).contains(tick)).collect()
    }
}

/// Returns a number on an axis, without more digits than it has.
pub(crate) fn tick(number: f64) -> String {
    // Products with powers of ten are not exact.
    crate::statistics::significant(number, 3).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_logarithmic() {
        let axis = Axis::new([1.0, 100.0], (0, 1000)).unwrap();
        assert_eq!(axis.pixel(10.0), 500);
        assert!(axis.pixel(1.0) > 0 && axis.pixel(100.0) < 1000);
        let ticks: Vec<String> = axis.ticks().into_iter().map(tick).collect();
        assert_eq!(ticks, ["1", "2", "5", "10", "20", "50", "100"]);
        assert!(Axis::new([], (0, 1)).is_none());
        let axis = Axis::new([0.0, 1.0, 100.0, f64::INFINITY], (1000, 0)).unwrap();
        assert_eq!([0.0, 10.0, f64::INFINITY].map(|number| axis.pixel(number)), [1000, 500, 0]);
    }
}
