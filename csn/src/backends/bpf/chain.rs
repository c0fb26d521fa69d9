//! The alternatives that can match packets of one kind, and where their fields are kept while they are compared.

use crate::backends::alternatives::{Alternative, in_all};
use crate::cbpf::SCRATCH;
use crate::field::Field;
use crate::packet::BEHIND_EXTENSIONS;
use crate::value::ValueSet;
use std::collections::HashMap;

/// Tests of fields, by ascending field.
pub(super) type Tests = Vec<(Field, ValueSet)>;

/// Fields of the link header and what lies between it and the IP header.
pub(super) fn is_link(field: Field) -> bool {
    field < Field::SrcIp
}

/// Fields behind the IP header.
pub(super) const TRANSPORT: [Field; 5] =
    [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode];

/// The packets that a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Too short for a link header.
    Stub,
    /// No IP header.
    Link,
    /// IPv4.
    Four,
    /// IPv6.
    Six,
    /// Either IP version, where no alternative tells them apart.
    Ip,
}

impl Kind {
    fn is_ip(self) -> bool {
        !matches!(self, Kind::Stub | Kind::Link)
    }
}

/// The alternatives for packets of one kind.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) kind: Kind,
    /// Tests that stand in all alternatives.
    pub(super) shared: Tests,
    /// The other tests of each alternative.
    pub(super) own: Vec<Tests>,
    slots: HashMap<(Field, usize), u32>,
    /// Holds the offset of the IP header, where fields are loaded while comparing.
    pub(super) base: Option<u32>,
    /// For numbers on the way.
    pub(super) temporary: u32,
    /// Holds the fragment field of IPv6 until the last extension header is seen.
    pub(super) pending: Option<u32>,
}

impl Chain {
    /// The chain of the alternatives that can match packets of that kind. `link_slots` are the scratch words of
    /// fields of the link layer, the first ones.
    pub(super) fn new(kind: Kind, all: &[Alternative], link_slots: &[Field]) -> Self {
        let fitting: Vec<Alternative> = all.iter().filter_map(|a| fit(kind, a)).collect();
        let shared = in_all(&fitting);
        let own = fitting
            .into_iter()
            .map(|a| a.tests.into_iter().filter(|(f, _)| shared.iter().all(|(s, _)| s != f)).collect())
            .collect();
        let slots = link_slots.iter().zip(0..).map(|(f, n)| ((*f, 0), n)).collect();
        let mut out = Self { kind, shared, own, slots, base: None, temporary: 0, pending: None };
        if kind.is_ip() {
            out.assign_slots();
        }
        out
    }

    /// Whether nothing can match.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Whether both accept the same packets by the same tests.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.shared == other.shared && self.own == other.own
    }

    /// The scratch word of a part of a field, where it has one.
    pub(super) fn slot(&self, field: Field, part: usize) -> Option<u32> {
        self.slots.get(&(field, part)).copied()
    }

    /// The scratch words of the fields of the IP header, and which parts they hold.
    pub(super) fn header_slots(&self) -> Vec<(Field, usize, u32)> {
        let of_header = |f: Field| !is_link(f) && !TRANSPORT.contains(&f);
        let mut out: Vec<_> =
            self.slots.iter().filter(|((f, _), _)| of_header(*f)).map(|((f, p), s)| (*f, *p, *s)).collect();
        out.sort_unstable();
        out
    }

    /// Whether any alternative looks at one of the fields.
    pub(super) fn uses(&self, fields: &[Field]) -> bool {
        let among = |t: &Tests| t.iter().any(|(f, _)| fields.contains(f));
        among(&self.shared) || self.own.iter().any(among)
    }

    /// Whether every alternative looks at one of the fields, so that packets without all of them match none.
    pub(super) fn requires(&self, fields: &[Field]) -> bool {
        let among = |t: &Tests| t.iter().any(|(f, _)| fields.contains(f));
        among(&self.shared) || self.own.iter().all(among)
    }

    /// The set of a test that stands in all alternatives.
    pub(super) fn shared_set(&self, field: Field) -> Option<&ValueSet> {
        self.shared.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
    }

    fn assign_slots(&mut self) {
        let mut free = self.slots.len() as u32..SCRATCH as u32;
        let mut take = || free.next();
        let late: &[Field] = if self.kind == Kind::Four { &TRANSPORT } else { &BEHIND_EXTENSIONS };
        for f in late {
            if self.uses(&[*f]) {
                self.slots.extend(take().map(|s| ((*f, 0), s)));
            }
        }
        self.temporary = take().unwrap_or_default();
        if self.kind != Kind::Four && self.uses(&[Field::Fragment]) {
            self.pending = take();
        }
        let mut wanted = self.header_words();
        let left = SCRATCH - self.slots.len() - 1 - usize::from(self.pending.is_some());
        if wanted.len() > left {
            self.base = take();
            wanted.truncate(left - 1);
        }
        self.slots.extend(wanted.into_iter().filter_map(|w| Some((w, take()?))));
    }

    /// The words of the IP header that alternatives test one by one, the most used first. A fragment field has to be
    /// worked out, so it goes in front.
    fn header_words(&self) -> Vec<(Field, usize)> {
        let mut uses: Vec<(usize, Field)> = Field::ALL
            .into_iter()
            .filter(|f| !is_link(*f) && !TRANSPORT.contains(f) && self.slot(*f, 0).is_none())
            .map(|f| (self.own.iter().flatten().filter(|(g, _)| *g == f).count(), f))
            .filter(|(n, _)| *n > 0)
            .collect();
        uses.sort_by_key(|(n, f)| (*f != Field::Fragment, std::cmp::Reverse(*n)));
        uses.into_iter().flat_map(|(_, f)| (0..self.parts(f)).map(move |p| (f, p))).collect()
    }

    /// How many words a field has.
    fn parts(&self, field: Field) -> usize {
        widths(self.kind, field).len()
    }
}

/// The bits of each word of a field, from the highest.
pub(super) fn widths(kind: Kind, field: Field) -> &'static [u32] {
    match field {
        Field::SrcMac | Field::DstMac => &[16, 32],
        Field::SrcIp | Field::DstIp if kind != Kind::Four => &[32; 4],
        _ => &[32],
    }
}

/// An alternative as packets of a kind see it; none where it cannot match them.
fn fit(kind: Kind, alternative: &Alternative) -> Option<Alternative> {
    let out = match kind {
        Kind::Stub => {
            alternative.for_link().filter(|a| a.tests.iter().all(|(f, _)| *f == Field::Interface))?
        }
        Kind::Link => alternative.for_link()?,
        Kind::Four => alternative.for_ip(4)?,
        Kind::Six | Kind::Ip => alternative.for_ip(6)?,
    };
    // where it came from makes no difference any more
    Some(Alternative { rule: 0, class: Default::default(), both: false, ..out })
}
