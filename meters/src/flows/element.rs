//! Information elements: what the fields of flow records mean (RFC 7012, and the registry of IANA).

use super::elements::ELEMENTS;
use super::{REVERSE, VARIABLE};

/// The abstract data type of an element (RFC 7012, 3.1), as far as elements here have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An unsigned integer; may be sent with fewer octets than it has.
    Unsigned,
    /// A floating-point number of 8 octets, or of 4.
    Float,
    /// 1 is true, 2 is false.
    Boolean,
    /// A MAC address.
    Mac,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// Octets without a meaning of their own.
    Octets,
    /// Text in UTF-8.
    Text,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// The time format of NTP, precise to microseconds.
    Microseconds,
    /// The time format of NTP, precise to nanoseconds.
    Nanoseconds,
}

/// An information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its number.
    pub id: u16,
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Octets that it has when sent whole; [`VARIABLE`] for text and octets of any length.
    pub length: u16,
}

impl Element {
    /// The element of that number in IANA's registry, where it is known here.
    pub fn by_id(id: u16) -> Option<&'static Element> {
        ELEMENTS.binary_search_by_key(&id, |e| e.id).ok().map(|i| &ELEMENTS[i])
    }

    /// The element of that name.
    pub fn by_name(name: &str) -> Option<&'static Element> {
        ELEMENTS.iter().find(|e| e.name == name)
    }

    /// Whether a field of so many octets can hold a value of this element (RFC 7011, 6.2).
    pub fn fits(&self, length: u16) -> bool {
        match self.kind {
            Kind::Unsigned => (1..=8).contains(&length),
            Kind::Float => length == 4 || length == 8,
            Kind::Boolean => length == 1,
            Kind::Octets | Kind::Text => true,
            _ => length == self.length && length != VARIABLE,
        }
    }
}

/// What the scopes of NetFlow v9 are called (RFC 3954, 6.1).
pub fn v9_scope(id: u16) -> Option<&'static str> {
    ["system", "interface", "lineCard", "cache", "template"].get(usize::from(id).checked_sub(1)?).copied()
}

/// The element of a field: its enterprise is IANA's, or the direction is reverse.
pub fn of_field(enterprise: u32, id: u16) -> Option<&'static Element> {
    matches!(enterprise, 0 | REVERSE).then(|| Element::by_id(id)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        for pair in ELEMENTS.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} and {}", pair[0].name, pair[1].name);
        }
        for e in ELEMENTS {
            assert_eq!(Element::by_name(e.name), Some(e));
            assert_eq!(Element::by_id(e.id), Some(e));
            assert!(e.fits(e.length) || e.length == VARIABLE, "{}", e.name);
        }
    }

    #[test]
    fn integers_may_be_shortened_and_addresses_may_not() {
        let octets = Element::by_name("octetDeltaCount").unwrap();
        assert!(octets.fits(4) && octets.fits(8) && !octets.fits(9) && !octets.fits(0));
        let address = Element::by_name("sourceIPv4Address").unwrap();
        assert!(address.fits(4) && !address.fits(3) && !address.fits(16));
        assert_eq!(v9_scope(1), Some("system"));
        assert_eq!((v9_scope(0), v9_scope(6)), (None, None));
    }
}
