//! What rules leave of boxes of packets that somebody else describes.

use super::grid::{Area, Run};
use super::search::Search;
use super::shapes::{ABSENT, SHAPES};
use super::{BUDGET, Geometry};
use crate::field::Field;
use crate::value::ValueSet;

/// Sets of values by field: packets that have just these fields, with any combination of their values.
pub type Sides = Vec<(Field, ValueSet)>;

/// What says whether there are labels; not to be looked at where no rule does.
const LABELS: [Field; 2] = [Field::EtherType, Field::Mpls];

/// The cells that hold any value of the set: a value at the edge of a cell stands for the whole of it.
fn merged(mut runs: Vec<Run>) -> Vec<Run> {
    runs.dedup_by(|next, last| {
        let touch = next.0 <= last.1;
        if touch {
            last.1 = last.1.max(next.1);
        }
        touch
    });
    runs
}

impl Geometry<'_> {
    /// Up to `limit` boxes, without packets in common, of those packets of a box that none of the first `rules` rules
    /// matches. Fields that `sides` does not name are taken to be absent; [`Field::Dscp`] follows from
    /// [`Field::Tos`] and is left out. The boxes have the fields of `sides`, in their order.
    ///
    /// Empty where nothing is left, or where that was not found out within [`BUDGET`].
    pub fn left_of(&self, sides: &[(Field, ValueSet)], rules: usize, limit: usize) -> Vec<Sides> {
        let mut search = Search::new(&self.grid, limit, BUDGET);
        for shape in self.shapes.iter().copied().filter(|s| self.holds(*s, sides)) {
            let sets = self.grid.axes.iter().map(|axis| {
                let set = sides.iter().find(|(f, _)| *f == axis.field).map(|(_, s)| s);
                // labels that no rule looks at make no difference
                let domain = SHAPES[shape].domain(axis.field);
                set.map_or_else(
                    || axis.runs(&domain.intersect(&ValueSet::single(ABSENT))),
                    |set| merged(axis.runs(&domain.intersect(set))),
                )
            });
            let area = Area { shape, sets: sets.collect() };
            search.look_outside(&area, self.near_area(&area, rules).into_iter(), (rules, &[]));
        }
        search.found.iter().map(|area| self.narrowed(sides, area)).collect()
    }

    /// Whether packets with these sides can be of the shape.
    fn holds(&self, shape: usize, sides: &[(Field, ValueSet)]) -> bool {
        let labels = self.shapes.iter().any(|s| SHAPES[*s].labelled);
        Field::ALL.into_iter().filter(|f| *f != Field::Dscp && (labels || !LABELS.contains(f))).all(|field| {
            let domain = SHAPES[shape].domain(field);
            match sides.iter().find(|(f, _)| *f == field) {
                Some((_, set)) => domain.intersects(set),
                None => domain.contains(ABSENT),
            }
        })
    }

    /// The part of the box that lies in the area.
    fn narrowed(&self, sides: &[(Field, ValueSet)], area: &Area) -> Sides {
        let side = |(field, set): &(Field, ValueSet)| {
            let axis = self.grid.axes.iter().position(|a| a.field == *field);
            let set = axis.map_or_else(
                || set.clone(),
                |i| {
                    let cells = area.sets[i].iter().map(|r| self.grid.axes[i].values(*r));
                    ValueSet::from_ranges(cells).intersect(set)
                },
            );
            (*field, set)
        };
        sides.iter().map(side).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::value::{Range, Value};
    use crate::{Outcome, compile};

    fn rules(text: &str) -> crate::RuleSet {
        let Outcome { scenario, diagnostics, .. } = compile("x.csn", text, &mut crate::NoLoader);
        assert!(diagnostics.iter().all(|d| !d.code.starts_with('E')), "{diagnostics:?}");
        scenario.rules
    }

    /// UDP over IPv4 from one net, to some ports.
    fn udp(ports: (u128, u128)) -> Sides {
        let n = |lo: u128, hi: u128| ValueSet::from(Range::numbers(lo, hi));
        let net = |a: [u8; 4]| ValueSet::from(Range::prefix(Value::v4(a.into()), 24));
        vec![
            (Field::SrcMac, n(1, 1)),
            (Field::DstMac, n(2, 2)),
            (Field::EtherType, n(0x800, 0x800)),
            (Field::SrcIp, net([10, 0, 0, 0])),
            (Field::DstIp, net([10, 0, 1, 0])),
            (Field::Proto, n(17, 17)),
            (Field::Tos, n(0, 0)),
            (Field::Ttl, n(64, 64)),
            (Field::Length, n(60, 200)),
            (Field::Fragment, n(0, 0)),
            (Field::SrcPort, n(1000, 1009)),
            (Field::DstPort, n(ports.0, ports.1)),
        ]
    }

    /// All packets of a box that differ in the last three sides, by one address.
    fn members(sides: &Sides) -> Vec<(u128, u128, u128)> {
        let of = |f: Field| {
            let set = &sides.iter().find(|(g, _)| *g == f).unwrap().1;
            (0..set.len()).map(|i| set.nth(i).unwrap().bits).collect::<Vec<_>>()
        };
        let (lengths, sources, ports) = (of(Field::Length), of(Field::SrcPort), of(Field::DstPort));
        let mut out = Vec::new();
        for l in lengths {
            for s in &sources {
                out.extend(ports.iter().map(|p| (l, *s, *p)));
            }
        }
        out
    }

    #[test]
    fn what_is_left_is_all_that_no_rule_matches_each_packet_once() {
        let set = rules(
            "set: class = 1; addrule: proto = udp, dstport = 2003..2005; addrule: srcport = {1001, 1004..1020}; \
             addrule: length = 100..150 B, dscp = 0; addrule: srcip = 10.0.0.0/8, proto = tcp; \
             set: class = 2; addrule: ttl = 64;",
        );
        let geometry = Geometry::new(&set);
        let sides = udp((2000, 2009));
        let left = geometry.left_of(&sides, 4, usize::MAX);
        let mut seen: Vec<_> = left.iter().flat_map(members).collect();
        let many = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), many);
        let oracle = |(l, s, p): &(u128, u128, u128)| {
            let mut key = Key::new();
            sides.iter().for_each(|(f, set)| key.set(*f, set.nth(0).unwrap()));
            key.set_number(Field::Dscp, 0);
            key.set_number(Field::Length, *l);
            key.set_number(Field::SrcPort, *s);
            key.set_number(Field::DstPort, *p);
            set.classify(&key).rule.is_none_or(|r| r >= 4)
        };
        let expected: Vec<_> = members(&sides).into_iter().filter(oracle).collect();
        assert_eq!(seen, expected);
        assert!(geometry.left_of(&sides, 5, 1).is_empty());
        assert_eq!(geometry.left_of(&udp((2000, 2000)), 0, 9), [udp((2000, 2000))]);
    }

    #[test]
    fn labels_count_only_where_a_rule_looks_at_them() {
        let mut labelled = udp((1, 9));
        labelled[2].1 = Range::numbers(0x8847, 0x8847).into();
        labelled.push((Field::Mpls, Range::numbers(16, 16).into()));
        let plain = rules("set: class = 1; addrule: dstport = 1..5;");
        let left = Geometry::new(&plain).left_of(&labelled, 1, 9);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0][11].1, Range::numbers(6, 9).into());
        assert_eq!(left[0][2].1, labelled[2].1);
        let looking = rules("set: class = 1; addrule: mpls = 16;");
        assert!(Geometry::new(&looking).left_of(&labelled, 1, 9).is_empty());
        assert_eq!(Geometry::new(&looking).left_of(&udp((1, 9)), 1, 9).len(), 1);
    }
}
