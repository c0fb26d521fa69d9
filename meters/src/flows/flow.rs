//! A flow, whatever format it came in or goes out by.

use super::datum;
use super::element::Kind;
use super::known::Fields;
use super::wire;
use super::{Header, REVERSE, Template};
use csn::packet::{ICMP, ICMPV6, PORT_PROTOCOLS, TCP};
use csn::{Field, Key, Nanos, Value};
use serde::{Deserialize, Serialize};

/// Why a flow ended (element 136).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Not said.
    #[default]
    Unknown,
    /// No packet for the idle timeout.
    Idle,
    /// It lasted longer than the active timeout.
    Active,
    /// Its end was seen: FIN or RST.
    End,
    /// The meter ended.
    Forced,
    /// Its record was needed for another.
    Resources,
}

impl EndReason {
    /// The numbers 0 to 5.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Idle, Self::Active, Self::End, Self::Forced, Self::Resources];
}

/// A flow record: what identifies the flow, and what was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// The fields that all of its packets share.
    pub key: Key,
    /// The fields that the record speaks of: those that are in the key, and those that its packets surely do not have.
    /// Of other fields nothing is known.
    pub known: Fields,
    /// Packets.
    pub packets: u64,
    /// Octets of the IP packets, headers included.
    pub octets: u64,
    /// Octets of the frames as the meter saw them, where that is said.
    pub frame_octets: Option<u64>,
    /// The first packet, since 1970.
    pub first: Option<Nanos>,
    /// The last packet, since 1970.
    pub last: Option<Nanos>,
    /// The flags octets of all its packets of TCP, or'ed.
    pub tcp_flags: Option<u8>,
    /// The smallest and largest time to live.
    pub ttl: Option<(u8, u8)>,
    /// Octets of the shortest and the longest IP packet.
    pub lengths: Option<(u16, u16)>,
    /// Why it ended.
    pub end: EndReason,
    /// A number that the meter gives the flow: of built-in meters that classify, the number of its class.
    pub id: Option<u64>,
    /// What the meter calls it: of built-in meters that classify, the class.
    pub label: Option<Box<str>>,
}

/// What a field of a record says of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Nothing that is used here.
    Other,
    Address(Field),
    Number(Field),
    Ports(Field),
    Tos,
    Dscp,
    Tags,
    Labels,
    IcmpBoth,
    Flags,
    Ttl,
    LeastTtl,
    MostTtl,
    Shortest,
    Longest,
    Packets,
    Octets,
    FrameOctets,
    BackPackets,
    BackOctets,
    First(Kind),
    Last(Kind),
    FirstUptime,
    LastUptime,
    Duration(u32),
    End,
    Id,
    Label,
}

impl Role {
    fn of(enterprise: u32, id: u16) -> Self {
        match (enterprise, id) {
            (0, 8 | 27) => Role::Address(Field::SrcIp),
            (0, 12 | 28) => Role::Address(Field::DstIp),
            (0, 4) => Role::Number(Field::Proto),
            (0, 5) => Role::Tos,
            (0, 195) => Role::Dscp,
            (0, 7 | 180 | 182) => Role::Ports(Field::SrcPort),
            (0, 11 | 181 | 183) => Role::Ports(Field::DstPort),
            (0, 32 | 139) => Role::IcmpBoth,
            (0, 176 | 178) => Role::Number(Field::IcmpType),
            (0, 177 | 179) => Role::Number(Field::IcmpCode),
            (0, 31) => Role::Number(Field::FlowLabel),
            (0, 256) => Role::Number(Field::EtherType),
            (0, 56) => Role::Number(Field::SrcMac),
            (0, 80) => Role::Number(Field::DstMac),
            (0, 10) => Role::Number(Field::Interface),
            (0, 58 | 243) => Role::Tags,
            (0, 70) => Role::Labels,
            (0, 6) => Role::Flags,
            (0, 192) => Role::Ttl,
            (0, 52) => Role::LeastTtl,
            (0, 53) => Role::MostTtl,
            (0, 25) => Role::Shortest,
            (0, 26) => Role::Longest,
            (0, 2 | 86 | 298) => Role::Packets,
            (0, 1 | 85 | 231) => Role::Octets,
            (0, 352 | 353) => Role::FrameOctets,
            (REVERSE, 2 | 86) | (0, 299) => Role::BackPackets,
            (REVERSE, 1 | 85) | (0, 232) => Role::BackOctets,
            (0, 150) => Role::First(Kind::Seconds),
            (0, 152) => Role::First(Kind::Milliseconds),
            (0, 154) => Role::First(Kind::Microseconds),
            (0, 156) => Role::First(Kind::Nanoseconds),
            (0, 151) => Role::Last(Kind::Seconds),
            (0, 153) => Role::Last(Kind::Milliseconds),
            (0, 155) => Role::Last(Kind::Microseconds),
            (0, 157) => Role::Last(Kind::Nanoseconds),
            (0, 22) => Role::FirstUptime,
            (0, 21) => Role::LastUptime,
            (0, 161) => Role::Duration(1_000_000),
            (0, 162) => Role::Duration(1_000),
            (0, 136) => Role::End,
            (0, 148) => Role::Id,
            (0, 335) => Role::Label,
            _ => Role::Other,
        }
    }
}

/// How the records of a template are read as flows: a role for each field.
#[derive(Debug)]
pub struct Plan(Box<[Role]>);

/// What is put together only when all fields are read.
#[derive(Default)]
struct Rest {
    back: (u64, u64),
    duration: Option<u64>,
    /// Source and destination port, as the fields say, whatever the protocol.
    ports: [Option<u64>; 2],
    ttl: (Option<u8>, Option<u8>),
    lengths: (Option<u64>, Option<u64>),
}

impl Plan {
    /// The plan for a template.
    pub fn new(template: &Template) -> Self {
        Self(template.fields.iter().map(|f| Role::of(f.enterprise, f.id)).collect())
    }

    /// Calls `each` for the flow of a record, and for that of the other direction where the record has both (RFC 5103).
    pub fn flows(&self, header: &Header, template: &Template, octets: &[u8], each: &mut impl FnMut(&Flow)) {
        let mut flow = Flow::default();
        let mut rest = Rest::default();
        for ((_, value), role) in template.values(octets).zip(&self.0) {
            flow.take(*role, value, header, &mut rest);
        }
        flow.complete(&rest);
        let (packets, octets) = rest.back;
        if flow.packets > 0 || packets == 0 {
            each(&flow);
        }
        if packets > 0 {
            flow.key = flow.key.reversed();
            flow.known = flow.known.reversed();
            (flow.packets, flow.octets, flow.frame_octets) = (packets, octets, None);
            // these were those of the other direction
            (flow.tcp_flags, flow.ttl, flow.lengths) = (None, None, None);
            for field in [Field::TcpFlags, Field::Ttl, Field::Length] {
                flow.forget(field);
            }
            each(&flow);
        }
    }
}

impl Flow {
    /// A field that all packets of the flow share.
    #[inline]
    pub fn set(&mut self, field: Field, value: Value) {
        self.key.set(field, value);
        self.known.insert(field);
    }

    #[inline]
    fn set_number(&mut self, field: Field, number: u64) {
        self.set(field, Value::number(u128::from(number)));
    }

    /// The packets of the flow do not have that field.
    #[inline]
    pub fn absent(&mut self, field: Field) {
        self.key.clear(field);
        self.known.insert(field);
    }

    /// Nothing is known of that field.
    pub fn forget(&mut self, field: Field) {
        self.key.clear(field);
        self.known.remove(field);
    }

    #[inline]
    fn take(&mut self, role: Role, octets: &[u8], header: &Header, rest: &mut Rest) {
        let number = || wire::number(octets);
        match role {
            Role::Other => {}
            Role::Address(field) => self.address(field, octets),
            Role::Number(field) => self.number_field(field, number()),
            Role::Ports(field) => rest.ports[usize::from(field == Field::DstPort)] = Some(number() & 0xffff),
            Role::Tos => {
                self.set_number(Field::Tos, number() & 0xff);
                self.set_number(Field::Dscp, (number() & 0xff) >> 2);
            }
            Role::Dscp => self.set_number(Field::Dscp, number() & 0x3f),
            // 0 is what exporters say of frames without a tag, and of those whose tags they do not look at
            Role::Tags if number() & 0xfff != 0 => self.set_number(Field::Vlan, number() & 0xfff),
            Role::Tags => {}
            Role::Labels if octets.len() == 3 => self.set_number(Field::Mpls, number() >> 4),
            Role::Labels => {}
            Role::IcmpBoth => {
                self.set_number(Field::IcmpType, number() >> 8 & 0xff);
                self.set_number(Field::IcmpCode, number() & 0xff);
            }
            Role::Flags => self.tcp_flags = Some(number() as u8),
            Role::Ttl => rest.ttl = (Some(number() as u8), Some(number() as u8)),
            Role::LeastTtl => rest.ttl.0 = Some(number() as u8),
            Role::MostTtl => rest.ttl.1 = Some(number() as u8),
            Role::Shortest => rest.lengths.0 = Some(number()),
            Role::Longest => rest.lengths.1 = Some(number()),
            Role::Packets => self.packets = number(),
            Role::Octets => self.octets = number(),
            Role::FrameOctets => self.frame_octets = Some(number()),
            Role::BackPackets => rest.back.0 = number(),
            Role::BackOctets => rest.back.1 = number(),
            Role::First(kind) => self.first = datum::time(kind, octets).or(self.first),
            Role::Last(kind) => self.last = datum::time(kind, octets).or(self.last),
            Role::FirstUptime => self.first = header.since_start(number() as u32).or(self.first),
            Role::LastUptime => self.last = header.since_start(number() as u32).or(self.last),
            Role::Duration(unit) => rest.duration = Some(number().saturating_mul(u64::from(unit))),
            Role::End => self.end = EndReason::ALL.get(number() as usize).copied().unwrap_or_default(),
            Role::Id => self.id = Some(number()),
            Role::Label => self.label = std::str::from_utf8(octets).ok().map(Into::into),
        }
    }

    /// An address; where a record has fields for both families, one of them is zero.
    #[inline]
    fn address(&mut self, field: Field, octets: &[u8]) {
        let value = match *octets {
            [a, b, c, d] => Value::v4([a, b, c, d].into()),
            _ => match <[u8; 16]>::try_from(octets) {
                Ok(a) => Value::v6(a.into()),
                Err(_) => return,
            },
        };
        if value.bits != 0 || !self.known.contains(field) {
            self.set(field, value);
        }
    }

    /// A number; 0 for an interface or a MAC address says that the exporter does not know it.
    #[inline]
    fn number_field(&mut self, field: Field, number: u64) {
        let unknown = matches!(field, Field::Interface | Field::SrcMac | Field::DstMac) && number == 0;
        if !unknown && number >> field.width().min(63) == 0 {
            self.set_number(field, number);
        }
    }

    /// What follows from the fields together.
    fn complete(&mut self, rest: &Rest) {
        if let (Some(first), None, Some(duration)) = (self.first, self.last, rest.duration) {
            self.last = Some(Nanos(first.0.saturating_add(duration)));
        }
        self.transport(rest.ports);
        if let (Some(least), Some(most)) = rest.ttl {
            self.ttl = Some((least, most));
            if least == most {
                self.set_number(Field::Ttl, u64::from(least));
            }
        }
        let both = rest.lengths.0.zip(rest.lengths.1);
        self.lengths = both.and_then(|(a, b)| Some((a.try_into().ok()?, b.try_into().ok()?)));
        let one = (self.packets == 1).then_some(self.octets);
        match (self.lengths, one) {
            (Some((a, b)), _) if a == b => self.set_number(Field::Length, u64::from(a)),
            (_, Some(octets)) if (1..=0xffff).contains(&octets) => self.set_number(Field::Length, octets),
            _ => {}
        }
        if self.key.get(Field::SrcIp).is_some_and(|a| a.family == 4) {
            self.absent(Field::FlowLabel);
        }
    }

    /// Ports, flags and types: which of them the packets have is known from their protocol.
    fn transport(&mut self, ports: [Option<u64>; 2]) {
        let named = [Field::SrcPort, Field::DstPort];
        let Some(proto) = self.key.get(Field::Proto).map(|p| p.bits as u8) else {
            for (field, port) in named.into_iter().zip(ports) {
                if let Some(port) = port {
                    self.set_number(field, port);
                }
            }
            return;
        };
        let family = self.key.get(Field::SrcIp).or(self.key.get(Field::DstIp)).map_or(0, |a| a.family);
        let icmp = if family == 6 { ICMPV6 } else { ICMP };
        if PORT_PROTOCOLS.contains(&proto) {
            // fragments have none, of which exporters say that both are 0
            if ports.iter().flatten().any(|p| *p != 0) {
                for (field, port) in named.into_iter().zip(ports) {
                    if let Some(port) = port {
                        self.set_number(field, port);
                    }
                }
            }
        } else {
            named.into_iter().for_each(|f| self.absent(f));
        }
        if proto != icmp {
            self.absent(Field::IcmpType);
            self.absent(Field::IcmpCode);
        } else if let (false, Some(both @ 1..)) = (self.known.contains(Field::IcmpType), ports[1]) {
            // exporters without a field of their own put them where the destination port is; 0 may be an echo reply, or
            // an exporter that does not look
            self.set_number(Field::IcmpType, both >> 8);
            self.set_number(Field::IcmpCode, both & 0xff);
        }
        if proto != TCP {
            self.absent(Field::TcpFlags);
        } else if let (1, Some(flags)) = (self.packets, self.tcp_flags) {
            self.set_number(Field::TcpFlags, u64::from(flags));
        }
    }
}
