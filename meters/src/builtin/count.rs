//! A meter that only counts: the floor that every other is compared with.
//!
//! It takes each packet from the source and adds it to one sum. Rules that it is given it does not look at.
//!
//! ```text
//! capture ─► sum
//! receive    count
//! ```

use super::options::{COMMON, Common};
use super::pipeline::{self, Account, End, RECEIVE, Work};
use super::{Builtin, Probe, Session};
use crate::capture::Frame;
use crate::meter::{MeterError, OptionDoc, Readout, Tells};
use csn::{Counts, MeterSpec, RuleSet};

/// The meter `count`.
pub struct Count;

impl Builtin for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn summary(&self) -> &'static str {
        "counts packets and looks at none: the floor of what a meter in user space costs"
    }

    fn options(&self) -> &'static [OptionDoc] {
        &COMMON
    }

    fn tells_classes(&self) -> Tells {
        Tells::Nothing
    }

    fn check(&self, spec: &MeterSpec, _: &RuleSet) -> Result<(), MeterError> {
        Common::parse(spec, &COMMON).map(|_| ())
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        let common = Common::parse(&session.options, &COMMON)?;
        let classes = session.rules.or_none(&session.options)?.0.classes.len();
        pipeline::run(&session, &common, |_| Ok(Counter { sum: Counts::default(), classes }))
    }
}

struct Counter {
    sum: Counts,
    classes: usize,
}

impl Work for Counter {
    const ELEMENTS: &'static [&'static str] = &[RECEIVE, "count"];

    #[inline(always)]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        self.sum.add(frame.length.into());
        probe.lap(1);
        probe.packet();
        probe.done(1);
    }

    fn finish(&mut self, _: &End) -> Result<Account, MeterError> {
        let mut classes = vec![Counts::default(); self.classes];
        classes[0] = self.sum;
        Ok(Account { classes, ..Account::default() })
    }
}
