//! Trials on real packets: generator and meter as processes in a lab.

use super::evidence::{Evidence, together};
use super::validity::{self, Figures, Reason};
use super::{Bench, Measured, Task, TrialError};
use crate::cpu::{self, Sample};
use crate::lab::{
    Counters, GENERATOR_INTERFACE, GENERATOR_MAC, Helper, Lab, METER_INTERFACE, METER_MAC, Pinned,
    TRAFFIC_MACS, Wire,
};
use crate::worker::{Go, Order, Progress};
use csn::{MeterSpec, RuleSet};
use generator::Report;
use generator::job::Amount;
use meters::{Admission, Launch, Link, Meter, MeterError, Place, Readout, Running, Tells};
use reports::record;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long making the packets of a trial may take.
const PLANNING: Duration = Duration::from_secs(120);
/// How much longer than its time sending may take before the generator is given up.
const SENDING_SLACK: Duration = Duration::from_secs(20);
/// Time between two looks at whether everything has arrived.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// So many looks in a row must find nothing moving: longer than a meter's ring keeps a block open.
const DRAIN_STILL: u32 = 6;
/// The longest wait for packets in flight (RFC 2544 waits 2 s).
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// How long the sender goes flat out to show what a packet costs it.
const FLAT_OUT: csn::Nanos = csn::Nanos::from_millis(300);

/// Runs trials in a lab.
pub struct LiveBench {
    lab: Lab,
    program: PathBuf,
    meters: &'static [&'static dyn Meter],
    _pinned: Option<Pinned>,
}

impl LiveBench {
    /// A bench in that lab, for the meters of a table. `program` is csnbench itself. The calling thread leaves the
    /// meter's CPU for as long as the bench lives.
    pub fn new(lab: Lab, program: PathBuf, meters: &'static [&'static dyn Meter]) -> Self {
        let pinned = lab.generator().cpu().and_then(Pinned::to);
        Self { lab, program, meters, _pinned: pinned }
    }

    /// The meter of that name.
    fn find(&self, spec: &MeterSpec) -> Result<&'static dyn Meter, record::Skip> {
        self.meters.iter().copied().find(|m| m.name() == spec.name).ok_or_else(|| record::Skip {
            what: spec.to_string(),
            reason: format!("there is no meter `{}`", spec.name),
            cure: "csnbench list meters".into(),
        })
    }

    /// Starts the generator and waits until its packets are made.
    fn start_generator(&self, task: &Task<'_>, watch: Watch<'_>) -> Result<Helper, TrialError> {
        let failed = |e: io::Error| stopped_or(e, "could not be started");
        let mut command = Command::new(&self.program);
        command.args(["worker", "generate"]);
        Helper::pipes(&mut command);
        let child = self.lab.generator().spawn(command).map_err(failed)?;
        let mut helper = Helper::new(child, Duration::ZERO).map_err(failed)?;
        let job = generator::Job {
            rules: task.rules.clone(),
            mix: task.setting.mix.clone(),
            rate: task.setting.rate,
            amount: Amount::Time(task.time),
            seed: task.seed,
            macs: TRAFFIC_MACS,
        };
        let (interface, transmitter) = (GENERATOR_INTERFACE.into(), self.lab.transmitter().into());
        helper.send(&Order { job, interface, transmitter }).map_err(failed)?;
        match helper.receive(PLANNING, watch).map_err(|e| stopped_or(e, "did not become ready"))? {
            Progress::Ready => Ok(helper),
            Progress::Error { message } => Err(TrialError::Generator(message)),
            Progress::Report(_) => Err(TrialError::Generator("it sent before it was told to".into())),
        }
    }

    /// Has the generator send, and waits for its report.
    fn send(&self, generator: &mut Helper, task: &Task<'_>, watch: Watch<'_>) -> Result<Report, TrialError> {
        generator.send(&Go).map_err(|e| stopped_or(e, "could not be told to send"))?;
        let limit = task.time.to_duration() + SENDING_SLACK;
        let answer = generator.receive(limit, watch).map_err(|e| stopped_or(e, "gave no report"))?;
        // on a busy machine the report may be there before anybody looked
        watch().map_err(|e| stopped_or(e, "was stopped"))?;
        match answer {
            Progress::Report(report) => Ok(*report),
            Progress::Error { message } => Err(TrialError::Generator(message)),
            Progress::Ready => Err(TrialError::Generator("it made its packets twice".into())),
        }
    }

    /// Waits until no packet arrives and the meter has nothing left to do.
    fn drain(&mut self, pids: &[u32]) -> Result<Counters, TrialError> {
        let used = || pids.iter().map(|pid| cpu::process_time(*pid).unwrap_or(0)).sum::<u64>();
        let end = Instant::now() + DRAIN_LIMIT;
        let (mut seen, mut busy, mut still) = (self.lab.counters()?, used(), 0);
        while still < DRAIN_STILL && Instant::now() < end {
            std::thread::sleep(DRAIN_STEP);
            let (counters, now) = (self.lab.counters()?, used());
            // a tenth of the time is what an idle meter may use to look around
            let idle = now.saturating_sub(busy) < DRAIN_STEP.as_nanos() as u64 / 10;
            still = if counters == seen && idle { still + 1 } else { 0 };
            (seen, busy) = (counters, now);
        }
        Ok(seen)
    }

    /// The work of a trial for its meter.
    fn job<'a>(&'a self, task: &'a Task<'_>) -> meters::Job<'a> {
        meters::Job {
            spec: task.spec,
            rules: task.rules,
            loaded: task.loaded,
            interface: METER_INTERFACE,
            link: Link { generator: GENERATOR_MAC, meter: METER_MAC, traffic: TRAFFIC_MACS },
            folder: task.folder,
            program: &self.program,
            launch: self.lab.meter(),
        }
    }

    /// What a meter in the kernel adds to the sender's CPU time per packet. Its softirq runs on the sender's CPU, and is
    /// charged by ticks that alias with evenly paced traffic; flat out the sender does nothing but send, so the
    /// scheduler's exact time of its process holds all of it. The same load without the meter comes before and after,
    /// so that a drift of the machine drops out.
    fn in_the_kernel(
        &mut self,
        meter: &dyn Meter,
        task: &Task<'_>,
        watch: Watch<'_>,
    ) -> Result<Option<record::Kernel>, TrialError> {
        let before = self.flat_out(task, watch)?;
        // the main part of the trial has shown whether it starts: here it is a number less
        let Ok(running) = meter.start(&self.job(task)) else { return Ok(None) };
        let with = self.flat_out(task, watch)?;
        drop(running);
        let after = self.flat_out(task, watch)?;
        Ok(before.zip(with).zip(after).map(|((a, with), b)| record::Kernel { with, without: [a, b] }))
    }

    /// The sender's CPU time per packet at the highest rate, in nanoseconds.
    fn flat_out(&mut self, task: &Task<'_>, watch: Watch<'_>) -> Result<Option<f64>, TrialError> {
        let setting = csn::experiment::Setting { rate: csn::RateSpec::Max, ..task.setting.clone() };
        let task = Task { setting: &setting, time: task.time.min(FLAT_OUT), ..*task };
        let mut generator = self.start_generator(&task, watch)?;
        let pid = generator.pid();
        let before = cpu::process_time(pid);
        let report = self.send(&mut generator, &task, watch)?;
        let used = before.and_then(|before| Ok(cpu::process_time(pid)?.saturating_sub(before)));
        let packets = report.ledger.total().packets;
        Ok(used.ok().filter(|_| packets > 0).map(|used| used as f64 / packets as f64))
    }

    /// Sends to a meter that runs, and reads it.
    fn measure(
        &mut self,
        task: &Task<'_>,
        generator: &mut Helper,
        running: Box<dyn Running>,
        watch: Watch<'_>,
    ) -> Result<Observed, TrialError> {
        let pids = running.pids();
        // what else runs on the meter's CPU is foreign, unless the generator has to
        let meter_cpu = self.lab.meter().cpu().filter(|cpu| self.lab.generator().cpu() != Some(*cpu));
        let before = self.lab.counters()?;
        let opened = Sample::take(&pids, meter_cpu);
        let report = self.send(generator, task, watch)?;
        let after = self.drain(&pids)?;
        let closed = Sample::take(&pids, meter_cpu);
        let wire = Wire::new(self.lab.generator(), &self.program);
        let readout = running.stop(&wire).map_err(|e| e.to_string());
        let cpu = match (&opened, &closed, &readout) {
            (Ok(opened), Ok(closed), Ok(readout)) => opened.until(closed, readout.split, readout.syscalls),
            _ => record::Cpu::default(),
        };
        Ok(Observed { report, before, after, readout, cpu })
    }
}

/// Called while something is waited for; its error ends the wait.
type Watch<'a> = &'a mut dyn FnMut() -> io::Result<()>;

/// What was seen of a trial whose meter did start.
struct Observed {
    report: Report,
    before: Counters,
    after: Counters,
    readout: Result<Readout, String>,
    cpu: record::Cpu,
}

impl Bench for LiveBench {
    fn lab(&self) -> &record::Lab {
        self.lab.facts()
    }

    fn describe(&self, spec: &MeterSpec) -> record::Meter {
        let meter = spec.to_string();
        let Ok(known) = self.find(spec) else { return record::Meter { meter, ..record::Meter::default() } };
        let place = match known.place() {
            Place::Process => "process",
            Place::Kernel => "kernel",
        };
        let deviations =
            known.deviations().lines().filter_map(|l| l.strip_prefix("- ")).map(Into::into).collect();
        record::Meter {
            meter,
            place: place.into(),
            classes: known.tells_classes().words().into(),
            deviations,
        }
    }

    fn calibrate(&self) -> Vec<record::Calibration> {
        crate::clocks::calibrate(self.lab.meter().cpu())
    }

    fn prepare(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<String, record::Skip> {
        let meter = self.find(spec)?;
        let version = meter.version().map_err(|e| skip(spec, e))?;
        meter.check(spec, rules).map_err(|e| skip(spec, e))?;
        Ok(version)
    }

    fn trial(&mut self, task: &Task<'_>, watch: Watch<'_>) -> Result<Measured, TrialError> {
        let meter = self.find(task.spec).map_err(TrialError::Skip)?;
        let admission = meter
            .admission(task.spec, task.rules, task.loaded)
            .map_err(|e| TrialError::Skip(skip(task.spec, e)))?;
        // the generator first: making its packets must not disturb a meter that is ready
        let mut generator = self.start_generator(task, watch)?;
        let running = match meter.start(&self.job(task)) {
            Ok(running) => running,
            Err(e @ (MeterError::Failed { .. } | MeterError::Io { .. })) => {
                return Ok(meter_failed(e.to_string()));
            }
            Err(e) => return Err(TrialError::Skip(skip(task.spec, e))),
        };
        let observed = self.measure(task, &mut generator, running, watch)?;
        drop(generator);
        let mut measured = assemble(task, meter.tells_classes(), &admission, &observed);
        if !measured.trial.invalid.is_empty() && !measured.noise {
            // what may explain it
            let outside = meter.outside(task.spec, task.rules, task.loaded);
            let told =
                outside.iter().map(|o| format!("not compared with the oracle: {}: {}", o.kind, o.reason));
            measured.trial.warnings.extend(told);
        }
        if meter.place() == Place::Kernel {
            measured.trial.kernel = self.in_the_kernel(meter, task, watch)?;
        }
        Ok(measured)
    }
}

/// Puts the record of a trial together.
fn assemble(task: &Task<'_>, tells: Tells, admission: &Admission, observed: &Observed) -> Measured {
    let nothing = Readout::default();
    let readout = observed.readout.as_ref().unwrap_or(&nothing);
    let evidence = Evidence {
        rules: task.rules,
        loaded: task.loaded,
        admission,
        report: &observed.report,
        before: observed.before,
        after: observed.after,
        readout,
    };
    let (ledger, mut classes, offered) = (evidence.ledger(), evidence.classes(), evidence.offered());
    if tells == Tells::Nothing {
        classes = together(&classes);
    }
    let mut reasons = match &observed.readout {
        // counts that could not be read need no comparison
        Err(why) => vec![Reason::Meter(why.clone())],
        Ok(_) => validity::judge(&Figures {
            ledger: &ledger,
            classes: &classes,
            offered: &offered,
            received: evidence.received(),
            design: evidence.filtered_by_design(),
        }),
    };
    reasons.extend(validity::disturbed(&observed.cpu));
    let trial = record::Trial {
        expected_comparisons: evidence.expected_comparisons(),
        warnings: validity::warn(&ledger, &offered, &observed.cpu),
        invalid: reasons.iter().map(ToString::to_string).collect(),
        offered,
        ledger,
        classes,
        cpu: observed.cpu.clone(),
        elements: readout.elements.iter().map(element).collect(),
        losses: losses(readout),
        export: readout.export.map(|e| record::Export {
            messages: e.messages,
            records: e.records,
            collected: e.collected,
            lost: e.lost,
        }),
        facts: readout.facts.clone(),
        ..record::Trial::default()
    };
    Measured {
        trial,
        noise: !reasons.is_empty() && reasons.iter().all(Reason::is_noise),
        broken: reasons.iter().any(Reason::is_broken),
    }
}

/// A trial whose meter did not even start.
fn meter_failed(why: String) -> Measured {
    let invalid = vec![Reason::Meter(why).to_string()];
    Measured { trial: record::Trial { invalid, ..record::Trial::default() }, noise: false, broken: true }
}

/// Times of an element as a record.
fn element(e: &meters::meter::ElementTimes) -> record::Element {
    let [p50, p90, p99, p999, max] = e.percentiles;
    record::Element {
        name: e.name.clone(),
        count: e.count,
        mean: e.mean,
        p50,
        p90,
        p99,
        p999,
        max,
        timer: e.timer,
    }
}

/// Packets lost inside of the meter, by stage.
fn losses(readout: &Readout) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for loss in &readout.losses {
        *out.entry(loss.stage.clone()).or_default() += loss.packets;
    }
    out
}

/// Why a meter is left out.
fn skip(spec: &MeterSpec, error: MeterError) -> record::Skip {
    let what = spec.to_string();
    match error {
        MeterError::Unavailable { reason, cure, .. } => record::Skip { what, reason, cure },
        MeterError::Option { option, reason, cure, .. } => {
            record::Skip { what, reason: format!("option `{option}`: {reason}"), cure }
        }
        MeterError::Loss { rule, reason, .. } => record::Skip {
            what,
            reason: format!("rule {rule} can't be expressed: {reason}"),
            cure: "leave the meter or the rule out: meters are compared on the same rules only".into(),
        },
        other => record::Skip { what, reason: other.to_string(), cure: "csnbench doctor".into() },
    }
}

/// The user's wish to stop, or a failure of the generator.
fn stopped_or(error: io::Error, what: &str) -> TrialError {
    if error.kind() == io::ErrorKind::Interrupted {
        TrialError::Interrupted
    } else {
        TrialError::Generator(format!("it {what}: {error}"))
    }
}
