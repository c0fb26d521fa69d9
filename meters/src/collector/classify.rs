//! Flows to classes: by the oracle, where the record of a flow says enough.

use super::summary::Tally;
use crate::flows::{Fields, Flow};
use csn::{ClassId, Classifier, Field, Rule, RuleSet};

/// What class a flow is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// All of its packets are of that one.
    Decided(ClassId),
    /// Its record leaves open a field that makes the difference.
    Undecided,
}

/// Sorts flows to the classes of a rule set, and counts them.
#[derive(Debug)]
pub struct Classes {
    rules: RuleSet,
    classifier: Classifier,
    /// The fields that rules look at, and for rules that match replies too, those of the reply.
    needed: Fields,
    tallies: Vec<Tally>,
    undecided: Tally,
}

/// What a record says of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// It leaves that open.
    Perhaps,
}

impl Classes {
    /// Classes of these rules, without any flows.
    pub fn new(rules: &RuleSet) -> Self {
        let mut needed: Fields = rules.fields().into_iter().collect();
        if rules.rules.iter().any(|r| r.both) {
            needed = needed.iter().flat_map(|f| [f, f.reversed()]).collect();
        }
        Self {
            classifier: Classifier::new(rules),
            needed,
            tallies: vec![Tally::default(); rules.classes.len()],
            undecided: Tally::default(),
            rules: rules.clone(),
        }
    }

    /// The class of a flow. Where the record says all that rules ask for, that of its key; else the one that every
    /// possible packet of the flow has, if there is one.
    pub fn class(&self, flow: &Flow) -> Class {
        if flow.known.covers(self.needed) {
            return Class::Decided(self.classifier.classify(&flow.key).class);
        }
        let mut found: Option<ClassId> = None;
        for rule in &self.rules.rules {
            let may = matches(rule, flow);
            if may != Match::No {
                if found.is_some_and(|c| c != rule.class) {
                    return Class::Undecided;
                }
                found = Some(rule.class);
            }
            if may == Match::Yes {
                return Class::Decided(rule.class);
            }
        }
        match found {
            Some(_) => Class::Undecided,
            None => Class::Decided(ClassId::OTHERS),
        }
    }

    /// Counts a flow, and says what class it is of.
    pub fn add(&mut self, flow: &Flow) -> Class {
        let class = self.class(flow);
        match class {
            Class::Decided(class) => self.tallies[class.index()].add(flow),
            Class::Undecided => self.undecided.add(flow),
        }
        class
    }

    /// Per class, by [`ClassId`], and what could not be decided.
    pub fn tallies(&self) -> (&[Tally], Tally) {
        (&self.tallies, self.undecided)
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }
}

fn matches(rule: &Rule, flow: &Flow) -> Match {
    let forward = one_way(rule, flow, |f| f);
    if forward == Match::Yes || !rule.both {
        return forward;
    }
    match (forward, one_way(rule, flow, Field::reversed)) {
        (_, Match::Yes) => Match::Yes,
        (Match::No, Match::No) => Match::No,
        _ => Match::Perhaps,
    }
}

/// The rule's tests against the flow, each on the field that `side` gives.
fn one_way(rule: &Rule, flow: &Flow, side: impl Fn(Field) -> Field) -> Match {
    let mut all = Match::Yes;
    for (field, set) in &rule.tests {
        let field = side(*field);
        if !flow.known.contains(field) {
            all = Match::Perhaps;
        } else if !flow.key.get(field).is_some_and(|v| set.contains(v)) {
            return Match::No;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::{Key, NoLoader, Value};

    fn rules(text: &str) -> RuleSet {
        let outcome = csn::compile("x.csn", text, &mut NoLoader);
        assert!(!outcome.has_errors(), "{:?}", outcome.diagnostics);
        outcome.scenario.rules
    }

    fn flow(key: &str, absent: &[Field]) -> Flow {
        let key: Key = csn::parse_packet(key).unwrap();
        let mut flow = Flow { key, packets: 2, octets: 100, ..Flow::default() };
        key.fields().for_each(|(f, _)| flow.known.insert(f));
        absent.iter().for_each(|f| flow.absent(*f));
        flow
    }

    #[test]
    fn a_class_is_decided_where_the_record_says_enough() {
        let rules = rules(
            "set: class = 1, name = \"ttl\"; addrule: srcip = 10.0.0.0/8, ttl = 64, proto = udp; \
             set: class = 2, name = \"net\"; addrule: srcip = 10.0.0.0/8, proto = udp, dstport = 53; \
             addrule: srcip = 10.0.0.0/8, proto = udp, vlan = 7;",
        );
        let mut classes = Classes::new(&rules);
        let class = |c: &Classes, f: &Flow| match c.class(f) {
            Class::Decided(c) => rules.label(c),
            Class::Undecided => "?".into(),
        };
        // the source rules everything out, whatever the time to live was
        let other = flow("srcip = 11.0.0.1, proto = udp", &[]);
        assert_eq!(class(&classes, &other), "others");
        // without the time to live both are possible
        let open = flow("srcip = 10.0.0.1, proto = udp, dstport = 53", &[]);
        assert_eq!(class(&classes, &open), "?");
        assert_eq!(
            class(&classes, &flow("srcip = 10.0.0.1, proto = udp, dstport = 53, ttl = 1", &[])),
            "net"
        );
        // the tag is open: class 2 or others
        assert_eq!(class(&classes, &flow("srcip = 10.0.0.1, proto = udp, dstport = 5, ttl = 1", &[])), "?");
        let bare = flow("srcip = 10.0.0.1, proto = udp, dstport = 5, ttl = 1", &[Field::Vlan]);
        assert_eq!(class(&classes, &bare), "others");
        // class 2 by the second rule or the third
        classes.add(&open);
        classes.add(&bare);
        let (tallies, undecided) = classes.tallies();
        assert_eq!((undecided.flows, undecided.packets, undecided.octets), (1, 2, 100));
        assert_eq!((tallies[0].flows, tallies[2].flows), (1, 0));
    }

    #[test]
    fn replies_are_matched_where_the_rule_says_so() {
        let rules = rules("set: class = 1; addrule: dstip = 10.0.0.1, proto = tcp, dstport = 80, both;");
        let classes = Classes::new(&rules);
        let one = Class::Decided(ClassId(1));
        assert_eq!(
            classes.class(&flow("srcip = 1.2.3.4, dstip = 10.0.0.1, proto = tcp, dstport = 80", &[])),
            one
        );
        assert_eq!(
            classes.class(&flow("srcip = 10.0.0.1, dstip = 1.2.3.4, proto = tcp, srcport = 80", &[])),
            one
        );
        assert_eq!(
            classes.class(&flow("srcip = 10.0.0.1, dstip = 1.2.3.4, proto = tcp", &[])),
            Class::Undecided
        );
        let no = flow("srcip = 10.0.0.1, dstip = 1.2.3.4, proto = udp", &[]);
        assert_eq!(classes.class(&no), Class::Decided(ClassId::OTHERS));
    }

    #[test]
    fn random_flows_with_open_fields_are_never_decided_wrongly() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1);
        let rules = rules(
            "set: class = 1..4; addrule: proto = udp, dstport = each 1..4; \
             set: class = 5; addrule: srcport = 1..2, ttl = 1..3, both; set: class = 6; addrule: tos = 2, dstport != 3;",
        );
        let classes = Classes::new(&rules);
        let fields = [Field::Proto, Field::SrcPort, Field::DstPort, Field::Ttl, Field::Tos];
        let (mut decided, mut all) = (0, 0);
        for _ in 0..20_000 {
            let mut whole = Key::new();
            let mut flow = Flow::default();
            for field in fields {
                let value = Value::number(if field == Field::Proto { 17 } else { rng.random_range(0..5) });
                let (there, known) = (rng.random_bool(0.8), rng.random_bool(0.7));
                if there {
                    whole.set(field, value);
                }
                match (there, known) {
                    (true, true) => flow.set(field, value),
                    (false, true) => flow.absent(field),
                    _ => {}
                }
            }
            all += 1;
            if let Class::Decided(class) = classes.class(&flow) {
                decided += 1;
                assert_eq!(class, rules.classify(&whole).class, "{whole} known as {}", flow.key);
            }
        }
        assert!(decided * 4 > all && decided < all, "{decided} of {all}");
    }
}
