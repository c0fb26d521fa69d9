//! A figure as SVG text or PNG bytes.

use super::canvas::{Canvas, Drawn, Hold, size, width};
use super::palette::{INK, MUTED, PAPER};
use super::{Body, Curve, Figure, curves, rows};
use crate::text::{escape, wrap};
use plotters::prelude::*;
use std::io;

/// Steps of an SVG's coordinates per unit: plotters draws on whole numbers only.
const FINENESS: f64 = 4.0;
/// Pixels of a PNG per unit.
const PIXELS: u32 = 2;
/// A PNG is drawn so many times finer and averaged, which smooths what plotters draws jagged.
const OVERSAMPLING: u32 = 2;

/// By how much of its size a text on a bitmap must sink to be centred: plotters centres the line's whole height, which
/// has more room above the letters than below.
const BITMAP_SINK: f64 = 0.22;

/// A figure laid out.
enum Frame {
    Curves(curves::Frame),
    Rows(rows::Frame),
}

impl Frame {
    fn of(figure: &Figure) -> Self {
        match &figure.body {
            Body::Curves { ticks, curves, reach, .. } => {
                Frame::Curves(curves::Frame::of(ticks, curves, *reach))
            }
            Body::Rows { rows, curves } => Frame::Rows(rows::Frame::of(rows, curves)),
        }
    }

    fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        match self {
            Frame::Curves(f) => f.place(x, y),
            Frame::Rows(f) => f.place(x, y),
        }
    }
}

/// Units of a figure: width, height.
fn extent(figure: &Figure) -> (f64, f64) {
    match &figure.body {
        Body::Curves { .. } => curves::SIZE,
        Body::Rows { rows, .. } => (curves::SIZE.0, rows::height(rows.len())),
    }
}

/// The figure as a stand-alone SVG. Text stays text, in the reader's own sans-serif font; hovering over a point
/// tells its values.
///
/// # Errors
/// When plotters can't draw it.
pub fn svg(figure: &Figure) -> io::Result<String> {
    let (w, h) = extent(figure);
    let frame = Frame::of(figure);
    let mut text = String::new();
    {
        let fine = ((w * FINENESS) as u32, (h * FINENESS) as u32);
        let area = SVGBackend::with_string(&mut text, fine).into_drawing_area();
        draw(&Canvas::new(&area, FINENESS, 0.0), figure, &frame).map_err(io::Error::other)?;
        area.present().map_err(io::Error::other)?;
    }
    let size = (w * FINENESS, h * FINENESS);
    let head = format!("width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\"", size.0, size.1, size.0, size.1);
    let named = format!("width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {} {}\" role=\"img\"", size.0, size.1);
    let tail = format!("{}</svg>\n", hovers(figure, &frame));
    let text = text.replacen(&head, &named, 1);
    let body =
        text.trim_end().strip_suffix("</svg>").ok_or_else(|| io::Error::other("plotters wrote no SVG"))?;
    let title = format!(">\n<title>{}</title>\n", escape(&figure.title));
    Ok(format!("{}{tail}", body.replacen(">\n", &title, 1)))
}

/// Unseen circles over the points, whose titles browsers show on hovering.
fn hovers(figure: &Figure, frame: &Frame) -> String {
    let (Body::Curves { curves, .. } | Body::Rows { curves, .. }) = &figure.body;
    curves
        .iter()
        .flat_map(|c| &c.marks)
        .filter(|m| !m.hover.is_empty())
        .filter_map(|m| Some((frame.place(m.x, m.y)?, &m.hover)))
        .map(|((x, y), hover)| {
            let (x, y, r) = (x * FINENESS, y * FINENESS, 9.0 * FINENESS);
            format!(
                "<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{r:.0}\" fill=\"#000000\" fill-opacity=\"0\"><title>{}</title></circle>\n",
                escape(hover)
            )
        })
        .collect()
}

/// The figure as a PNG of two pixels a unit, with the embedded font.
///
/// # Errors
/// When plotters can't draw it.
pub fn png(figure: &Figure) -> io::Result<Vec<u8>> {
    let (w, h) = extent(figure);
    let (w, h) = (w as u32 * PIXELS, h as u32 * PIXELS);
    let (fine_w, fine_h) = (w * OVERSAMPLING, h * OVERSAMPLING);
    let mut fine = vec![0u8; (fine_w * fine_h * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut fine, (fine_w, fine_h)).into_drawing_area();
        let canvas = Canvas::new(&area, f64::from(PIXELS * OVERSAMPLING), BITMAP_SINK);
        draw(&canvas, figure, &Frame::of(figure)).map_err(io::Error::other)?;
        area.present().map_err(io::Error::other)?;
    }
    let pixels = average(&fine, fine_w as usize, OVERSAMPLING as usize);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, w, h);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // 96 units an inch, as in CSS.
    let per_metre = (f64::from(96 * PIXELS) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    writer.write_image_data(&pixels).map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)?;
    Ok(bytes)
}

/// Averages squares of `n` × `n` pixels of three bytes; `width` is that of the fine image.
fn average(fine: &[u8], width: usize, n: usize) -> Vec<u8> {
    let row = width * 3;
    let mut out = Vec::with_capacity(fine.len() / (n * n));
    for rows in fine.chunks_exact(row * n) {
        for x in (0..row).step_by(3 * n) {
            for channel in 0..3 {
                let mut sum = 0usize;
                for dy in 0..n {
                    for dx in 0..n {
                        sum += usize::from(rows[dy * row + x + 3 * dx + channel]);
                    }
                }
                out.push((sum / (n * n)) as u8);
            }
        }
    }
    out
}

fn draw<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure, frame: &Frame) -> Drawn<DB> {
    canvas.fill(PAPER)?;
    let (w, h) = extent(figure);
    let room = w - 28.0;
    canvas.text(
        &fitting(&figure.title, size::TITLE, true, room),
        (14.0, 22.0),
        (size::TITLE, true),
        INK,
        Hold::Left,
    )?;
    let subtitle = fitting(&figure.subtitle, size::SMALL, false, room);
    canvas.text(&subtitle, (14.0, 44.0), (size::SMALL, false), MUTED, Hold::Left)?;
    for (i, line) in lines(&figure.caption, room).iter().enumerate() {
        canvas.text(line, (14.0, h - 27.0 + 15.0 * i as f64), (size::SMALL, false), MUTED, Hold::Left)?;
    }
    match (&figure.body, frame) {
        (Body::Curves { x, ticks, curves, .. }, Frame::Curves(f)) => {
            curves::draw(canvas, figure, x, ticks, curves, f)
        }
        (Body::Rows { rows, curves }, Frame::Rows(f)) => rows::draw(canvas, figure, rows, curves, f),
        _ => Ok(()),
    }
}

/// A text cut so that it fits.
fn fitting(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.into();
    }
    let mut cut: Vec<char> = text.chars().collect();
    while cut.len() > 1 {
        cut.pop();
        let shown: String = cut.iter().collect::<String>() + "…";
        if width(&shown, size, bold) <= room {
            return shown;
        }
    }
    String::new()
}

/// At most two lines of small text; the second is cut where it must be.
fn lines(text: &str, room: f64) -> Vec<String> {
    let letters = text.chars().count().max(1) as f64;
    let per_line = (room / (width(text, size::SMALL, false) / letters).max(1.0)) as usize;
    let mut all = wrap(text, per_line.saturating_sub(4).max(20));
    if all.len() > 2 {
        let rest = all.split_off(1).join(" ");
        all.push(rest);
    }
    all.iter().map(|l| fitting(l, size::SMALL, false, room)).collect()
}

impl Figure {
    /// The curves, whatever the body.
    pub fn curves(&self) -> &[Curve] {
        match &self.body {
            Body::Curves { curves, .. } | Body::Rows { curves, .. } => curves,
        }
    }
}
