//! Units that cross seams: never bare numbers.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// From whole seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000_000)
    }

    /// From whole milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As the standard library's duration.
    pub const fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (scale, unit) in [(60_000_000_000, "min"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(f, "{} {unit}", self.0 / scale);
            }
        }
        write!(f, "{} ns", self.0)
    }
}

/// What a packet's size or a bit rate counts, from the inside to the outside.
///
/// All formulas for an untagged Ethernet frame; see [`Layer::bytes_of_frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The transport payload.
    Payload,
    /// The IP packet.
    Ip,
    /// The frame as a packet socket or a capture file holds it: no padding, no frame check sequence.
    Frame,
    /// The Ethernet frame with its check sequence, at least 64 bytes (RFC 2544's frame size).
    Ethernet,
    /// The Ethernet frame with preamble and gap: 20 bytes more, what a link's capacity is made of.
    Wire,
    /// ATM cells of 53 bytes, AAL5 with VC multiplexing: what the first paper's "60 Mbit/s" counts.
    Atm,
}

impl Layer {
    /// Every layer, in the order of the enumeration.
    pub const ALL: [Layer; 6] =
        [Layer::Payload, Layer::Ip, Layer::Frame, Layer::Ethernet, Layer::Wire, Layer::Atm];

    /// The name in the notation.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Payload => "payload",
            Layer::Ip => "ip",
            Layer::Frame => "frame",
            Layer::Ethernet => "ethernet",
            Layer::Wire => "wire",
            Layer::Atm => "atm",
        }
    }

    /// The layer of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.name().eq_ignore_ascii_case(name))
    }

    /// The bytes that this layer counts for a frame of `frame` bytes (as a packet socket sees it), of which
    /// `link` bytes are link headers and `headers` bytes are all headers up to the payload.
    pub fn bytes_of_frame(self, frame: u64, link: u64, headers: u64) -> u64 {
        let ip = frame.saturating_sub(link);
        match self {
            Layer::Payload => frame.saturating_sub(headers),
            Layer::Ip => ip,
            Layer::Frame => frame,
            Layer::Ethernet => (frame + 4).max(64),
            Layer::Wire => (frame + 4).max(64) + 20,
            Layer::Atm => (ip + 8).div_ceil(48) * 53,
        }
    }
}

/// How fast: packets per second, or bits per second of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rate {
    /// Packets per second.
    Pps(f64),
    /// Bits per second, counted at a layer.
    Bits {
        /// Bits per second.
        bits: f64,
        /// What is counted.
        layer: Layer,
    },
}

impl Rate {
    /// Packets per second for packets whose mean size at `layer` is `mean(layer)` bytes.
    pub fn pps(self, mean: impl Fn(Layer) -> f64) -> f64 {
        match self {
            Rate::Pps(p) => p,
            Rate::Bits { bits, layer } => bits / 8.0 / mean(layer),
        }
    }
}

/// Writes a number without a needless fraction.
fn number(f: &mut fmt::Formatter<'_>, x: f64) -> fmt::Result {
    if x.fract() == 0.0 { write!(f, "{x:.0}") } else { write!(f, "{x}") }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, suffix) = match self {
            Rate::Pps(p) => (*p, ["pps", "kpps", "Mpps", "Mpps"]),
            Rate::Bits { bits, .. } => (*bits, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]),
        };
        let step = match value {
            v if v >= 1e9 && suffix[3] != "Mpps" => 3,
            v if v >= 1e6 => 2,
            v if v >= 1e3 => 1,
            _ => 0,
        };
        number(f, value / [1.0, 1e3, 1e6, 1e9][step])?;
        write!(f, " {}", suffix[step])?;
        if let Rate::Bits { layer, .. } = self {
            write!(f, "({})", layer.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_s_60_mbit_of_atm_cells_are_28302_packets_a_second() {
        // 200 bytes of UDP payload: 242 bytes on a packet socket, 5 cells
        let rate = Rate::Bits { bits: 60e6, layer: Layer::Atm };
        let pps = rate.pps(|l| l.bytes_of_frame(242, 14, 42) as f64);
        assert!((pps - 28_301.9).abs() < 0.1, "{pps}");
        // and test set 5: one cell per packet, "about 4700 packets/s"
        let rate = Rate::Bits { bits: 2e6, layer: Layer::Atm };
        assert!((rate.pps(|l| l.bytes_of_frame(43, 14, 42) as f64) - 4717.0).abs() < 0.1);
    }

    #[test]
    fn units_print_as_they_are_written() {
        assert_eq!(Rate::Pps(20_000.0).to_string(), "20 kpps");
        assert_eq!(Rate::Bits { bits: 60e6, layer: Layer::Atm }.to_string(), "60 Mbit/s(atm)");
        assert_eq!(Nanos::from_millis(1500).to_string(), "1500 ms");
        assert_eq!(Nanos::from_secs(120).to_string(), "2 min");
    }
}
