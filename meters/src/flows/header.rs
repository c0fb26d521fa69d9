//! The headers of messages, and the sets behind them.

use super::wire::Reader;
use csn::Nanos;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A format of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// NetFlow version 5.
    Netflow5,
    /// NetFlow version 9 (RFC 3954).
    Netflow9,
    /// IPFIX (RFC 7011).
    Ipfix,
}

impl Protocol {
    /// What it is called here.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Netflow5 => "netflow5",
            Protocol::Netflow9 => "netflow9",
            Protocol::Ipfix => "ipfix",
        }
    }

    /// The number in the first two octets of a message.
    pub const fn version(self) -> u16 {
        match self {
            Protocol::Netflow5 => 5,
            Protocol::Netflow9 => 9,
            Protocol::Ipfix => 10,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The sampling that a NetFlow v5 header tells: one of `interval` packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// 0 none, 1 every n-th packet, 2 at random.
    pub mode: u8,
    /// n.
    pub interval: u16,
}

/// What the header of a message says, in one form for all formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format.
    pub protocol: Protocol,
    /// When the message was sent, since 1970; whole seconds in NetFlow v9 and IPFIX.
    pub export: Nanos,
    /// Milliseconds since the exporter started; 0 in IPFIX, which does not say it.
    pub uptime: u32,
    /// The sequence number, in the unit of [`super::Unit::of`].
    pub sequence: u32,
    /// Observation domain, source id, or engine type and id.
    pub domain: u32,
    /// How many records the header claims; 0 in IPFIX.
    pub count: u16,
    /// The sampling, where the header is that of NetFlow v5.
    pub sampling: Sampling,
    /// When the exporter started, where that is known: IPFIX says it in options
    /// (systemInitTimeMilliseconds), the others by `uptime`.
    pub start: Option<Nanos>,
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Neither NetFlow v5 nor v9 nor IPFIX.
    #[error("version {0} is not one that is read here (5, 9, 10)")]
    Version(u16),
    /// Shorter than its header, or than it says.
    #[error("the message ends before its {0} does")]
    Short(&'static str),
    /// A length that cannot be.
    #[error("the length of the {0} cannot be right")]
    Length(&'static str),
}

/// Octets of the headers of NetFlow v5, v9 and IPFIX.
pub const HEADERS: [usize; 3] = [24, 20, 16];

impl Header {
    /// Reads the header; gives it with what stands behind it in the message.
    ///
    /// # Errors
    /// Another version, or octets that are fewer or more than the header says.
    pub fn read(message: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut from = Reader(message);
        let short = Malformed::Short("header");
        let version = from.u16().ok_or(short)?;
        let header = match version {
            5 => Self::v5(&mut from),
            9 => Self::v9(&mut from),
            10 => {
                let length = usize::from(from.u16().ok_or(short)?);
                if length < HEADERS[2] || length != message.len() {
                    return Err(Malformed::Length("message"));
                }
                Self::ipfix(&mut from)
            }
            other => return Err(Malformed::Version(other)),
        };
        Ok((header.ok_or(short)?, from.0))
    }

    fn v5(from: &mut Reader<'_>) -> Option<Self> {
        let count = from.u16()?;
        let uptime = from.u32()?;
        let (seconds, nanos) = (from.u32()?, from.u32()?);
        let sequence = from.u32()?;
        let engine = from.u16()?;
        let sampling = from.u16()?;
        Some(Self {
            protocol: Protocol::Netflow5,
            export: Nanos(u64::from(seconds) * 1_000_000_000 + u64::from(nanos)),
            uptime,
            sequence,
            domain: u32::from(engine),
            count,
            sampling: Sampling { mode: (sampling >> 14) as u8, interval: sampling & 0x3fff },
            start: None,
        })
    }

    fn v9(from: &mut Reader<'_>) -> Option<Self> {
        let count = from.u16()?;
        let uptime = from.u32()?;
        let export = Nanos::from_secs(u64::from(from.u32()?));
        let (sequence, domain) = (from.u32()?, from.u32()?);
        let sampling = Sampling::default();
        Some(Self {
            protocol: Protocol::Netflow9,
            export,
            uptime,
            sequence,
            domain,
            count,
            sampling,
            start: None,
        })
    }

    fn ipfix(from: &mut Reader<'_>) -> Option<Self> {
        let export = Nanos::from_secs(u64::from(from.u32()?));
        let (sequence, domain) = (from.u32()?, from.u32()?);
        let sampling = Sampling::default();
        Some(Self {
            protocol: Protocol::Ipfix,
            export,
            uptime: 0,
            sequence,
            domain,
            count: 0,
            sampling,
            start: None,
        })
    }

    /// Octets that the header itself takes.
    pub const fn octets(&self) -> usize {
        HEADERS[self.protocol as usize]
    }

    /// A time that is given in milliseconds since the exporter started, where it is known when that was. Such numbers run
    /// over after 49.7 days.
    pub fn since_start(&self, millis: u32) -> Option<Nanos> {
        if self.protocol == Protocol::Ipfix {
            return self.start.map(|start| Nanos(start.0.saturating_add(u64::from(millis) * 1_000_000)));
        }
        let ago = self.uptime.wrapping_sub(millis) as i32;
        Some(Nanos(self.export.0.saturating_add_signed(-i64::from(ago) * 1_000_000)))
    }
}

/// A set of a message: its id and what is behind its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// 0 to 3 for templates, from 256 on the template of the data.
    pub id: u16,
    /// The content, padding included.
    pub body: &'a [u8],
}

/// Splits what stands behind the header of NetFlow v9 or IPFIX into sets. Octets at the end that are too few for a set
/// and zero are padding.
pub fn sets<'a>(body: &'a [u8]) -> impl Iterator<Item = Result<Set<'a>, Malformed>> {
    let mut from = Reader(body);
    std::iter::from_fn(move || {
        if from.0.is_empty() || (from.0.len() < 4 && from.0.iter().all(|b| *b == 0)) {
            return None;
        }
        let set = next_set(&mut from);
        if set.is_err() {
            from.0 = &[];
        }
        Some(set)
    })
}

fn next_set<'a>(from: &mut Reader<'a>) -> Result<Set<'a>, Malformed> {
    let short = Malformed::Short("set");
    let (id, length) = (from.u16().ok_or(short)?, from.u16().ok_or(short)?);
    let content = usize::from(length).checked_sub(4).ok_or(Malformed::Length("set"))?;
    Ok(Set { id, body: from.take(content).ok_or(short)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_since_the_start_survive_the_wrap() {
        let mut header =
            Header::read(&[0, 9, 0, 0, 0, 0, 0, 5, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0, 0, 2]).unwrap().0;
        assert_eq!(header.since_start(0), Some(Nanos::from_millis(99_995)));
        assert_eq!(header.since_start(5), Some(Nanos::from_secs(100)));
        assert_eq!(header.since_start(u32::MAX), Some(Nanos::from_millis(99_994)));
        header.export = Nanos(0);
        assert_eq!(header.since_start(0), Some(Nanos(0)));
    }

    #[test]
    fn what_is_too_short_or_another_version_is_refused() {
        assert_eq!(Header::read(&[]), Err(Malformed::Short("header")));
        assert_eq!(Header::read(&[0, 8, 0, 0]), Err(Malformed::Version(8)));
        assert_eq!(Header::read(&[0, 10, 0, 15, 0]), Err(Malformed::Length("message")));
        assert_eq!(Header::read(&[0, 5, 0, 1, 0, 0]), Err(Malformed::Short("header")));
        let lengths = |body: &[u8]| sets(body).map(|s| s.map(|s| s.body.len())).collect::<Vec<_>>();
        assert_eq!(lengths(&[1, 0, 0, 5, 9, 0, 0]), [Ok(1)]);
        assert_eq!(lengths(&[1, 0, 0, 3]), [Err(Malformed::Length("set"))]);
        assert_eq!(lengths(&[1, 0, 0, 4, 1, 0, 0, 9]), [Ok(0), Err(Malformed::Short("set"))]);
    }
}
