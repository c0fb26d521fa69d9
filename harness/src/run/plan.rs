//! The points of a sweep as records name them, and the head of a run.

use super::{RunError, RunOptions};
use crate::trial::Bench;
use csn::experiment::Setting;
use csn::{Axis, MeterSpec, Nanos, Point, Rate, RateSpec, RuleSet, Scenario, Size};
use reports::record;
use std::collections::BTreeMap;
use std::path::Path;

/// `--quick`: at most this many repeats.
const QUICK_REPEAT: u32 = 2;
/// `--quick`: at most this long per trial.
const QUICK_TIME: Nanos = Nanos::from_millis(500);

/// One point of the sweep.
pub struct PlannedPoint {
    /// The point as the scenario has it.
    pub point: Point,
    /// The scenario there.
    pub setting: Setting,
    /// How many rules the meter loads.
    pub loaded: usize,
    /// Where it lies, as text.
    pub at: BTreeMap<String, String>,
    /// Where it lies, as numbers.
    pub x: BTreeMap<String, f64>,
}

/// What is to be run.
pub struct Plan {
    /// All points, by their number.
    pub points: Vec<PlannedPoint>,
    /// Trials per point; at most, where `within` says when there are enough.
    pub repeat: u32,
    /// A point has enough trials when the interval of its median reaches no farther than this share of it.
    pub within: Option<f64>,
    /// Length of a trial.
    pub time: Nanos,
    /// Where everything random comes from.
    pub seed: u64,
}

impl Plan {
    /// The plan of a scenario.
    ///
    /// # Errors
    /// [`RunError::Empty`] without a meter.
    pub fn of(scenario: &Scenario, quick: bool, wanted: &[String]) -> Result<Self, RunError> {
        let run = &scenario.experiment.run;
        let points: Vec<PlannedPoint> = scenario
            .grid()
            .into_iter()
            .filter(|p| wanted.is_empty() || wanted.iter().any(|w| is_meant(w, p)))
            .map(|point| PlannedPoint::new(scenario, point))
            .collect();
        if points.is_empty() {
            return Err(RunError::Empty {
                meters: scenario.grid().iter().map(|p| p.meter.to_string()).collect(),
            });
        }
        let cap = |full: u32, quick_value| if quick { full.min(quick_value) } else { full };
        Ok(Self {
            points,
            repeat: cap(run.repeat, QUICK_REPEAT).max(1),
            within: run.within,
            time: if quick { run.time.min(QUICK_TIME) } else { run.time },
            seed: run.seed,
        })
    }

    /// How many trials that makes.
    pub fn trials(&self) -> u32 {
        self.points.len() as u32 * self.repeat
    }

    /// The meters of the points, each once.
    fn meters(&self) -> Vec<&MeterSpec> {
        let mut out: Vec<&MeterSpec> = vec![];
        for point in &self.points {
            let spec = &point.point.meter;
            if !out.iter().any(|seen| seen.to_string() == spec.to_string()) {
                out.push(spec);
            }
        }
        out
    }

    /// The head of the run's records.
    pub fn head(
        &self,
        scenario: &Scenario,
        options: &RunOptions,
        bench: &dyn Bench,
        host: record::Host,
    ) -> record::Run {
        let e = &scenario.experiment;
        record::Run {
            version: record::VERSION,
            tool: env!("CARGO_PKG_VERSION").into(),
            time: super::now(),
            command: options.command.clone(),
            scenario: options.scenario.display().to_string(),
            text: options.text.clone(),
            title: e.title.clone().unwrap_or_else(|| stem(&options.scenario)),
            reproduces: e.reproduces.clone(),
            tags: e.tags.clone(),
            rules_hash: rules_hash(&scenario.rules),
            traffic_hash: self.traffic_hash(),
            rules: scenario.rules.rules.len() as u32,
            seed: self.seed,
            repeat: self.repeat,
            quick: options.quick,
            axes: self.axes(scenario),
            planned: self.trials(),
            classes: scenario.rules.classes.iter().map(csn::Class::label).collect(),
            host,
            lab: bench.lab().clone(),
            meters: self.meters().into_iter().map(|spec| bench.describe(spec)).collect(),
            calibration: vec![],
            expect: e
                .expect
                .iter()
                .map(|x| record::Expect {
                    metric: x.metric.name().into(),
                    relation: x.relation.sign().into(),
                    value: x.value,
                })
                .collect(),
        }
    }

    /// Hash of what is sent at every point: what is said of the traffic, the rate and the time. Places in the source do
    /// not count, and neither do the meters.
    fn traffic_hash(&self) -> String {
        let mut texts: Vec<String> = Vec::new();
        for point in &self.points {
            let mut mix = point.setting.mix.clone();
            mix.components.iter_mut().for_each(|c| c.span = csn::Span::default());
            let text = format!("{mix:?} {:?} {:?}", point.setting.rate, self.time);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        hash(texts.into_iter())
    }

    /// The axes with the values that points have, in file order, the meters first where there are several.
    fn axes(&self, scenario: &Scenario) -> Vec<(String, Vec<String>)> {
        let mut names: Vec<&str> = scenario.experiment.vary.iter().map(Axis::name).collect();
        let mut meters: Vec<&String> = self.points.iter().filter_map(|p| p.at.get("meter")).collect();
        meters.dedup();
        names.retain(|n| *n != "meter");
        if meters.len() > 1 {
            names.insert(0, "meter");
        }
        names
            .into_iter()
            .map(|name| {
                let mut values: Vec<String> = vec![];
                for value in self.points.iter().filter_map(|p| p.at.get(name)) {
                    if !values.contains(value) {
                        values.push(value.clone());
                    }
                }
                (name.to_string(), values)
            })
            .collect()
    }
}

impl PlannedPoint {
    /// The scenario at a point.
    fn new(scenario: &Scenario, point: Point) -> Self {
        let setting = scenario.at(&point);
        let loaded = setting.loaded.rules.len();
        let mut at = BTreeMap::new();
        let mut x = BTreeMap::new();
        at.insert("meter".into(), point.meter.to_string());
        at.insert("rules".into(), loaded.to_string());
        x.insert("rules".into(), loaded as f64);
        if let Some(share) = point.others {
            at.insert("others".into(), format!("{}%", share * 100.0));
            x.insert("others".into(), share);
        }
        if let Some(rate) = point.rate {
            at.insert("rate".into(), rate.to_string());
            // other rates become packets/s when the generator knows its sizes
            if let RateSpec::Fixed(Rate::Pps(pps)) = rate {
                x.insert("rate".into(), pps);
            }
        }
        if let Some(flows) = point.flows {
            at.insert("flows".into(), flows.to_string());
            x.insert("flows".into(), f64::from(flows));
        }
        if let Some(size) = &point.size {
            at.insert("size".into(), size.to_string());
            if let Size::Fixed { bytes, .. } = size {
                x.insert("size".into(), f64::from(*bytes));
            }
        }
        Self { point, setting, loaded, at, x }
    }

    /// The point in a few words: `rtfm, rules 10`.
    pub fn label(&self) -> String {
        let mut out = self.point.meter.to_string();
        for (name, value) in self.at.iter().filter(|(name, _)| *name != "meter") {
            out.push_str(&format!(", {name} {value}"));
        }
        out
    }

    /// A name for a folder.
    pub fn folder(&self, number: u32) -> String {
        let mut out = format!("{number:03}");
        for word in self.label().split(|c: char| !c.is_ascii_alphanumeric() && c != '.') {
            if !word.is_empty() {
                out.push('-');
                out.push_str(word);
            }
        }
        out
    }
}

/// Whether `--meter WANTED` means this point's meter: by name, or as written with its options.
fn is_meant(wanted: &str, point: &Point) -> bool {
    let plain = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    wanted == point.meter.name || plain(wanted) == plain(&point.meter.to_string())
}

/// The MTU up to which a veth end takes a native XDP program that knows frames in one piece only: a page less what the
/// kernel keeps before and behind a frame.
const MTU_OF_XDP: u32 = 3_400;
/// Room for headers around sizes that count an inner layer.
const HEADERS: u32 = 300;

/// The MTU that the link of a lab needs, where all packets are known to fit one that XDP programs can be attached at;
/// none where some may be longer, or nobody knows before.
pub fn link_mtu(scenario: &Scenario) -> Option<u32> {
    let sizes = scenario.grid().into_iter().flat_map(|point| {
        let components = scenario.at(&point).mix.components;
        components.into_iter().map(|c| c.traffic.from.map_or(longest(&c.traffic.size), |_| None))
    });
    let most = sizes.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    (most + HEADERS <= MTU_OF_XDP).then_some(MTU_OF_XDP)
}

/// The largest size that a description gives, where it says so itself.
fn longest(size: &Size) -> Option<u32> {
    match size {
        Size::Fixed { bytes, .. } => Some(*bytes),
        Size::Range { hi, .. } => Some(*hi),
        Size::Values { values, .. } => values.iter().map(|(bytes, _)| *bytes).max(),
        Size::Imix | Size::Mix(_) => Some(1_518),
        Size::Genome(_) | Size::Distribution(_) | Size::Capture(_) => None,
    }
}

/// A file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Hash of what the rules mean: classes with their labels, rules in order; places in the source do not count.
pub fn rules_hash(rules: &RuleSet) -> String {
    let classes = rules.classes.iter().map(|c| format!("{} {}", c.number, c.label()));
    hash(classes.chain(rules.rules.iter().map(|r| format!("{} {r}", r.class.0))))
}

/// FNV-1a with 64 bits over texts, in hexadecimal: it tells things apart, it is no safeguard against forgery.
fn hash(texts: impl Iterator<Item = String>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::{Class, ClassId, Field, MeterSpec, Range, Rule, Span, ValueSet};

    fn scenario() -> Scenario {
        let mut s = Scenario::default();
        s.rules.classes.push(Class { number: 1, name: Some("voice".into()), span: Span::default() });
        s.rules.rules.push(Rule {
            class: ClassId(1),
            tests: vec![(Field::DstPort, ValueSet::from_ranges([Range::numbers(53, 53)]))],
            both: false,
            span: Span::default(),
        });
        let meter = |name: &str, options: &[(&str, &str)]| MeterSpec {
            name: name.into(),
            options: options.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect(),
            span: Span::default(),
        };
        s.experiment.meters = vec![meter("rtfm", &[]), meter("rtfm", &[("prefilter", "bpf")])];
        s.experiment.vary = vec![
            Axis::Rules(vec![0, 1, 9]),
            Axis::Rate(vec![RateSpec::Fixed(Rate::Pps(2e4)), RateSpec::Max]),
        ];
        s
    }

    #[test]
    fn points_carry_their_place_as_text_and_number() {
        let plan = Plan::of(&scenario(), false, &[]).unwrap();
        assert_eq!((plan.points.len(), plan.trials()), (12, 60));
        let p = &plan.points[4];
        assert_eq!(p.label(), "rtfm, rate 20 kpps, rules 1");
        // 9 rules are asked for, but the file has one
        assert_eq!(p.x, BTreeMap::from([("rules".into(), 1.0), ("rate".into(), 20_000.0)]));
        assert_eq!(plan.points[11].folder(11), "011-rtfm-prefilter-bpf-rate-max-rules-1");
        let names: Vec<_> = plan.axes(&scenario()).into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["meter", "rules", "rate"]);
    }

    #[test]
    fn quick_runs_are_short_and_meters_can_be_chosen() {
        let plan = Plan::of(&scenario(), true, &["rtfm(prefilter=bpf)".into()]).unwrap();
        assert_eq!((plan.repeat, plan.time, plan.points.len()), (QUICK_REPEAT, QUICK_TIME, 6));
        assert!(matches!(Plan::of(&scenario(), true, &["x".into()]), Err(RunError::Empty { .. })));
    }

    #[test]
    fn a_link_is_short_where_all_packets_are_known_to_fit() {
        let with = |size: Size| {
            let mut s = scenario();
            let traffic = csn::mix::Traffic { size, ..Default::default() };
            let target = csn::mix::Target::Class(ClassId(1));
            let (share_of, span) = (csn::mix::ShareOf::Packets, Span::default());
            s.mix.components = vec![csn::mix::Component { target, share: 1.0, share_of, traffic, span }];
            link_mtu(&s)
        };
        assert_eq!(with(Size::Fixed { bytes: 60, layer: csn::Layer::Frame }), Some(MTU_OF_XDP));
        assert_eq!(with(Size::Imix), Some(MTU_OF_XDP));
        assert_eq!(with(Size::Fixed { bytes: 9_000, layer: csn::Layer::Frame }), None);
        assert_eq!(with(Size::Capture("x.pcap".into())), None);
    }

    #[test]
    fn the_hash_sees_meaning_not_places() {
        let s = scenario();
        let mut moved = s.rules.clone();
        moved.rules[0].span = Span { start: 7, ..moved.rules[0].span };
        assert_eq!(rules_hash(&s.rules), rules_hash(&moved));
        moved.classes[1].name = Some("video".into());
        assert_ne!(rules_hash(&s.rules), rules_hash(&moved));
    }
}
