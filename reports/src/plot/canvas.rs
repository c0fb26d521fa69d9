//! A drawing area in our own units, on top of any plotters back end.

use super::palette::colour;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

/// What drawing ends in.
pub(super) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Font sizes.
pub(super) mod size {
    /// Of the title.
    pub(crate) const TITLE: f64 = 17.0;
    /// Of axes and labels.
    pub(crate) const LABEL: f64 = 12.5;
    /// Of subtitle and caption.
    pub(crate) const SMALL: f64 = 11.0;
}

/// Where a text is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Its left end.
    Left,
    /// Its middle.
    Middle,
    /// Its right end.
    Right,
}

/// A drawing area whose units are scaled by a factor, so that one drawing serves every resolution.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    factor: f64,
    sink: f64,
}

/// The embedded fonts, made known to plotters once.
fn fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let normal = include_bytes!("../../assets/DejaVuSans.ttf");
        let bold = include_bytes!("../../assets/DejaVuSans-Bold.ttf");
        for (style, bytes) in [(FontStyle::Normal, &normal[..]), (FontStyle::Bold, &bold[..])] {
            // The fonts are part of the program, and a test draws with both.
            assert!(
                plotters::style::register_font("sans-serif", style, bytes).is_ok(),
                "embedded fonts are sound"
            );
        }
    });
}

/// A font of `size` units per em. Plotters' SVG takes 1.24 units of its size for an em.
fn font(size: f64, bold: bool) -> FontDesc<'static> {
    fonts();
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    FontDesc::new(FontFamily::SansSerif, size * 1.24, style)
}

/// How wide a text is, in units.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    font(size * 10.0, bold).box_size(text).map_or(0.0, |(w, _)| f64::from(w) / 10.0)
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    /// A canvas of `factor` steps a unit. Text sinks by `sink` of its size: back ends disagree about where the
    /// middle of a text is.
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>, factor: f64, sink: f64) -> Self {
        fonts();
        Self { area, factor, sink }
    }

    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.factor).round() as i32, (y * self.factor).round() as i32)
    }

    fn stroke(&self, colour: RGBAColor, width: f64) -> ShapeStyle {
        colour.stroke_width((width * self.factor).round().max(1.0) as u32)
    }

    /// Fills everything.
    pub(super) fn fill(&self, colour: RGBColor) -> Drawn<DB> {
        self.area.fill(&colour)
    }

    /// A line through points.
    pub(super) fn line(&self, points: &[(f64, f64)], colour: RGBAColor, width: f64) -> Drawn<DB> {
        if points.len() < 2 {
            return Ok(());
        }
        let points: Vec<_> = points.iter().map(|p| self.at(*p)).collect();
        self.area.draw(&PathElement::new(points, self.stroke(colour, width)))
    }

    /// A dashed line through points; the dashes run on around corners.
    pub(super) fn dashed(&self, points: &[(f64, f64)], colour: RGBAColor, width: f64) -> Drawn<DB> {
        let (dash, gap): (f64, f64) = (7.0, 4.5);
        let mut along = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            let mut at = 0.0;
            while at < length {
                let phase = along % (dash + gap);
                let drawn = phase < dash;
                // Never a step of nothing: rounding could leave the phase just below a border for ever.
                let step = (if drawn { dash - phase } else { dash + gap - phase }).max(1e-3).min(length - at);
                if drawn {
                    let on = |d: f64| (x0 + (x1 - x0) * d / length, y0 + (y1 - y0) * d / length);
                    self.line(&[on(at), on(at + step)], colour, width)?;
                }
                at += step.max(1e-3);
                along += step;
            }
        }
        Ok(())
    }

    /// A filled polygon.
    pub(super) fn polygon(&self, points: &[(f64, f64)], colour: RGBAColor) -> Drawn<DB> {
        let points: Vec<_> = points.iter().map(|p| self.at(*p)).collect();
        self.area.draw(&Polygon::new(points, colour.filled()))
    }

    /// A filled circle.
    pub(super) fn dot(&self, at: (f64, f64), radius: f64, colour: RGBAColor) -> Drawn<DB> {
        self.area.draw(&Circle::new(self.at(at), (radius * self.factor).round() as i32, colour.filled()))
    }

    /// The marker of a curve: circle, square, triangle, diamond in turn.
    pub(super) fn marker(&self, (x, y): (f64, f64), curve: usize, radius: f64) -> Drawn<DB> {
        let c = colour(curve).to_rgba();
        let r = radius;
        match curve % 4 {
            0 => self.dot((x, y), r, c),
            1 => {
                let r = r * 0.9;
                self.polygon(&[(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)], c)
            }
            2 => {
                let r = r * 1.25;
                self.polygon(&[(x, y - r), (x + 0.95 * r, y + 0.7 * r), (x - 0.95 * r, y + 0.7 * r)], c)
            }
            _ => {
                let r = r * 1.3;
                self.polygon(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)], c)
            }
        }
    }

    /// A text, vertically centred on its place.
    pub(super) fn text(
        &self,
        text: &str,
        at: (f64, f64),
        (size, bold): (f64, bool),
        colour: RGBColor,
        hold: Hold,
    ) -> Drawn<DB> {
        let h = match hold {
            Hold::Left => HPos::Left,
            Hold::Middle => HPos::Center,
            Hold::Right => HPos::Right,
        };
        let style =
            TextStyle::from(font(size * self.factor, bold)).color(&colour).pos(Pos::new(h, VPos::Center));
        let at = (at.0, at.1 + self.sink * size);
        self.area.draw(&Text::new(text.to_owned(), self.at(at), style))
    }
}
