//! Figures as files of their own: `svg` and `png`.

use super::{Document, Format};
use crate::plot::{self, Figure};
use crate::summary::Summary;
use std::io;

/// Scalable plots.
pub(super) struct Svg;

impl Format for Svg {
    fn name(&self) -> &'static str {
        "svg"
    }

    fn about(&self) -> &'static str {
        "each figure as a scalable plot"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        figures(summary, "svg", |f| plot::svg(f).map(String::into_bytes))
    }
}

/// Plots of pixels.
pub(super) struct Png;

impl Format for Png {
    fn name(&self) -> &'static str {
        "png"
    }

    fn about(&self) -> &'static str {
        "each figure as a picture of twice the screen's resolution"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        figures(summary, "png", plot::png)
    }
}

fn figures(
    summary: &Summary,
    ending: &str,
    draw: fn(&Figure) -> io::Result<Vec<u8>>,
) -> Vec<Document<'static>> {
    plot::figures(summary)
        .into_iter()
        .map(|figure| {
            Document::new(format!("{}.{ending}", figure.name), move |out| out.write_all(&draw(&figure)?))
        })
        .collect()
}
