//! Values of fields, by the type of their element.

use super::element::Kind;
use super::wire;
use csn::Nanos;
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Seconds from 1900, where NTP counts from, to 1970.
pub const NTP_TO_UNIX: u64 = 2_208_988_800;

/// A value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum<'a> {
    /// An unsigned integer.
    Number(u64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Boolean(bool),
    /// A MAC address.
    Mac([u8; 6]),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// A time since 1970.
    Time(Nanos),
    /// Text.
    Text(&'a str),
    /// Octets: of that type, of no known element, or too many or too few for its type.
    Octets(&'a [u8]),
}

impl<'a> Datum<'a> {
    /// The value that these octets are, for a type; [`Datum::Octets`] where they cannot be one of it.
    pub fn read(kind: Kind, octets: &'a [u8]) -> Self {
        Self::typed(kind, octets).unwrap_or(Datum::Octets(octets))
    }

    fn typed(kind: Kind, octets: &'a [u8]) -> Option<Self> {
        Some(match kind {
            Kind::Unsigned if (1..=8).contains(&octets.len()) => Datum::Number(wire::number(octets)),
            Kind::Float => match octets.len() {
                4 => Datum::Float(f64::from(f32::from_be_bytes(octets.try_into().ok()?))),
                _ => Datum::Float(f64::from_be_bytes(octets.try_into().ok()?)),
            },
            Kind::Boolean => match octets {
                [1] => Datum::Boolean(true),
                [2] => Datum::Boolean(false),
                _ => return None,
            },
            Kind::Mac => Datum::Mac(octets.try_into().ok()?),
            Kind::Ipv4 => Datum::Ipv4(<[u8; 4]>::try_from(octets).ok()?.into()),
            Kind::Ipv6 => Datum::Ipv6(<[u8; 16]>::try_from(octets).ok()?.into()),
            Kind::Text => Datum::Text(std::str::from_utf8(octets).ok()?.trim_end_matches('\0')),
            Kind::Seconds | Kind::Milliseconds | Kind::Microseconds | Kind::Nanoseconds => {
                Datum::Time(time(kind, octets)?)
            }
            Kind::Unsigned | Kind::Octets => return None,
        })
    }
}

/// The time that these octets are, where they are as many as the type has.
#[inline]
pub fn time(kind: Kind, octets: &[u8]) -> Option<Nanos> {
    let number = wire::number(octets);
    match (kind, octets.len()) {
        (Kind::Seconds, 4) => Some(Nanos::from_secs(number)),
        (Kind::Milliseconds, 8) => Some(Nanos(number.saturating_mul(1_000_000))),
        (Kind::Microseconds | Kind::Nanoseconds, 8) => {
            let seconds = (number >> 32).checked_sub(NTP_TO_UNIX)?;
            // rounded, so that a fraction that was written here reads as what it was made of
            let nanos = ((number & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32;
            Some(Nanos(seconds * 1_000_000_000 + nanos))
        }
        _ => None,
    }
}

/// A time in the format of NTP: seconds since 1900 and a fraction of 32 bits. Runs over in 2036, as the format does.
pub fn ntp(time: Nanos) -> u64 {
    let (seconds, nanos) = (time.0 / 1_000_000_000, time.0 % 1_000_000_000);
    ((seconds + NTP_TO_UNIX) << 32) | ((nanos << 32) / 1_000_000_000)
}

impl fmt::Display for Datum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Number(n) => write!(f, "{n}"),
            Datum::Float(n) => write!(f, "{n}"),
            Datum::Boolean(b) => write!(f, "{b}"),
            Datum::Mac([a, b, c, d, e, g]) => write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"),
            Datum::Ipv4(a) => write!(f, "{a}"),
            Datum::Ipv6(a) => write!(f, "{a}"),
            Datum::Time(t) => write!(f, "{}.{:09}", t.0 / 1_000_000_000, t.0 % 1_000_000_000),
            Datum::Text(t) => f.write_str(t),
            Datum::Octets(octets) => octets.iter().try_for_each(|b| write!(f, "{b:02x}")),
        }
    }
}

impl Serialize for Datum<'_> {
    /// Numbers as such, times as seconds since 1970 in text, since few readers know numbers of so many digits.
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Datum::Number(n) => out.serialize_u64(*n),
            Datum::Float(n) if n.is_finite() => out.serialize_f64(*n),
            Datum::Boolean(b) => out.serialize_bool(*b),
            other => out.collect_str(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_ntp_keep_their_nanoseconds() {
        for nanos in [0, 1, 2, 499_999_999, 500_000_000, 999_999_999] {
            let time = Nanos(1_700_000_000_000_000_000 + nanos);
            let octets = ntp(time).to_be_bytes();
            assert_eq!(Datum::read(Kind::Nanoseconds, &octets), Datum::Time(time));
        }
        // before 1970, and too short
        assert_eq!(Datum::read(Kind::Nanoseconds, &[0; 8]), Datum::Octets(&[0; 8]));
        assert_eq!(Datum::read(Kind::Milliseconds, &[1, 2]), Datum::Octets(&[1, 2]));
        assert_eq!(Datum::read(Kind::Milliseconds, &[0xff; 8]), Datum::Time(Nanos(u64::MAX)));
    }

    #[test]
    fn values_are_read_by_type_and_shown() {
        let shown = |kind, octets: &[u8]| Datum::read(kind, octets).to_string();
        assert_eq!(shown(Kind::Unsigned, &[1, 0, 0]), "65536");
        assert_eq!(shown(Kind::Unsigned, &[1; 9]), "010101010101010101");
        assert_eq!(shown(Kind::Float, &0.25f32.to_be_bytes()), "0.25");
        assert_eq!(shown(Kind::Float, &0.1f64.to_be_bytes()), "0.1");
        assert_eq!(shown(Kind::Float, &[0; 3]), "000000");
        assert_eq!(shown(Kind::Boolean, &[2]), "false");
        assert_eq!(shown(Kind::Boolean, &[0]), "00");
        assert_eq!(shown(Kind::Mac, &[2, 0, 0, 0, 0, 255]), "02:00:00:00:00:ff");
        assert_eq!(shown(Kind::Ipv4, &[10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(shown(Kind::Text, b"voice\0\0"), "voice");
        assert_eq!(shown(Kind::Text, &[0xff]), "ff");
        assert_eq!(shown(Kind::Seconds, &[0, 0, 0, 7]), "7.000000000");
    }
}
