//! Colours that people with any colour vision tell apart (Okabe and Ito's, without the yellow, which is unreadable
//! on paper), each dark enough for a thin line.

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Subtitles and captions.
pub const MUTED: RGBColor = RGBColor(0x66, 0x66, 0x66);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);
/// The ground.
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Curves in turn: user, system, total; then the rest.
pub const SERIES: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x8a, 0x65),
    RGBColor(0xc4, 0x4e, 0x00),
    RGBColor(0xb3, 0x4f, 0x8d),
    RGBColor(0x3b, 0x9c, 0xd4),
    RGBColor(0xb8, 0x7d, 0x00),
    RGBColor(0x55, 0x55, 0x55),
];

/// The colour of a curve.
pub(super) fn colour(curve: usize) -> RGBColor {
    SERIES[curve % SERIES.len()]
}
