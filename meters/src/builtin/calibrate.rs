//! A meter with known faults: what the testbed says of it must be what was asked of it. Without options it counts
//! classes as `tree` does, and is right.
//!
//! ```text
//! capture ─► classify ─► lose, swap ─► counts        after each batch: burn, pause
//! ```

use super::options::{COMMON, Common, error, number, with_common};
use super::pipeline::{self, Account, End, RECEIVE, Work};
use super::{Builtin, Probe, Session};
use crate::capture::{Frame, thread_time};
use crate::meter::{MeterError, OptionDoc, Readout};
use csn::{Classifier, Counts, MeterSpec, Nanos, RuleSet};

/// The meter `calibrate`.
pub struct Calibrate;

/// Its options.
static OPTIONS: [OptionDoc; COMMON.len() + 7] = with_common([
    OptionDoc {
        name: "duty",
        values: "PERCENT",
        doc: "uses so much CPU of one core, from the first packet to the last, its own work included",
    },
    OptionDoc { name: "slowdown", values: "PERCENT", doc: "uses so much more CPU than it needs" },
    OptionDoc { name: "lose", values: "N", doc: "does not count every N-th packet, without a word" },
    OptionDoc { name: "ignore", values: "N", doc: "does not count every N-th packet, and says so" },
    OptionDoc {
        name: "swap",
        values: "N",
        doc: "counts every N-th packet of the first class in the second: one shows too few, one too many",
    },
    OptionDoc { name: "pause", values: "MS", doc: "stops reading for so long, once in `every`" },
    OptionDoc { name: "every", values: "MS", doc: "time from one pause to the next; default 2000" },
]);

/// The options, understood.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Faults {
    /// Share of one core.
    duty: Option<f64>,
    /// Share of its own CPU time that is used on top.
    slowdown: f64,
    /// Every so many packets; 0 for never.
    lose: u64,
    ignore: u64,
    swap: u64,
    pause: Option<Nanos>,
    every: Nanos,
}

impl Faults {
    fn parse(spec: &MeterSpec) -> Result<Self, MeterError> {
        let nth = |name| Ok::<_, MeterError>(number(spec, name, "", 1..=1_000_000_000)?.unwrap_or(0));
        Ok(Self {
            duty: percent(spec, "duty")?,
            slowdown: percent(spec, "slowdown")?.unwrap_or(0.0),
            lose: nth("lose")?,
            ignore: nth("ignore")?,
            swap: nth("swap")?,
            pause: number(spec, "pause", "ms", 1..=60_000)?.map(Nanos::from_millis),
            every: Nanos::from_millis(number(spec, "every", "ms", 1..=3_600_000)?.unwrap_or(2000)),
        })
    }
}

/// A share in percent.
fn percent(spec: &MeterSpec, name: &str) -> Result<Option<f64>, MeterError> {
    let Some(text) = spec.option(name) else { return Ok(None) };
    match text.trim().trim_end_matches('%').trim().parse::<f64>() {
        Ok(p) if (0.0..=100.0).contains(&p) => Ok(Some(p / 100.0)),
        _ => Err(error(
            spec,
            name,
            format!("`{text}` is not a share that it takes"),
            &format!("{name} = a number from 0 to 100 %"),
        )),
    }
}

impl Builtin for Calibrate {
    fn name(&self) -> &'static str {
        "calibrate"
    }

    fn summary(&self) -> &'static str {
        "has the faults that it is asked for (CPU load, drops, wrong counts, pauses): to try the testbed itself"
    }

    fn options(&self) -> &'static [OptionDoc] {
        &OPTIONS
    }

    fn check(&self, spec: &MeterSpec, _: &RuleSet) -> Result<(), MeterError> {
        Common::parse(spec, &OPTIONS)?;
        Faults::parse(spec).map(|_| ())
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        let common = Common::parse(&session.options, &OPTIONS)?;
        let faults = Faults::parse(&session.options)?;
        let (rules, loaded) = session.rules.of_notation(&session.options)?;
        let classifier = Classifier::new(&rules.first(loaded));
        let counts = vec![Counts::default(); rules.classes.len()];
        pipeline::run(&session, &common, |start| {
            let tally = Tally { faults, counts, ..Tally::default() };
            let (interface, began) = (start.interface, thread_time());
            Ok(Faulty {
                classifier,
                interface,
                tally,
                first: None,
                last: Nanos(0),
                began,
                burned: 0,
                pauses: 0,
            })
        })
    }
}

/// The counts, with what is wrong with them.
#[derive(Debug, Default)]
struct Tally {
    faults: Faults,
    counts: Vec<Counts>,
    packets: u64,
    ignored: u64,
    /// Packets of the first class.
    first: u64,
}

impl Tally {
    /// Counts a packet of a class, or does not.
    #[inline]
    fn count(&mut self, class: usize, bytes: u64) {
        let nth = |count: u64, n: u64| n > 0 && count.is_multiple_of(n);
        self.packets += 1;
        if nth(self.packets, self.faults.lose) {
            return;
        }
        if nth(self.packets, self.faults.ignore) {
            self.ignored += 1;
            return;
        }
        // 0 is `others`
        let mut class = class;
        if class == 1 {
            self.first += 1;
            if nth(self.first, self.faults.swap) && self.counts.len() > 2 {
                class = 2;
            }
        }
        self.counts[class].add(bytes);
    }
}

struct Faulty {
    classifier: Classifier,
    interface: Option<u32>,
    tally: Tally,
    /// When the first packet came, and the last.
    first: Option<Nanos>,
    last: Nanos,
    /// CPU time of the thread when it began, and what was burned since.
    began: u64,
    burned: u64,
    /// Pauses so far.
    pauses: u64,
}

impl Faulty {
    /// How much CPU time is still to be burned, in nanoseconds.
    fn owed(&self) -> u64 {
        let used = thread_time().saturating_sub(self.began);
        let faults = &self.tally.faults;
        match (faults.duty, self.first) {
            (Some(duty), Some(first)) => {
                let span = self.last.0.saturating_sub(first.0);
                ((span as f64 * duty) as u64).saturating_sub(used)
            }
            _ => {
                let own = used.saturating_sub(self.burned);
                ((own as f64 * faults.slowdown) as u64).saturating_sub(self.burned)
            }
        }
    }

    /// Works for nothing.
    fn burn(&mut self) {
        let owed = self.owed();
        if owed == 0 {
            return;
        }
        let start = thread_time();
        let mut burned = 0;
        while burned < owed {
            for i in 0..200u32 {
                std::hint::black_box(i);
            }
            burned = thread_time().saturating_sub(start);
        }
        self.burned += burned;
    }
}

impl Work for Faulty {
    const ELEMENTS: &'static [&'static str] = &[RECEIVE, "classify", "count"];

    #[inline]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        self.first.get_or_insert(frame.time);
        self.last = frame.time;
        let class =
            self.classifier.decide(&self.classifier.rank(frame.bytes, frame.tag, self.interface)).class;
        probe.lap(1);
        self.tally.count(class.index(), frame.length.into());
        probe.lap(2);
        probe.packet();
        probe.done(1);
    }

    fn flush<P: Probe>(&mut self, _: &mut P) {
        if self.tally.faults.duty.is_some() || self.tally.faults.slowdown > 0.0 {
            self.burn();
        }
    }

    /// Pauses when it is time to: by the packets' clock, so that pauses belong to the load and not to the wait for it.
    fn housekeeping(&mut self, _: Nanos) -> Result<(), MeterError> {
        let (Some(pause), Some(first)) = (self.tally.faults.pause, self.first) else { return Ok(()) };
        let due = self.last.0.saturating_sub(first.0) / self.tally.faults.every.0;
        if due > self.pauses {
            std::thread::sleep(pause.to_duration());
            self.pauses = due;
        }
        Ok(())
    }

    fn finish(&mut self, _: &End) -> Result<Account, MeterError> {
        let (classes, ignored) = (self.tally.counts.clone(), self.tally.ignored);
        Ok(Account { classes, ignored, ..Account::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::spec;
    use super::*;

    fn counted(faults: &[(&str, &str)], packets: u64) -> (Vec<u64>, u64) {
        let faults = Faults::parse(&spec("calibrate", faults)).unwrap();
        let mut tally = Tally { faults, counts: vec![Counts::default(); 3], ..Tally::default() };
        (0..packets).for_each(|i| tally.count(1 + (i % 2) as usize, 60));
        (tally.counts.iter().map(|c| c.packets).collect(), tally.ignored)
    }

    #[test]
    fn it_is_right_unless_asked_otherwise() {
        assert_eq!(counted(&[], 2000), (vec![0, 1000, 1000], 0));
    }

    #[test]
    fn faults_are_exact() {
        assert_eq!(counted(&[("lose", "1000")], 2000), (vec![0, 1000, 998], 0));
        assert_eq!(counted(&[("ignore", "1000")], 2000), (vec![0, 1000, 998], 2));
        assert_eq!(counted(&[("swap", "100")], 2000), (vec![0, 990, 1010], 0));
    }

    #[test]
    fn options_are_understood_and_what_is_wrong_is_named() {
        let f =
            Faults::parse(&spec("calibrate", &[("duty", "12.5%"), ("slowdown", "5 %"), ("pause", "200 ms")]));
        let f = f.unwrap();
        assert_eq!((f.duty, f.slowdown, f.pause), (Some(0.125), 0.05, Some(Nanos::from_millis(200))));
        for (name, value) in [("duty", "much"), ("duty", "101"), ("lose", "0"), ("pause", "1 h")] {
            match Faults::parse(&spec("calibrate", &[(name, value)])) {
                Err(MeterError::Option { option, .. }) => assert_eq!(option, name),
                other => panic!("{name} = {value}: {other:?}"),
            }
        }
    }
}
