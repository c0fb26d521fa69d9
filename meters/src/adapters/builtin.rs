//! The adapter to the built-in meters: each is started as a process of its own, and read over its control protocol.

use super::Controlled;
use crate::builtin::options::{Common, error};
use crate::builtin::{BUILTINS, Builtin};
use crate::control::Event;
use crate::meter::{Admission, Job, Meter, MeterError, OptionDoc, Place, Readout, Running, Tells, Wire};
use crate::prefilter::{Discard, WHOLE, admission, compile};
use csn::{ClassId, Counts, MeterSpec, RuleSet};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// A built-in meter as a meter under test.
pub struct BuiltIn(&'static dyn Builtin);

/// Every built-in meter.
pub static BUILT_IN: [BuiltIn; BUILTINS.len()] = {
    let mut all = [const { BuiltIn(BUILTINS[0]) }; BUILTINS.len()];
    let mut i = 0;
    while i < all.len() {
        all[i].0 = BUILTINS[i];
        i += 1;
    }
    all
};

/// Options that say how the filter is made: the meter gets the program instead.
const COMPILED: [&str; 3] = ["prefilter", "form", "drop"];

impl Meter for BuiltIn {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn summary(&self) -> &'static str {
        self.0.summary()
    }

    fn options(&self) -> &'static [OptionDoc] {
        self.0.options()
    }

    fn version(&self) -> Result<String, MeterError> {
        self.0.version()
    }

    fn tells_classes(&self) -> Tells {
        self.0.tells_classes()
    }

    fn place(&self) -> Place {
        self.0.place()
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        self.0.check(spec, rules)?;
        let Some(filter) = self.common(spec)?.prefilter else { return Ok(()) };
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
        let Some(filter) = self.common(spec)?.prefilter else { return Ok(Admission::all(rules)) };
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
        let load = self.0.load(job.spec, job.rules, job.loaded)?;
        let rules = job.folder.join(load.file);
        write(&rules, &load.text)?;
        let mut command = Command::new(job.program);
        command.args(["meter", self.0.name(), "--control", "--interface", job.interface, load.argument]);
        command.arg(&rules);
        for (name, value) in &job.spec.options {
            if !COMPILED.contains(&name.as_str()) {
                command.arg("-O").arg(format!("{name}={value}"));
            }
        }
        let common = self.common(job.spec)?;
        if common.prefilter.is_some()
            && let Some(program) = common.program(job.spec, Some((job.rules, job.loaded)), true)?
        {
            let path = job.folder.join("filter.bpf");
            write(&path, &program.to_string())?;
            command.arg("--filter").arg(&path);
        }
        let log = job.folder.join("meter.log");
        let process = Controlled::start(&job.spec.name, command, job.launch, &log)?;
        let (meter, classes) = (job.spec.name.clone(), job.rules.classes.len());
        Ok(Box::new(Process { meter, process, labels: load.labels, classes }))
    }
}

impl BuiltIn {
    fn common(&self, spec: &MeterSpec) -> Result<Common, MeterError> {
        Common::parse(spec, self.0.options())
    }
}

fn write(path: &Path, text: &str) -> Result<(), MeterError> {
    std::fs::write(path, text)
        .map_err(|source| MeterError::Io { what: format!("write {}", path.display()), source })
}

/// The meter's process.
struct Process {
    meter: String,
    process: Controlled,
    /// What the meter calls each class.
    labels: Vec<(String, ClassId)>,
    classes: usize,
}

impl Running for Process {
    fn pids(&self) -> Vec<u32> {
        vec![self.process.pid()]
    }

    fn stop(self: Box<Self>, _wire: &dyn Wire) -> Result<Readout, MeterError> {
        let Self { meter, process, labels: known, classes } = *self;
        let failed = |reason: String| MeterError::Failed { meter: meter.clone(), reason };
        let Event::Readout { totals, labels, .. } = process.stop()? else {
            return Err(failed("it did not give a readout".into()));
        };
        let mut readout = *totals;
        readout.classes = vec![Counts::default(); classes];
        let known: HashMap<String, ClassId> = known.into_iter().collect();
        for label in labels {
            let counts = known.get(&label.label).and_then(|c| readout.classes.get_mut(c.index()));
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

    fn rtfm() -> &'static BuiltIn {
        BUILT_IN.iter().find(|m| m.name() == "rtfm").unwrap()
    }

    fn spec(options: &[(&str, &str)]) -> MeterSpec {
        let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        MeterSpec { name: "rtfm".into(), options, span: csn::Span::default() }
    }

    #[test]
    fn options_are_checked_against_the_rules() {
        let rules = example_rules();
        let fine = spec(&[("prefilter", "bpf"), ("drop", "2..2")]);
        rtfm().check(&fine, &rules).unwrap();
        assert_eq!(rtfm().admission(&fine, &rules, 1).unwrap().rules, [true, false]);
        let beyond = rtfm().check(&spec(&[("prefilter", "bpf"), ("drop", "2..3")]), &rules).unwrap_err();
        assert!(beyond.to_string().contains("2 rules"), "{beyond}");
        assert_eq!(rtfm().admission(&spec(&[]), &rules, 0).unwrap(), Admission::all(&rules));
    }

    #[test]
    fn an_ambiguous_filter_is_refused() {
        let mut rules = example_rules();
        let mut wide = rules.rules[1].clone();
        wide.tests.retain(|(f, _)| *f != csn::Field::SrcIp);
        rules.rules.push(wide);
        rules.rules[1].tests.retain(|(f, _)| *f != csn::Field::DstIp);
        let e = rtfm().admission(&spec(&[("prefilter", "bpf"), ("drop", "3")]), &rules, 3).unwrap_err();
        assert!(matches!(&e, MeterError::Option { option, .. } if option == "drop"), "{e}");
        assert!(e.to_string().contains("rule 2") && e.to_string().contains("rule 3"), "{e}");
    }
}
