//! What can be told of a flow: the attributes that a template selects, each with its information element.

use crate::flows::{Datum, Element, EndReason, Flow};
use csn::Field;

/// What is the same in all records of an exporter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constants {
    /// The observation point: the interface that is metered, 0 for a capture.
    pub point: u64,
    /// The exporting process.
    pub process: u32,
    /// The selection sequence that packets went through, where there is one (RFC 5476).
    pub selection: Option<u64>,
}

/// An attribute; its name tells it from others.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name in `template = …`.
    pub name: &'static str,
    /// What it is, for people.
    pub doc: &'static str,
    /// Its number in the list of RFC 3917 (and of the IPFIX paper), 1 to 29; those up to 16 are mandatory. 0 is no part of
    /// it.
    pub required: u8,
    /// The element and the value, where the flow has one.
    value: fn(&Flow, &Constants) -> Option<(u16, Datum<'static>)>,
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Attribute {
    /// The element and the value, where the flow has one.
    pub fn of<'a>(&self, flow: &'a Flow, constants: &Constants) -> Option<(&'static Element, Datum<'a>)> {
        let (id, value) = if self.name == "label" {
            (335, Datum::Text(flow.label.as_deref()?))
        } else {
            (self.value)(flow, constants)?
        };
        Some((Element::by_id(id)?, value))
    }
}

fn number(flow: &Flow, field: Field) -> Option<u64> {
    flow.key.get(field).map(|v| v.bits as u64)
}

fn address(flow: &Flow, field: Field, v4: u16, v6: u16) -> Option<(u16, Datum<'static>)> {
    match flow.key.get(field)?.as_ip()? {
        std::net::IpAddr::V4(a) => Some((v4, Datum::Ipv4(a))),
        std::net::IpAddr::V6(a) => Some((v6, Datum::Ipv6(a))),
    }
}

fn mac(flow: &Flow, field: Field, id: u16) -> Option<(u16, Datum<'static>)> {
    let [_, _, mac @ ..] = number(flow, field)?.to_be_bytes();
    Some((id, Datum::Mac(mac)))
}

fn family(flow: &Flow) -> Option<u8> {
    flow.key.get(Field::SrcIp).or(flow.key.get(Field::DstIp)).map(|v| v.family)
}

/// The entry of a label stack: the label, no class, and whether it is the last is not known.
fn mpls(flow: &Flow) -> Option<(u16, Datum<'static>)> {
    // 3 octets that live for ever: there are as many labels as there are numbers, so they go as a number
    number(flow, Field::Mpls).map(|label| (70, Datum::Number(label << 4)))
}

fn ttl(flow: &Flow) -> Option<(u8, u8)> {
    flow.ttl.or_else(|| number(flow, Field::Ttl).map(|t| (t as u8, t as u8)))
}

fn lengths(flow: &Flow) -> Option<(u16, u16)> {
    flow.lengths.or_else(|| number(flow, Field::Length).map(|l| (l as u16, l as u16)))
}

macro_rules! attributes {
    ($($name:literal, $required:literal, $doc:literal, |$flow:pat_param, $constants:pat_param| $value:expr;)*) => {
        /// Every attribute.
        pub static ATTRIBUTES: &[Attribute] = &[$(Attribute {
            name: $name,
            doc: $doc,
            required: $required,
            value: |$flow, $constants| $value,
        }),*];
    };
}

attributes! {
    "ipversion", 1, "4 or 6", |f, _| Some((60, Datum::Number(family(f)?.into())));
    "srcip", 2, "source address", |f, _| address(f, Field::SrcIp, 8, 27);
    "dstip", 3, "destination address", |f, _| address(f, Field::DstIp, 12, 28);
    "proto", 4, "protocol", |f, _| Some((4, Datum::Number(number(f, Field::Proto)?)));
    "srcport", 5, "source port", |f, _| Some((7, Datum::Number(number(f, Field::SrcPort)?)));
    "dstport", 6, "destination port", |f, _| Some((11, Datum::Number(number(f, Field::DstPort)?)));
    "packets", 7, "packets", |f, _| Some((2, Datum::Number(f.packets)));
    "octets", 8, "octets of IP packets, where the meter counts those", |f, _| {
        Some((1, Datum::Number(f.octets))).filter(|_| f.octets > 0)
    };
    "tos", 9, "TOS or traffic class", |f, _| Some((5, Datum::Number(number(f, Field::Tos)?)));
    "flowlabel", 10, "IPv6 flow label", |f, _| Some((31, Datum::Number(number(f, Field::FlowLabel)?)));
    "mpls", 11, "top MPLS label", |f, _| mpls(f);
    "first", 12, "time of the first packet, in milliseconds", |f, _| Some((152, Datum::Time(f.first?)));
    "last", 13, "time of the last packet, likewise", |f, _| Some((153, Datum::Time(f.last?)));
    "selection", 14, "how packets were selected, where they were", |_, c| Some((301, Datum::Number(c.selection?)));
    "point", 15, "the observation point: index of the interface, 0 for a capture", |_, c| Some((138, Datum::Number(c.point)));
    "process", 16, "the exporting process", |_, c| Some((144, Datum::Number(c.process.into())));
    "icmp", 17, "ICMP type and code", |f, _| {
        let both = number(f, Field::IcmpType)? << 8 | number(f, Field::IcmpCode)?;
        Some((if family(f) == Some(6) { 139 } else { 32 }, Datum::Number(both)))
    };
    "interface", 18, "the interface that packets came in by", |f, c| {
        Some((10, Datum::Number(number(f, Field::Interface).or(Some(c.point).filter(|p| *p > 0))?)))
    };
    "minttl", 21, "smallest time to live", |f, _| Some((52, Datum::Number(ttl(f)?.0.into())));
    "maxttl", 21, "largest time to live", |f, _| Some((53, Datum::Number(ttl(f)?.1.into())));
    "tcpflags", 23, "flags of TCP of all packets", |f, _| {
        Some((6, Datum::Number(f.tcp_flags.map(u64::from).or(number(f, Field::TcpFlags))?)))
    };
    "end", 0, "why the flow ended", |f, _| Some((136, Datum::Number(f.end as u64))).filter(|_| f.end != EndReason::Unknown);
    "firstns", 0, "time of the first packet, in nanoseconds", |f, _| Some((156, Datum::Time(f.first?)));
    "lastns", 0, "time of the last packet, likewise", |f, _| Some((157, Datum::Time(f.last?)));
    "minlength", 0, "octets of the shortest IP packet", |f, _| Some((25, Datum::Number(lengths(f)?.0.into())));
    "maxlength", 0, "octets of the longest IP packet", |f, _| Some((26, Datum::Number(lengths(f)?.1.into())));
    "frameoctets", 0, "octets of frames", |f, _| Some((352, Datum::Number(f.frame_octets?)));
    "dscp", 0, "DSCP", |f, _| Some((195, Datum::Number(number(f, Field::Dscp)?)));
    "vlan", 0, "VLAN", |f, _| Some((58, Datum::Number(number(f, Field::Vlan)?)));
    "srcmac", 0, "source MAC address", |f, _| mac(f, Field::SrcMac, 56);
    "dstmac", 0, "destination MAC address", |f, _| mac(f, Field::DstMac, 80);
    "ethertype", 0, "EtherType", |f, _| Some((256, Datum::Number(number(f, Field::EtherType)?)));
    "class", 0, "number of the class", |f, _| Some((148, Datum::Number(f.id?)));
    "label", 0, "name of the class (not in NetFlow)", |_, _| None;
}

/// The attributes that words name: `all`, `mandatory`, or any names.
///
/// # Errors
/// The word that is none.
pub fn select(text: &str) -> Result<Vec<&'static Attribute>, String> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let mut out: Vec<&Attribute> = Vec::new();
    for word in text.split([',', ' ', '+']).filter(|w| !w.is_empty()) {
        let chosen = |a: &&Attribute| match word {
            "all" => true,
            "mandatory" => (1..=16).contains(&a.required),
            name => a.name == name,
        };
        let known = out.len();
        let new: Vec<_> =
            ATTRIBUTES.iter().filter(chosen).filter(|a| out.iter().all(|o| o.name != a.name)).collect();
        out.extend(new);
        if out.len() == known && ATTRIBUTES.iter().all(|a| !chosen(&a)) {
            return Err(word.to_owned());
        }
    }
    if out.is_empty() { Err(text.to_owned()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mandatory_attributes_are_there_and_names_are_unique() {
        for n in 1..=16 {
            assert!(ATTRIBUTES.iter().any(|a| a.required == n), "attribute {n}");
        }
        for (i, a) in ATTRIBUTES.iter().enumerate() {
            assert!(ATTRIBUTES[..i].iter().all(|o| o.name != a.name), "{}", a.name);
            assert!(!a.doc.is_empty());
        }
        assert_eq!(select("mandatory").unwrap().len(), 16);
        let names = |text| select(text).unwrap().iter().map(|a| a.name).collect::<Vec<_>>();
        assert_eq!(names("{srcip, packets}"), ["srcip", "packets"]);
        assert_eq!(names("packets+end+packets"), ["packets", "end"]);
        assert_eq!(select("all").unwrap().len(), ATTRIBUTES.len());
        assert_eq!(select("srcip, nexthop").unwrap_err(), "nexthop");
        assert!(select("").is_err());
    }
}
