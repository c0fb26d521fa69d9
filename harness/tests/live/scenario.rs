//! What these tests measure: ten classes of one port each, and packets that match none.

use csn::mix::ShareOf;
use csn::{
    Axis, Class, ClassId, Component, Field, MeterSpec, Miss, Nanos, Range, Rate, RateSpec, Rule, RuleSet,
    Scenario, Span, Target, Traffic, TrafficMix, ValueSet,
};

/// Ten rules; 11,000 packets/s for half a second, spread evenly over the classes and `others`.
pub fn scenario() -> Scenario {
    let mut targets: Vec<Target> = (1..=10).map(|n| Target::Class(ClassId(n))).collect();
    targets.push(Target::Others(Miss::Near));
    let mut s = Scenario { rules: rules(), mix: mix(&targets), ..Scenario::default() };
    s.experiment.meters = vec![oracle("")];
    s.experiment.vary = vec![Axis::Rules(vec![0, 6])];
    s.experiment.run.rate = RateSpec::Fixed(Rate::Pps(11_000.0));
    s.experiment.run.time = Nanos::from_millis(500);
    s.experiment.run.repeat = 2;
    s
}

/// The meter of these tests with one of its faults.
pub fn oracle(fault: &str) -> MeterSpec {
    let options = if fault.is_empty() { vec![] } else { vec![("fault".into(), fault.into())] };
    MeterSpec { name: "oracle".into(), options, span: Span::default() }
}

/// Equal shares.
pub fn mix(targets: &[Target]) -> TrafficMix {
    let share = 1.0 / targets.len() as f64;
    let part = |target: &Target| Component {
        target: *target,
        share,
        share_of: ShareOf::Packets,
        traffic: Traffic::default(),
        span: Span::default(),
    };
    TrafficMix { components: targets.iter().map(part).collect() }
}

fn rules() -> RuleSet {
    let mut rules = RuleSet::default();
    let one = |field, n| (field, ValueSet::from_ranges([Range::numbers(n, n)]));
    for number in 1..=10 {
        rules.classes.push(Class { number, name: None, span: Span::default() });
        let tests = vec![one(Field::Proto, 17), one(Field::DstPort, 2000 + u128::from(number))];
        rules.rules.push(Rule { class: ClassId(number), tests, both: false, span: Span::default() });
    }
    rules
}
