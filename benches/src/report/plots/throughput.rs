//! How much of the memory's bandwidth the reference uses.

use std::collections::BTreeMap;
use std::io;

use losscheck::backend::Pass;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Axis, BLACK, COLOURS, Canvas, GREY, LABEL, Mark, PALE, TITLE, tick};
use super::{Row, rows};
use crate::report::document::{Performance, REFERENCE};
use crate::statistics::median;

const SIZE: (u32, u32) = (1080, 720);
const X: (i32, i32) = (80, 800);
/// From the bottom to the top.
const Y: (i32, i32) = (640, 70);
/// Where the names of the losses begin, to the right of the axis, and how far apart they are at least.
const NAMES: i32 = 840;
const APART: i32 = 17;

/// One workload.
pub(crate) struct Point<'a> {
    loss: &'a str,
    bytes: f64,
    speed: f64,
    /// The speed of a copy of as many bytes.
    copy: Option<f64>,
}

pub(crate) fn title(pass: Pass) -> String {
    format!("Gigabytes a second of the reference: {pass}, f32, one thread")
}

pub(crate) fn points(performance: &Performance, pass: Pass) -> Vec<Point<'_>> {
    let point = |row| {
        let speed = Row::bandwidth(row, row.nanoseconds(REFERENCE)?);
        let copy = row.copy.map(|copy| row.bandwidth(copy.nanoseconds));
        Some(Point { loss: &row.loss, bytes: row.bytes as f64, speed, copy })
    };
    rows(performance, pass).filter_map(point).collect()
}

pub(crate) fn draw(performance: &Performance, pass: Pass) -> io::Result<String> {
    let points = points(performance, pass);
    let copies = copies(&points);
    let mut svg = String::new();
    let speeds = points.iter().map(|point| point.speed).chain(copies.iter().map(|(_, speed)| *speed));
    let axes = Axis::new(points.iter().map(|point| point.bytes), X).zip(Axis::new(speeds, Y));
    let Some((x, y)) = axes else { return Ok(svg) };
    let canvas = Canvas::new(&mut svg, SIZE)?;
    canvas.text(&title(pass), (SIZE.0 as i32 / 2, 14), TITLE, BLACK, (HPos::Center, VPos::Top))?;
    for bytes in x.binary_ticks() {
        let at = x.pixel(bytes);
        canvas.line(vec![(at, Y.0), (at, Y.1)], PALE, 1)?;
        canvas.text(&size(bytes), (at, Y.0 + 6), LABEL, BLACK, (HPos::Center, VPos::Top))?;
    }
    for speed in y.decimal_ticks() {
        let at = y.pixel(speed);
        canvas.line(vec![(X.0, at), (X.1, at)], PALE, 1)?;
        canvas.text(&tick(speed), (X.0 - 8, at), LABEL, BLACK, (HPos::Right, VPos::Center))?;
    }
    canvas.text("bytes read and written", (X.1, Y.0 + 30), LABEL, GREY, (HPos::Right, VPos::Top))?;
    canvas.text("GB/s", (X.0 - 8, Y.1 - 22), LABEL, GREY, (HPos::Right, VPos::Center))?;

    let mut names = Vec::new();
    for (place, of_loss) in points.chunk_by(|one, other| one.loss == other.loss).enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let mut line: Vec<_> = of_loss.iter().map(|point| (x.pixel(point.bytes), y.pixel(point.speed))).collect();
        line.sort_unstable();
        for &point in &line {
            canvas.mark(Mark::Circle, point, colour)?;
        }
        let Some(&last) = line.last() else { continue };
        names.push((last, of_loss[0].loss, colour));
        canvas.line(line, colour, 1)?;
    }
    if !copies.is_empty() {
        let line = copies.iter().map(|&(bytes, speed)| (x.pixel(bytes), y.pixel(speed))).collect();
        canvas.line(line, BLACK, 4)?;
        canvas.line(vec![(X.0 + 12, Y.1 - 20), (X.0 + 52, Y.1 - 20)], BLACK, 4)?;
        canvas.text("a copy", (X.0 + 60, Y.1 - 20), LABEL, BLACK, (HPos::Left, VPos::Center))?;
    }

    names.sort_by_key(|&((x, y), name, _)| (y, x, name));
    let places = spread(&names.iter().map(|&((_, y), ..)| y).collect::<Vec<_>>(), Y.1, Y.0);
    for (&(last, name, colour), place) in names.iter().zip(places) {
        canvas.line(vec![last, (X.1 + 4, last.1), (NAMES - 4, place)], colour, 1)?;
        canvas.text(name, (NAMES, place), LABEL, colour, (HPos::Left, VPos::Center))?;
    }
    canvas.finish()?;
    Ok(svg)
}

/// The bandwidth of a copy over its bytes: what is typical from one power of two to the next.
fn copies(points: &[Point<'_>]) -> Vec<(f64, f64)> {
    let mut by_power: BTreeMap<u32, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for (bytes, speed) in points.iter().filter_map(|point| Some((point.bytes, point.copy?))) {
        let (of_bytes, of_speeds) = by_power.entry((bytes as u64).ilog2()).or_default();
        of_bytes.push(bytes);
        of_speeds.push(speed);
    }
    by_power.values().filter_map(|(bytes, speeds)| Some((median(bytes)?, median(speeds)?))).collect()
}

/// Places as near to the wanted ones as they can be without touching, between two others; wanted ones are sorted.
fn spread(wanted: &[i32], top: i32, bottom: i32) -> Vec<i32> {
    let mut places = wanted.to_vec();
    let mut least = top;
    for place in &mut places {
        *place = (*place).max(least);
        least = *place + APART;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(most);
        most = *place - APART;
    }
    places
}

/// Bytes, which are a power of 16.
fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut number = bytes;
    let mut units = UNITS.into_iter();
    let mut unit = units.next();
    while number >= 1024.0 {
        let Some(next) = units.next() else { break };
        (number, unit) = (number / 1024.0, Some(next));
    }
    format!("{number} {}", unit.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_touch() {
        assert_eq!(spread(&[100, 101, 300], 0, 400), [100, 117, 300]);
        assert_eq!(spread(&[395, 398], 0, 400), [383, 400]);
    }

    #[test]
    fn a_copy_is_drawn_where_it_is_typical() {
        let point = |bytes, copy| Point { loss: "l1_loss", bytes, speed: 1.0, copy };
        let points =
            [point(1100.0, Some(9.0)), point(1024.0, Some(1.0)), point(1200.0, Some(5.0)), point(4096.0, None)];
        assert_eq!(copies(&points), [(1100.0, 5.0)]);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!([256.0, 4096.0, 1_048_576.0].map(size), ["256 B", "4 KiB", "1 MiB"]);
    }
}
