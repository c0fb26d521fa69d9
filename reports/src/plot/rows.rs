//! Drawing values of things without an order: a row each, the values along it.

use super::canvas::{Canvas, Drawn, Hold, size, width};
use super::curves::{SIZE, bar};
use super::palette::{GRID, INK, colour};
use super::scale::{Scale, ticks};
use super::{Curve, Figure, Mark};
use crate::text;
use plotters::prelude::*;

/// Units from row to row.
const ROW: f64 = 44.0;
const TOP: f64 = 104.0;
const FOOT: f64 = 94.0;

/// The room of the rows, and the scale along them.
pub(super) struct Frame {
    left: f64,
    right: f64,
    bottom: f64,
    values: Scale,
    ticks: Vec<f64>,
}

/// The height of a figure with so many rows.
pub(super) fn height(rows: usize) -> f64 {
    TOP + ROW * rows as f64 + FOOT
}

impl Frame {
    pub(super) fn of(rows: &[String], curves: &[Curve]) -> Self {
        let widest = rows.iter().map(|r| width(r, size::LABEL, false)).fold(0.0, f64::max);
        let (left, right) = (26.0 + widest.min(SIZE.0 / 2.0), SIZE.0 - 40.0);
        let reach = curves.iter().flat_map(|c| &c.marks).map(Mark::reach).fold(0.0, f64::max);
        let ticks = ticks(reach, 8);
        let values = Scale::linear((0.0, ticks.last().copied().unwrap_or(1.0)), (left, right));
        Self { left, right, bottom: TOP + ROW * rows.len() as f64, values, ticks }
    }

    /// The place of a value in a row; none outside.
    pub(super) fn place(&self, row: f64, value: f64) -> Option<(f64, f64)> {
        Some((self.values.place(value)?, TOP + ROW * (row + 0.5)))
    }
}

/// Draws the body of a figure of rows.
pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    figure: &Figure,
    rows: &[String],
    curves: &[Curve],
    f: &Frame,
) -> Drawn<DB> {
    let step = f.ticks.get(1).copied().unwrap_or(1.0);
    for value in &f.ticks {
        let Some(x) = f.values.place(*value) else { continue };
        canvas.line(&[(x, TOP), (x, f.bottom)], GRID.to_rgba(), 1.0)?;
        let label = text::fixed(*value, text::decimals(step).saturating_sub(2));
        canvas.text(&label, (x, f.bottom + 16.0), (size::LABEL, false), INK, Hold::Middle)?;
    }
    canvas.line(&[(f.left, TOP), (f.left, f.bottom)], INK.to_rgba(), 1.2)?;
    let middle = (f.left + f.right) / 2.0;
    canvas.text(&figure.values, (middle, f.bottom + 39.0), (size::LABEL, false), INK, Hold::Middle)?;
    for (i, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        canvas.text(row, (f.left - 10.0, y), (size::LABEL, false), INK, Hold::Right)?;
    }
    let mut x = f.left;
    for curve in curves {
        canvas.marker((x + 5.0, TOP - 20.0), curve.colour, 4.0)?;
        canvas.text(
            &curve.label,
            (x + 15.0, TOP - 20.0),
            (size::LABEL, false),
            colour(curve.colour),
            Hold::Left,
        )?;
        x += width(&curve.label, size::LABEL, false) + 40.0;
        marks(canvas, f, curve)?;
    }
    Ok(())
}

fn marks<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, f: &Frame, curve: &Curve) -> Drawn<DB> {
    let c = colour(curve.colour);
    for mark in &curve.marks {
        for at in mark.trials.iter().filter_map(|v| f.place(mark.x, *v)) {
            canvas.dot((at.0, at.1 + 10.0), 2.0, c.mix(0.45))?;
        }
        if let Some((low, high)) = mark.interval
            && let (Some(low), Some(high)) = (f.place(mark.x, low), f.place(mark.x, high))
            && high.0 - low.0 > 7.0
        {
            bar(canvas, low, high, c.to_rgba())?;
        }
        if let Some(at) = f.place(mark.x, mark.y) {
            canvas.marker(at, curve.colour, 4.5)?;
        }
    }
    Ok(())
}
