//! Drawing curves over a numeric axis.

use super::canvas::{Canvas, Drawn, Hold, size, width};
use super::palette::{GRID, INK, MUTED, colour};
use super::scale::{Scale, spread, ticks};
use super::{Curve, Figure, Mark};
use crate::text;
use plotters::prelude::*;

/// Units of a figure.
pub(super) const SIZE: (f64, f64) = (860.0, 530.0);

/// Up to so many values of x each have their label, where there is room.
const LABELLED: usize = 12;

/// The room of the curves, and the scales in it.
pub(super) struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
    y_ticks: Vec<f64>,
}

impl Frame {
    /// The frame of curves: the right margin holds their labels.
    pub(super) fn of(xs: &[(f64, String)], curves: &[Curve], reach: f64) -> Self {
        let labels = curves.iter().map(|c| width(&c.label, size::LABEL, false)).fold(0.0, f64::max);
        let (left, right, top, bottom) = (62.0, SIZE.0 - 34.0 - labels, 92.0, SIZE.1 - 94.0);
        let all: Vec<f64> = curves.iter().flat_map(|c| &c.marks).map(Mark::reach).chain([reach]).collect();
        let y_ticks = ticks(all.iter().copied().fold(0.0, f64::max), 8);
        let top_value = y_ticks.last().copied().unwrap_or(1.0);
        let xs: Vec<f64> = xs.iter().map(|x| x.0).collect();
        Self {
            left,
            right,
            top,
            bottom,
            x: Scale::spanning(&xs, (left, right)),
            y: Scale::linear((0.0, top_value), (bottom, top)),
            y_ticks,
        }
    }

    /// The place of a value; none outside.
    pub(super) fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }
}

/// Draws the body of a figure of curves.
pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    figure: &Figure,
    x: &str,
    xs: &[(f64, String)],
    curves: &[Curve],
    frame: &Frame,
) -> Drawn<DB> {
    axes(canvas, frame, xs)?;
    canvas.text(&figure.values, (14.0, frame.top - 22.0), (size::LABEL, false), INK, Hold::Left)?;
    let middle = (frame.left + frame.right) / 2.0;
    canvas.text(x, (middle, frame.bottom + 39.0), (size::LABEL, false), INK, Hold::Middle)?;
    for curve in curves.iter().filter(|c| !c.model) {
        trials(canvas, frame, curve)?;
    }
    for curve in curves {
        curve_line(canvas, frame, curve)?;
    }
    labels(canvas, frame, curves)
}

/// Grid, base line, ticks.
fn axes<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, f: &Frame, xs: &[(f64, String)]) -> Drawn<DB> {
    let step = f.y_ticks.get(1).copied().unwrap_or(1.0);
    for value in &f.y_ticks {
        let Some(y) = f.y.place(*value) else { continue };
        canvas.line(&[(f.left, y), (f.right, y)], GRID.to_rgba(), 1.0)?;
        let label = text::fixed(*value, text::decimals(step).saturating_sub(2));
        canvas.text(&label, (f.left - 8.0, y), (size::LABEL, false), INK, Hold::Right)?;
    }
    canvas.line(&[(f.left, f.bottom), (f.right, f.bottom)], INK.to_rgba(), 1.2)?;
    let mut free_from = f64::NEG_INFINITY;
    // Many values get every n-th label rather than whichever has room.
    let every = if xs.len() > LABELLED { xs.len().div_ceil(LABELLED) } else { 1 };
    for (i, (value, label)) in xs.iter().enumerate() {
        let Some(x) = f.x.place(*value) else { continue };
        canvas.line(&[(x, f.bottom), (x, f.bottom + 5.0)], INK.to_rgba(), 1.2)?;
        let half = width(label, size::LABEL, false) / 2.0;
        // A label that would touch the one before is left out; its tick stays.
        if i % every == 0 && x - half >= free_from {
            canvas.text(label, (x, f.bottom + 16.0), (size::LABEL, false), INK, Hold::Middle)?;
            free_from = x + half + 6.0;
        }
    }
    Ok(())
}

/// The single trials, small and faint, beside their median rather than under it.
fn trials<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, f: &Frame, curve: &Curve) -> Drawn<DB> {
    for mark in &curve.marks {
        for at in mark.trials.iter().filter_map(|y| f.place(mark.x, *y)) {
            canvas.dot((at.0 + 9.0, at.1), 2.0, colour(curve.colour).mix(0.45))?;
        }
    }
    Ok(())
}

fn curve_line<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, f: &Frame, curve: &Curve) -> Drawn<DB> {
    let points: Vec<(f64, f64)> = curve.marks.iter().filter_map(|m| f.place(m.x, m.y)).collect();
    if curve.model {
        return canvas.dashed(&points, INK.to_rgba(), 1.5);
    }
    let c = colour(curve.colour).to_rgba();
    canvas.line(&points, c, 2.0)?;
    for mark in &curve.marks {
        let Some(at) = f.place(mark.x, mark.y) else { continue };
        if let Some((low, high)) = mark.interval
            && let (Some(low), Some(high)) = (f.y.place(low), f.y.place(high))
            // An interval that its marker hides would only blur it.
            && low - high > 7.0
        {
            bar(canvas, (at.0, low), (at.0, high), c)?;
        }
        canvas.marker(at, curve.colour, 4.0)?;
    }
    Ok(())
}

/// An interval with its two caps, upright or level.
pub(super) fn bar<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    a: (f64, f64),
    b: (f64, f64),
    colour: RGBAColor,
) -> Drawn<DB> {
    canvas.line(&[a, b], colour, 1.4)?;
    let cap = if (a.0 - b.0).abs() < 1e-9 { (4.0, 0.0) } else { (0.0, 4.0) };
    for (x, y) in [a, b] {
        canvas.line(&[(x - cap.0, y - cap.1), (x + cap.0, y + cap.1)], colour, 1.4)?;
    }
    Ok(())
}

/// The curves' names at their right ends, moved apart where they would touch.
fn labels<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, f: &Frame, curves: &[Curve]) -> Drawn<DB> {
    let ends: Vec<(&Curve, (f64, f64))> = curves
        .iter()
        .filter_map(|c| Some((c, c.marks.iter().rev().find_map(|m| f.place(m.x, m.y))?)))
        .collect();
    let wanted: Vec<f64> = ends.iter().map(|(_, end)| end.1).collect();
    let places = spread(&wanted, 17.0, (f.top, f.bottom));
    for ((curve, end), y) in ends.iter().zip(places) {
        let ink = if curve.model { INK } else { colour(curve.colour) };
        let x = f.right + 14.0;
        if (y - end.1).abs() > 3.0 {
            canvas.line(&[(end.0 + 7.0, end.1), (x - 3.0, y)], MUTED.mix(0.6), 0.8)?;
        }
        canvas.text(&curve.label, (x, y), (size::LABEL, false), ink, Hold::Left)?;
    }
    Ok(())
}
