//! From sizes at a layer to octets of payload.

use super::error::PlanError;
use crate::dist::{self, Rng};
use crate::frame::Shape;
use csn::mix::Size;
use csn::{Layer, Range, Span, ValueSet};
use rand::RngExt;
use std::cell::RefCell;
use std::sync::Arc;

/// What lengths are drawn from where a rule leaves no size that was asked for: an Ethernet packet's.
const USUAL_LENGTH: u128 = 1500;

/// The octets of payload that a frame of `link` octets before the IP header and `headers` octets of headers needs to
/// be `value` octets at `layer`; the inverse of [`Layer::bytes_of_frame`]. None where it would have to be shorter
/// than its headers.
#[inline]
pub fn payload_for(layer: Layer, value: u64, link: usize, headers: usize) -> Option<usize> {
    let value = value as usize;
    let frame = match layer {
        Layer::Payload => headers + value,
        Layer::Ip => link + value,
        Layer::Frame => value,
        Layer::Ethernet => value.checked_sub(4)?,
        Layer::Wire => value.checked_sub(24)?,
        // cells of 48 octets, of which the AAL5 trailer takes 8
        Layer::Atm => link + (value / 53 * 48).checked_sub(8)?,
    };
    frame.checked_sub(headers)
}

/// The sizes that a component asks for.
pub struct Sizes {
    /// The layer that they are of.
    pub layer: Layer,
    /// Every size with its probability.
    support: Vec<(u64, f64)>,
    /// Sizes below the headers become the headers: those of a mix or a model, and the one that nobody asked for.
    raise: bool,
    size: Size,
    span: Span,
    known: RefCell<Vec<Known>>,
}

/// What has been worked out for a shape, with a note about it.
type Known = (Shape, Arc<Payloads>, Option<String>);

/// Octets of payload with their probabilities.
pub type Payloads = Vec<(usize, f64)>;

impl Sizes {
    /// Reads a description.
    pub fn new(size: &Size, span: Span) -> Result<Self, PlanError> {
        if let Size::Distribution(model) = size
            && let Err(share) = dist::model_sizes(model)
        {
            return Err(out_of_bounds(&model.to_string(), share, span));
        }
        let made = match size {
            Size::Capture(path) => Some(crate::recorded::sizes(path, span)?),
            _ => dist::sizes(size),
        };
        let Some(source) = made else {
            let names: Vec<_> = dist::TABLE
                .iter()
                .filter(|e| matches!(e.make, dist::Make::Size(_)))
                .map(|e| e.name)
                .collect();
            return Err(PlanError::new(
                span,
                format!("sizes `{size}` cannot be made"),
                "no distribution of sizes knows this description",
                format!("use one of {}", names.join(", ")),
            ));
        };
        let layer = match size {
            Size::Fixed { layer, .. } | Size::Range { layer, .. } | Size::Values { layer, .. } => *layer,
            Size::Distribution(model) => dist::layer(model),
            Size::Imix | Size::Mix(_) | Size::Genome(_) => Layer::Ethernet,
            Size::Capture(_) => Layer::Frame,
        };
        let asked = matches!(size, Size::Fixed { .. } | Size::Range { .. } | Size::Values { .. });
        let raise = !asked || *size == Size::default();
        let support = source.support();
        Ok(Self { layer, support, raise, size: size.clone(), span, known: RefCell::default() })
    }

    /// The sizes as payloads of frames of a shape.
    ///
    /// # Errors
    /// Where a size is less than the headers, or more than an IP packet can be.
    pub fn payloads(&self, shape: &Shape, notes: &mut Vec<String>) -> Result<Arc<Payloads>, PlanError> {
        let mut known = self.known.borrow_mut();
        let at = match known.iter().position(|(s, ..)| s == shape) {
            Some(at) => at,
            None => {
                let (payloads, note) = self.work_out(shape)?;
                known.push((*shape, Arc::new(payloads), note));
                known.len() - 1
            }
        };
        let (_, payloads, note) = &known[at];
        notes.extend(note.iter().filter(|n| !notes.contains(n)).cloned().collect::<Vec<_>>());
        Ok(payloads.clone())
    }

    fn work_out(&self, shape: &Shape) -> Result<(Payloads, Option<String>), PlanError> {
        let mut note = None;
        let (link, headers) = (shape.link(), shape.headers());
        let mut out = Payloads::with_capacity(self.support.len());
        for &(value, p) in &self.support {
            match payload_for(self.layer, value, link, headers) {
                Some(payload) if headers + payload - link <= 0xffff => out.push((payload, p)),
                Some(_) => {
                    return Err(self.error(value, "an IP packet has at most 65535 octets", "smaller sizes"));
                }
                None if self.raise => {
                    let least =
                        || format!("frames of {headers} B where the headers leave no room for {value} B");
                    note.get_or_insert_with(least);
                    out.push((0, p));
                }
                None => {
                    let least = self.layer.bytes_of_frame(headers as u64, link as u64, headers as u64);
                    let reason = format!("the headers of such a frame alone are {headers} octets");
                    return Err(self.error(
                        value,
                        &reason,
                        &format!("at least {least} B({})", self.layer.name()),
                    ));
                }
            }
        }
        Ok((out, note))
    }

    fn error(&self, value: u64, reason: &str, cure: &str) -> PlanError {
        let message =
            format!("a size of {value} B({}) cannot be made (size = {})", self.layer.name(), self.size);
        PlanError::new(self.span, message, reason, format!("use {cure}"))
    }
}

/// The error of a model that draws hardly anything within its bounds.
pub fn out_of_bounds(model: &str, share: f64, span: Span) -> PlanError {
    PlanError::new(
        span,
        format!("hardly anything of `{model}` lies within its bounds"),
        format!("{:.2}% of what it draws does", share * 100.0),
        "widen `min` and `max`, or move the mean between them",
    )
}

/// The lengths of IP packets that these payloads make.
pub fn ip_lengths(shape: &Shape, payloads: &Payloads) -> ValueSet {
    let base = shape.headers() - shape.link();
    ValueSet::from_ranges(payloads.iter().map(|(n, _)| {
        let length = (base + n) as u128;
        Range::numbers(length, length)
    }))
}

/// Sizes of their own that flows under a rule on the length have.
#[derive(PartialEq)]
pub struct Table {
    payloads: Vec<u32>,
    /// Sums of the probabilities up to each.
    sums: Vec<f64>,
}

impl Table {
    /// What is left of `payloads` where IP packets must have one of `allowed` lengths; every such length alike where
    /// nothing is left, and then true. None where all of them fit, and a table is not needed.
    pub fn new(shape: &Shape, payloads: &Payloads, allowed: &ValueSet) -> Option<(Self, bool)> {
        let base = (shape.headers() - shape.link()) as u128;
        let fits = |n: usize| allowed.contains(csn::Value::number(base + n as u128));
        let mut left: Payloads = payloads.iter().copied().filter(|(n, _)| fits(*n)).collect();
        if left.len() == payloads.len() {
            return None;
        }
        let emptied = left.is_empty();
        if emptied {
            let usual = allowed.intersect(&Range::numbers(base, base.max(USUAL_LENGTH)).into());
            let from = if usual.is_empty() { allowed } else { &usual };
            let each = |n: u128| from.nth(n).map(|v| ((v.bits - base) as usize, 1.0));
            left = (0..from.len()).filter_map(each).collect();
        }
        let mut sum = 0.0;
        let sums = left
            .iter()
            .map(|(_, p)| {
                sum += p;
                sum
            })
            .collect();
        Some((Self { payloads: left.iter().map(|(n, _)| *n as u32).collect(), sums }, emptied))
    }

    /// Draws one.
    #[inline]
    pub fn pick(&self, rng: &mut Rng) -> usize {
        let total = self.sums.last().copied().unwrap_or(0.0);
        let x = rng.random::<f64>() * total;
        let i = self.sums.partition_point(|s| *s <= x).min(self.payloads.len() - 1);
        self.payloads[i] as usize
    }

    /// One of the payloads.
    pub fn first(&self) -> usize {
        self.payloads.first().map_or(0, |n| *n as usize)
    }

    /// The longest payload.
    pub fn longest(&self) -> usize {
        self.payloads.iter().copied().max().unwrap_or(0) as usize
    }

    /// Every payload with its probability.
    pub fn payloads(&self) -> Payloads {
        let total = self.sums.last().copied().unwrap_or(1.0);
        let mut before = 0.0;
        self.payloads
            .iter()
            .zip(&self.sums)
            .map(|(n, sum)| {
                let p = (sum - before) / total;
                before = *sum;
                (*n as usize, p)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_the_inverse_of_sizes_at_a_layer() {
        for shape in Shape::all() {
            let (link, headers) = (shape.link(), shape.headers());
            for layer in Layer::ALL {
                for payload in [100usize, 101, 1000] {
                    let value = layer.bytes_of_frame((headers + payload) as u64, link as u64, headers as u64);
                    let back = payload_for(layer, value, link, headers).unwrap();
                    let again = layer.bytes_of_frame((headers + back) as u64, link as u64, headers as u64);
                    assert_eq!(again, value, "{layer:?} {shape:?}");
                }
                let bare = layer == Layer::Ip && shape.headers() == shape.link();
                assert_eq!(payload_for(layer, 3, link, headers).is_some(), layer == Layer::Payload || bare);
            }
        }
    }
}
