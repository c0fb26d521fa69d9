//! tracestats of libtrace: a filter expression for each class, all of which it tries on every packet.

use super::tools::{BUFFER, External, Order, Probe, Program};
use crate::meter::{MeterError, Place, Readout, Running, Tells, Wire};
use csn::backends::{Options, by_name};
use csn::geometry::Geometry;
use csn::{ClassId, Counts, MeterSpec, RuleSet};
use nix::sys::signal::Signal;

const TRACESTATS: Program = Program { name: "tracestats", package: "libtrace-tools" };

/// The meter `tracestats`.
pub static TRACESTATS_FILTERS: External = External {
    name: "tracestats",
    summary: "tracestats of libtrace, a filter expression for each class",
    options: &[BUFFER],
    programs: &[TRACESTATS],
    version: &["-H"],
    place: Place::Process,
    tells: Tells::Own,
    deviations: include_str!("../../deviations/tracestats.md"),
    backend: Some(|_: &MeterSpec| Ok(("tcpdump", Options::default()))),
    limits,
    start,
};

/// It counts a packet with every filter that it passes, so no packet may be of two classes.
fn limits(_: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
    let classes = |rule: usize| rules.rules[rule].class;
    match Geometry::new(rules).overlaps().into_iter().find(|(a, b)| classes(*a) != classes(*b)) {
        Some((first, second)) => Err(MeterError::Loss {
            meter: "tracestats".into(),
            rule: second + 1,
            reason: format!(
                "it counts packets of rule {} as well, and tracestats knows no first match",
                first + 1
            ),
        }),
        None => Ok(()),
    }
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let mut command = TRACESTATS.command("tracestats")?;
    for (_, expression) in expressions(&job.rules.first(job.loaded)) {
        command.args(["-f", &expression]);
    }
    command.arg(format!("int:{}", job.interface));
    Ok(Probe::start(order, command)?.running(stop))
}

/// An expression for each class that has rules.
fn expressions(rules: &RuleSet) -> Vec<(ClassId, String)> {
    let Some(backend) = by_name("tcpdump") else { return vec![] };
    let mut out = vec![];
    for class in (1..rules.classes.len() as u32).map(ClassId) {
        let mut own = rules.clone();
        own.rules.retain(|r| r.class == class);
        if !own.rules.is_empty() {
            out.push((class, backend.emit(&own, &Options::default()).artefact.trim().to_owned()));
        }
    }
    out
}

fn stop(probe: &mut Probe, _wire: &dyn Wire) -> Result<Readout, MeterError> {
    probe.daemon.settle();
    let statistics = probe.statistics();
    probe.daemon.stop(Signal::SIGINT)?;
    let said = probe.daemon.said();
    let (filters, total) = counts(&said);
    let expressions = expressions(&probe.rules.first(probe.loaded()));
    if filters.len() != expressions.len() {
        return Err(probe.daemon.failed(&format!(
            "it counted {} filters, not {}",
            filters.len(),
            expressions.len()
        )));
    }
    let mut classes = vec![Counts::default(); probe.rules.classes.len()];
    let mut rest = total;
    for ((class, _), counts) in expressions.iter().zip(filters) {
        classes[class.index()] = counts;
        rest.packets = rest.packets.saturating_sub(counts.packets);
        rest.bytes = rest.bytes.saturating_sub(counts.bytes);
    }
    classes[0] = rest;
    Ok(probe.readout(classes, statistics))
}

/// The counts of every filter, in their order, and of all packets.
///
/// ```text
/// filter                               count          bytes        %
///                  udp port 2000:          100       10600   10.000
///                Dropped packets:            0
///               Accepted Packets:         1000
///                          Total:         1000       106000
/// ```
fn counts(said: &str) -> (Vec<Counts>, Counts) {
    let (mut filters, mut total) = (vec![], Counts::default());
    for line in said.lines() {
        let Some((name, numbers)) = line.rsplit_once(":\t").or_else(|| line.rsplit_once(": ")) else {
            continue;
        };
        let mut numbers = numbers.split_whitespace().map_while(|n| n.parse::<f64>().ok());
        let (Some(packets), Some(bytes)) = (numbers.next(), numbers.next()) else { continue };
        let counts = Counts { packets: packets as u64, bytes: bytes as u64 };
        match name.trim() {
            "Total" => total = counts,
            _ => filters.push(counts),
        }
    }
    (filters, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_prints_is_understood() {
        let said = "int:meter0: \nfilter                        \t       count\t       bytes\t      %\n\
                    \x20                udp port 2000:\t         100\t       10600\t 10.000\n\
                    \x20              Dropped packets:\t           0\n\
                    \x20             Accepted Packets:\t        1000\n\
                    \x20                        Total:\t        1000\t      106000\n";
        let (filters, total) = counts(said);
        assert_eq!(filters, [Counts { packets: 100, bytes: 10_600 }]);
        assert_eq!(total.packets, 1000);
    }

    #[test]
    fn classes_in_common_are_refused() {
        let mut rules = csn::backends::example_rules();
        limits(&MeterSpec { name: "tracestats".into(), options: vec![], span: csn::Span::default() }, &rules)
            .unwrap();
        let mut wide = rules.rules[0].clone();
        (wide.class, wide.tests) = (ClassId(2), wide.tests[..3].to_vec());
        rules.rules.push(wide);
        let spec = MeterSpec { name: "tracestats".into(), options: vec![], span: csn::Span::default() };
        assert!(matches!(limits(&spec, &rules), Err(MeterError::Loss { rule: 3, .. })));
    }
}
