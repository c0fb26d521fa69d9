//! Literals: numbers, addresses and texts.

use super::Reader;
use crate::ast::ExprKind;
use crate::codes;
use crate::diagnostic::Span;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The value of a numeral, and its exact value where it is whole.
pub(super) fn number(r: &mut Reader<'_>, span: Span, text: &str) -> Option<(f64, Option<u128>)> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let whole = match hexadecimal {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let value = match (whole, hexadecimal) {
        (Some(w), _) => Some(w as f64),
        (None, None) if text.contains('.') => text.parse().ok().filter(|v: &f64| v.is_finite()),
        _ => None,
    };
    if value.is_none() {
        r.report.add(
            &codes::LITERAL,
            span,
            "this number is too large",
            "it does not fit in 128 bits",
            "write a smaller number",
        );
    }
    Some((value?, whole))
}

/// An IPv4 address.
pub(super) fn dotted(r: &mut Reader<'_>, span: Span, text: &str) -> ExprKind {
    match text.parse::<Ipv4Addr>() {
        Ok(a) => ExprKind::Address(IpAddr::V4(a)),
        Err(_) => {
            let parts = text.split('.').count();
            let reason = match text.split('.').find(|p| p.parse::<u8>().is_err()) {
                _ if parts != 4 => format!("it has {parts} parts instead of 4"),
                Some(p) => format!("`{p}` is more than 255"),
                None => "its numbers must not start with 0".into(),
            };
            not_an_address(r, span, text, reason, "write an address such as 192.0.2.1")
        }
    }
}

/// An IPv6 or MAC address.
pub(super) fn colons(r: &mut Reader<'_>, span: Span, text: &str) -> ExprKind {
    if let Some(mac) = mac(text) {
        return ExprKind::Mac(mac);
    }
    match text.parse::<Ipv6Addr>() {
        Ok(a) => ExprKind::Address(IpAddr::V6(a)),
        Err(_) => not_an_address(
            r,
            span,
            text,
            "it is neither an IPv6 address nor six octets of a MAC address".into(),
            "write an address such as 2001:db8::1 or 02:00:00:00:00:01",
        ),
    }
}

fn not_an_address(r: &mut Reader<'_>, span: Span, text: &str, reason: String, cure: &str) -> ExprKind {
    r.report.add(&codes::LITERAL, span, format!("`{text}` is not an address"), reason, cure);
    ExprKind::Invalid
}

/// Six octets of a MAC address.
pub(super) fn mac(text: &str) -> Option<u64> {
    let mut octets = 0;
    let mut bits = 0;
    for part in text.split(':') {
        if part.is_empty() || part.len() > 2 {
            return None;
        }
        bits = bits << 8 | u64::from(u8::from_str_radix(part, 16).ok()?);
        octets += 1;
    }
    (octets == 6).then_some(bits)
}

/// Reports the escapes of a text that mean nothing.
pub(super) fn check_escapes(r: &mut Reader<'_>, span: Span, inner: &str) {
    if let Err(at) = unescape(inner) {
        let start = span.start + 1 + at as u32;
        let width = inner[at + 1..].chars().next().map_or(0, char::len_utf8) as u32;
        let place = Span { start, end: start + 1 + width, ..span };
        r.report.add(
            &codes::ESCAPE,
            place,
            "this escape means nothing",
            "known are \\\\ \\\" \\n \\r \\t and \\x with two hexadecimal digits",
            "write `\\\\` for a backslash",
        );
    }
}

/// The bytes of a text with its escapes resolved, or the place of one that is not known.
pub(crate) fn unescape(inner: &str) -> Result<Vec<u8>, usize> {
    let bytes = inner.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] != b'\\' {
            out.push(bytes[i]);
            i += 1;
            continue;
        }
        let (byte, width) = match bytes.get(i + 1) {
            Some(b'\\') => (b'\\', 2),
            Some(b'"') => (b'"', 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'x') => {
                let digits = inner.get(i + 2..i + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                let value = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
                (value.ok_or(i)?, 4)
            }
            _ => return Err(i),
        };
        out.push(byte);
        i += width;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#"a\n\"\x41\\"#).unwrap(), b"a\n\"A\\");
        assert_eq!(unescape("ab\\q"), Err(2));
        assert_eq!(unescape("\\x4"), Err(0));
        assert_eq!(unescape("\\xé"), Err(0));
    }
}
