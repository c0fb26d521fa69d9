//! What the meter tells at its end.

use super::attributes::Flow;
use super::matching::{Matching, Totals};
use crate::control::Label;
use csn::rtfm::Attribute;
use csn::{ClassId, Counts, Nanos};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How labels become classes of the notation.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    /// How many classes there are; none for rule texts.
    pub count: usize,
    /// What the rule back end calls each.
    pub labels: Vec<(String, ClassId)>,
}

impl Classes {
    /// Packets and octets per class.
    pub fn counts(&self, matching: &Matching) -> Vec<Counts> {
        let mut out = vec![Counts::default(); self.count];
        for label in labels(matching) {
            if let Some((_, class)) = self.labels.iter().find(|(l, _)| *l == label.label)
                && let Some(counts) = out.get_mut(class.index())
            {
                *counts += Counts { packets: label.packets, bytes: label.bytes };
            }
        }
        out
    }
}

/// Packets and octets by rule set and label.
pub fn labels(matching: &Matching) -> Vec<Label> {
    let set = |place: usize| matching.engines()[place].set();
    let sums = matching.table().sums();
    sums.into_iter()
        .map(|((place, label), c)| Label {
            set: set(place),
            label: label.to_string(),
            packets: c.packets,
            bytes: c.bytes,
        })
        .collect()
}

/// Every flow with its attributes.
pub fn flows(matching: &Matching, start: Nanos) -> Vec<Map<String, Value>> {
    use Attribute::{
        FirstTime, FlowIndex, FlowRuleSet, FromOctets, FromPDUs, LastActiveTime, ToOctets, ToPDUs,
    };
    let always = [FlowRuleSet, FlowIndex, FirstTime, LastActiveTime, ToPDUs, FromPDUs, ToOctets, FromOctets];
    matching
        .table()
        .flows()
        .map(|(index, record)| {
            let flow = Flow { index, record, engine: &matching.engines()[record.set()], start };
            let mut row = Map::new();
            for a in always {
                let number = flow.value(a).parse::<u64>().unwrap_or(0);
                row.insert(a.name().into(), number.into());
            }
            row.extend(flow.all_saved().map(|(name, value)| (name.to_string(), value.into())));
            row
        })
        .collect()
}

/// What else the meter knows.
pub fn counters(matching: &Matching) -> BTreeMap<String, u64> {
    let sum = |of: fn(&Totals) -> u64| matching.totals().iter().map(of).sum::<u64>();
    BTreeMap::from([
        ("steps".into(), matching.engines().iter().map(|e| e.steps()).sum()),
        ("faults".into(), sum(|t| t.faults)),
        ("flooded".into(), sum(|t| t.flooded)),
    ])
}

/// Says on standard error what was not counted against all intentions.
pub fn warn(matching: &Matching) {
    for (engine, t) in matching.engines().iter().zip(matching.totals()) {
        let set = engine.set();
        if t.faults > 0 {
            eprintln!(
                "rtfm: {} packets not counted: the rules of rule set {set} did not come to an end",
                t.faults
            );
        }
        if t.flooded > 0 {
            eprintln!(
                "rtfm: {} packets not counted: rule set {set} found the flow table full; give it more with \
                 `flows = …`",
                t.flooded
            );
        }
    }
}
