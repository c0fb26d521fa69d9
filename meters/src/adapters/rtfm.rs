//! The adapter to the built-in RTFM meter.

use super::Controlled;
use crate::builtin::rtfm::{OPTIONS, Settings, WHOLE, emit, error};
use crate::control::Event;
use crate::meter::{Admission, Job, Meter, MeterError, OptionDoc, Readout, Running};
use crate::prefilter::{Discard, admission, compile};
use csn::{ClassId, Counts, MeterSpec, RuleSet};
use std::path::Path;
use std::process::Command;

/// The meter `rtfm`.
pub struct Rtfm;

/// Options that say how the filter is made: the meter gets the program instead.
const COMPILED: [&str; 3] = ["prefilter", "form", "drop"];

impl Meter for Rtfm {
    fn name(&self) -> &'static str {
        "rtfm"
    }

    fn summary(&self) -> &'static str {
        "the built-in RTFM meter, rules as a NeTraMet rule file"
    }

    fn options(&self) -> &'static [OptionDoc] {
        OPTIONS
    }

    fn version(&self) -> Result<String, MeterError> {
        Ok(env!("CARGO_PKG_VERSION").into())
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        let settings = Settings::parse(spec)?;
        emit(spec, rules, rules.rules.len())?;
        let Some(filter) = settings.prefilter else { return Ok(()) };
        if let Discard::Rules(_, last) = filter.discard
            && last >= rules.rules.len()
        {
            let reason = format!("the scenario has {} rules", rules.rules.len());
            return Err(error(spec, "drop", reason, "drop = rules that there are, from 1"));
        }
        // the longest program that the sweep can ask for
        let (filter, loaded) = match filter.discard {
            Discard::Unmatched => (filter, rules.rules.len()),
            Discard::Rest | Discard::Rules(..) => (filter, 0),
        };
        compile(&spec.name, filter, rules, loaded, WHOLE, true).map(|_| ())
    }

    fn admission(&self, spec: &MeterSpec, rules: &RuleSet, loaded: usize) -> Result<Admission, MeterError> {
        let Some(filter) = Settings::parse(spec)?.prefilter else { return Ok(Admission::all(rules)) };
        admission(filter.discard, rules, loaded).map_err(|(rule, discarded)| {
            let reason = format!(
                "the filter discards some packets that rule {} is the first to match, as rule {} matches them too, \
                 and passes others: what the meter should count would not be known",
                rule + 1,
                discarded + 1
            );
            error(spec, "drop", reason, "discard rules that have no packets in common with those before them")
        })
    }

    fn start(&self, job: &Job<'_>) -> Result<Box<dyn Running>, MeterError> {
        let settings = Settings::parse(job.spec)?;
        let file = emit(job.spec, job.rules, job.loaded)?;
        let rules = job.folder.join("rules.rules");
        write(&rules, &file.text)?;
        let mut command = Command::new(job.program);
        command.args(["meter", "rtfm", "--control", "--interface", job.interface, "--ruleset"]).arg(&rules);
        for (name, value) in &job.spec.options {
            if !COMPILED.contains(&name.as_str()) {
                command.arg("-O").arg(format!("{name}={value}"));
            }
        }
        if let Some(filter) = settings.prefilter {
            let accept = settings.snaplen.unwrap_or(WHOLE);
            let program = compile(&job.spec.name, filter, job.rules, job.loaded, accept, true)?;
            let path = job.folder.join("filter.bpf");
            write(&path, &program.to_string())?;
            command.arg("--filter").arg(&path);
        }
        let log = job.folder.join("meter.log");
        let process = Controlled::start(&job.spec.name, command, job.launch, &log)?;
        Ok(Box::new(Process { process, labels: file.labels, classes: job.rules.classes.len() }))
    }
}

fn write(path: &Path, text: &str) -> Result<(), MeterError> {
    std::fs::write(path, text)
        .map_err(|source| MeterError::Io { what: format!("write {}", path.display()), source })
}

/// The meter's process.
struct Process {
    process: Controlled,
    /// What the meter calls each class.
    labels: Vec<(String, ClassId)>,
    classes: usize,
}

impl Running for Process {
    fn pids(&self) -> Vec<u32> {
        vec![self.process.pid()]
    }

    fn stop(self: Box<Self>) -> Result<Readout, MeterError> {
        let Self { process, labels: known, classes } = *self;
        let failed = |reason: String| MeterError::Failed { meter: "rtfm".into(), reason };
        let Event::Readout { totals, labels, .. } = process.stop()? else {
            return Err(failed("it did not give a readout".into()));
        };
        let mut readout = *totals;
        readout.classes = vec![Counts::default(); classes];
        for label in labels {
            let class = known.iter().find(|(l, _)| *l == label.label).map(|(_, c)| *c);
            let counts = class.and_then(|c| readout.classes.get_mut(c.index()));
            let counts = counts.ok_or_else(|| failed(format!("it counted packets as `{}`", label.label)))?;
            *counts += Counts { packets: label.packets, bytes: label.bytes };
        }
        Ok(readout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::backends::example_rules;

    fn spec(options: &[(&str, &str)]) -> MeterSpec {
        let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        MeterSpec { name: "rtfm".into(), options, span: csn::Span::default() }
    }

    #[test]
    fn options_are_checked_against_the_rules() {
        let rules = example_rules();
        let fine = spec(&[("prefilter", "bpf"), ("drop", "2..2")]);
        Rtfm.check(&fine, &rules).unwrap();
        assert_eq!(Rtfm.admission(&fine, &rules, 1).unwrap().rules, [true, false]);
        let beyond = Rtfm.check(&spec(&[("prefilter", "bpf"), ("drop", "2..3")]), &rules).unwrap_err();
        assert!(beyond.to_string().contains("2 rules"), "{beyond}");
        assert_eq!(Rtfm.admission(&spec(&[]), &rules, 0).unwrap(), Admission::all(&rules));
    }

    #[test]
    fn an_ambiguous_filter_is_refused() {
        let mut rules = example_rules();
        let mut wide = rules.rules[1].clone();
        wide.tests.retain(|(f, _)| *f != csn::Field::SrcIp);
        rules.rules.push(wide);
        rules.rules[1].tests.retain(|(f, _)| *f != csn::Field::DstIp);
        let e = Rtfm.admission(&spec(&[("prefilter", "bpf"), ("drop", "3")]), &rules, 3).unwrap_err();
        assert!(matches!(&e, MeterError::Option { option, .. } if option == "drop"), "{e}");
        assert!(e.to_string().contains("rule 2") && e.to_string().contains("rule 3"), "{e}");
    }
}
