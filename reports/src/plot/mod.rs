//! Figures: what they show ([`figures`]), and how they are drawn ([`svg()`], [`png()`]).
//!
//! Every figure is drawn once, by code that knows nothing of the format, through plotters. Curves are told apart by
//! colour and by marker, carry their names at their right end, and show medians with intervals over the single
//! trials. What lies outside the axes is left out rather than clamped to the border.

mod build;
mod canvas;
mod curves;
mod palette;
mod render;
mod rows;
mod scale;

pub use build::figures;
pub use palette::{GRID, INK, MUTED, PAPER, SERIES};
pub use render::{png, svg};

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name of its file, without the ending.
    pub name: String,
    /// Title.
    pub title: String,
    /// Conditions, below the title.
    pub subtitle: String,
    /// How to read it, at the foot.
    pub caption: String,
    /// What the values are, with the unit.
    pub values: String,
    /// What is shown.
    pub body: Body,
}

/// What a figure shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Values over a numeric axis.
    Curves {
        /// What x is, with the unit.
        x: String,
        /// Each x of the data with its label.
        ticks: Vec<(f64, String)>,
        /// The curves.
        curves: Vec<Curve>,
        /// The largest value that must fit, where figures share a scale.
        reach: f64,
    },
    /// Values of things that have no order: a row each.
    Rows {
        /// The names of the rows.
        rows: Vec<String>,
        /// Quantities: the n-th mark of each lies in the n-th row.
        curves: Vec<Curve>,
    },
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name.
    pub label: String,
    /// Which colour and marker.
    pub colour: usize,
    /// Whether it is computed: dashed, without markers.
    pub model: bool,
    /// Its points, in the order of x.
    pub marks: Vec<Mark>,
}

/// A point of a curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// Where it lies: on x, or the number of its row.
    pub x: f64,
    /// The median.
    pub y: f64,
    /// The interval; none where there is none.
    pub interval: Option<(f64, f64)>,
    /// The values of single trials.
    pub trials: Vec<f64>,
    /// What hovering over it says.
    pub hover: String,
}

impl Mark {
    /// The largest value that it shows.
    fn reach(&self) -> f64 {
        let high = self.interval.map_or(self.y, |(_, high)| high);
        self.trials.iter().copied().fold(self.y.max(high), f64::max)
    }
}
