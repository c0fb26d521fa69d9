//! Values of flow keys.

use crate::field::Field;
use crate::value::Value;
use std::net::Ipv4Addr;

/// What a flow wants of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Octets of any value.
    Any,
    /// This value.
    One(Value),
}

/// Why a flow is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The value is not of the format.
    Malformed(String),
    /// The value is, but not what is meant by it.
    Lost(String),
}

pub(super) const SHAPES: &str =
    "a value is a decimal number, an IPv4 address, octets as \\x08\\x00, or any octets as {ANYBYTE}{2}";

/// Reads the value of a field.
pub(super) fn read(field: Field, text: &str) -> Result<Wanted, Problem> {
    let octets = if field.is_address() { 4 } else { field.width().div_ceil(8) as usize };
    let counted = |found: usize| match found == octets {
        true => Ok(()),
        false => Err(Problem::Malformed(format!("{field} has {octets} octets, and this is {found}"))),
    };
    if let Some(rest) = text.strip_prefix("{ANYBYTE}") {
        counted(count(rest).ok_or_else(|| unknown(text))?)?;
        return Ok(Wanted::Any);
    }
    if text.starts_with("\\x") {
        let found = hexadecimal(text).ok_or_else(|| unknown(text))?;
        counted(found.len())?;
        let bits = found.iter().fold(0, |n, o| n << 8 | u128::from(*o));
        let family = if field.is_address() { 4 } else { 0 };
        return Ok(Wanted::One(Value { family, bits }));
    }
    if field.is_address() {
        let address: Result<Ipv4Addr, _> = text.parse();
        return address.map(|a| Wanted::One(Value::v4(a))).map_err(|_| unknown(text));
    }
    let decimal = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u128>().ok()).flatten();
    let number = decimal.ok_or_else(|| unknown(text))?;
    if number >> field.width() != 0 {
        let most = (1u128 << field.width()) - 1;
        return Err(Problem::Malformed(format!("{field} is at most {most}, and this is {number}")));
    }
    Ok(Wanted::One(Value::number(number)))
}

fn unknown(text: &str) -> Problem {
    Problem::Malformed(format!("`{text}` is no value of this key"))
}

/// `{4}`, or nothing for one octet.
fn count(text: &str) -> Option<usize> {
    if text.is_empty() {
        return Some(1);
    }
    text.strip_prefix('{')?.strip_suffix('}')?.parse().ok()
}

/// `\x08\x00`.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = |t: &str| (t.len() == 2).then(|| u8::from_str_radix(t, 16).ok()).flatten();
    text.split("\\x").skip(1).map(digits).collect()
}
