//! A meter whose classification and counting happen in the kernel: a program of the back end `ebpf`, at XDP or traffic
//! control. The process only attaches it, and reads the counts at the end.
//!
//! ```text
//! driver ─► program (headers, rules, counts per class and CPU) ─► kernel as usual
//! ```
//!
//! With `timing = on` the kernel measures the program's run time (`BPF_ENABLE_STATS`), for all programs of the machine.
//! It tells runs and their sum, so there is a mean and no percentiles. What the measuring itself costs is that of a
//! program that does nothing, measured in the same way, and is taken off.
//!
//! From a capture, each packet is given to the program by `BPF_PROG_TEST_RUN`. The kernel takes no frames there that are
//! shorter than 14 octets or longer than a page, and those for traffic control need a whole IP header: others are ignored.

use super::options::{Common, TIMING, one_of};
use super::pipeline::{self, Account, End, RECEIVE, Work};
use super::{Builtin, Probe, Session, Source, emit};
use crate::capture::{Frame, interface_index};
use crate::control;
use crate::ebpf::{LoadError, Loaded, Statistics, measure, nothing};
use crate::meter::{ElementTimes, MeterError, OptionDoc, Place, Readout};
use csn::backends::{Compiled, Form, Options};
use csn::ebpf::{Hook, Program};
use csn::{MeterSpec, RuleSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The meter `ebpf`.
pub struct Ebpf;

static OPTIONS: [OptionDoc; 3] = [
    OptionDoc {
        name: "hook",
        values: "xdp | tc",
        doc: "where in the kernel it runs: in the driver's receive function, or in traffic control; default xdp",
    },
    OptionDoc {
        name: "lookup",
        values: "tree | linear",
        doc: "how rules are looked up: by a decision tree with tables, or one after the other; default tree",
    },
    TIMING,
];

/// How late a session can see that it is to stop.
const WAIT: Duration = Duration::from_millis(10);
/// Runs of a program that does nothing, to see what measuring costs.
const CALIBRATION: u32 = 100_000;

fn form(spec: &MeterSpec) -> Result<Form, MeterError> {
    use csn::backends::Ebpf as Backend;
    let forms = [[Backend::XDP_TREE, Backend::XDP], [Backend::TC_TREE, Backend::TC]];
    Ok(forms[one_of(spec, "hook", &["xdp", "tc"])?][one_of(spec, "lookup", &["tree", "linear"])?])
}

fn program(spec: &MeterSpec, rules: &RuleSet) -> Result<Program, MeterError> {
    let options = Options { form: Some(form(spec)?), ..Options::default() };
    match emit(spec, "ebpf", rules, &options)?.program {
        Compiled::Ebpf(program) => Ok(program),
        _ => Err(failed(spec, "the back end `ebpf` made no program")),
    }
}

fn failed(spec: &MeterSpec, reason: impl ToString) -> MeterError {
    MeterError::Failed { meter: spec.name.clone(), reason: reason.to_string() }
}

fn load(meter: &str, program: &Program) -> Result<Loaded, MeterError> {
    Loaded::load(program).map_err(|e| match e.is_missing() {
        true => MeterError::Unavailable {
            meter: meter.into(),
            reason: e.to_string(),
            cure: match e {
                LoadError::NotThere => "a kernel with CONFIG_BPF_SYSCALL".into(),
                _ => "run it as root, outside of a user namespace: sudo csnbench …".into(),
            },
        },
        false => MeterError::Failed { meter: meter.into(), reason: e.to_string() },
    })
}

impl Builtin for Ebpf {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn summary(&self) -> &'static str {
        "classifies and counts in the kernel, at XDP or traffic control, by a program made from the rules"
    }

    fn place(&self) -> Place {
        Place::Kernel
    }

    fn options(&self) -> &'static [OptionDoc] {
        &OPTIONS
    }

    /// Where bpf(2) is permitted.
    fn version(&self) -> Result<String, MeterError> {
        load(self.name(), &nothing(Hook::Xdp))?;
        Ok(env!("CARGO_PKG_VERSION").into())
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        Common::parse(spec, &OPTIONS)?;
        program(spec, rules).map(|_| ())
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        let common = Common::parse(&session.options, &OPTIONS)?;
        let (rules, count) = session.rules.of_notation(&session.options)?;
        let program = program(&session.options, &rules.first(count))?;
        let loaded = load(self.name(), &program)?;
        match &session.source {
            Source::Capture(_) => {
                let hook = program.hook;
                pipeline::run(&session, &common, |_| Ok(TestRuns { loaded, hook, refused: 0 }))
            }
            Source::Interface(name) => attached(&session, &common, &loaded, &program, interface_index(name)?),
        }
    }
}

/// Lets the program count what an interface receives, until the session ends.
fn attached(
    session: &Session,
    common: &Common,
    loaded: &Loaded,
    program: &Program,
    interface: u32,
) -> Result<Readout, MeterError> {
    let spec = &session.options;
    let io = |what: &str| {
        let what = what.to_string();
        move |source| MeterError::Io { what, source }
    };
    let measuring = common.timing.then(measure).transpose().map_err(io("measure run times of programs"))?;
    let cost = match measuring {
        Some(_) => cost(spec, program.hook)?,
        None => 0.0,
    };
    let attached = loaded.attach(interface).map_err(|e| failed(spec, format!("attach the program: {e}")))?;
    if session.control {
        control::stop_on_input(&session.stop);
        control::ready();
    }
    let end = session.time.map(|t| Instant::now() + t.to_duration());
    while !session.stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(WAIT);
    }
    // the driver may be in the middle of a batch
    let mut counts = loaded.counts().map_err(io("read the counts"))?;
    loop {
        std::thread::sleep(WAIT);
        let again = loaded.counts().map_err(io("read the counts"))?;
        if again == counts {
            break;
        }
        counts = again;
    }
    drop(attached);
    let elements = match measuring {
        Some(_) => vec![element(loaded.statistics().map_err(io("read the run time"))?, cost)],
        None => vec![],
    };
    let received = counts.iter().map(|c| c.packets).sum();
    let readout = Readout { classes: counts.clone(), received, elements, ..Readout::default() };
    if session.control {
        control::print(&pipeline::event(
            session,
            &readout,
            Account { classes: counts, ..Account::default() },
        ));
    }
    Ok(readout)
}

/// Nanoseconds that the kernel measures for a program that does nothing.
fn cost(spec: &MeterSpec, hook: Hook) -> Result<f64, MeterError> {
    let idle = load(&spec.name, &nothing(hook))?;
    let ran = idle.run(&[0; 64], None, CALIBRATION).and_then(|_| idle.statistics());
    let Statistics { runs, nanoseconds } =
        ran.map_err(|source| MeterError::Io { what: "run an empty program".into(), source })?;
    Ok(nanoseconds as f64 / runs.max(1) as f64)
}

/// The program as an element: of its times only the mean is known.
fn element(Statistics { runs, nanoseconds }: Statistics, cost: f64) -> ElementTimes {
    let mean = nanoseconds as f64 / runs.max(1) as f64;
    ElementTimes {
        name: "program".into(),
        count: runs,
        mean: (mean - cost).max(0.0),
        percentiles: [0; 5],
        timer: cost,
    }
}

/// Packets of a capture, given to the program one by one.
struct TestRuns {
    loaded: Loaded,
    hook: Hook,
    /// Packets that the kernel does not take in a test run.
    refused: u64,
}

impl TestRuns {
    /// Whether the kernel takes a frame in a test run.
    fn takes(&self, frame: &[u8]) -> bool {
        let shortest = match (self.hook, frame.get(12..14)) {
            (Hook::Tc, Some([0x08, 0x00])) => 34,
            (Hook::Tc, Some([0x86, 0xdd])) => 54,
            _ => 14,
        };
        frame.len() >= shortest
    }
}

impl Work for TestRuns {
    const ELEMENTS: &'static [&'static str] = &[RECEIVE, "system call and program"];

    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        if !self.takes(frame.bytes) || self.loaded.run(frame.bytes, None, 1).is_err() {
            self.refused += 1;
        }
        probe.lap(1);
        probe.packet();
        probe.done(1);
    }

    fn finish(&mut self, _: &End) -> Result<Account, MeterError> {
        let classes = self
            .loaded
            .counts()
            .map_err(|source| MeterError::Io { what: "read the counts".into(), source })?;
        Ok(Account { classes, ignored: self.refused, ..Account::default() })
    }
}
