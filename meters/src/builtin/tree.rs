//! A meter that classifies by the compiled decision tree ([`csn::Classifier`]): the ceiling of what classification in
//! user space reaches.
//!
//! ```text
//! capture ─► ranks ─► tree ─► counts
//! receive    parse    match   count
//! ```

use super::options::{COMMON, Common};
use super::pipeline::{self, Account, End, RECEIVE, Work};
use super::{Builtin, Probe, Session};
use crate::capture::Frame;
use crate::meter::{MeterError, OptionDoc, Readout};
use csn::{Classifier, Counts, MeterSpec, RuleSet};

/// The meter `tree`.
pub struct Tree;

impl Builtin for Tree {
    fn name(&self) -> &'static str {
        "tree"
    }

    fn summary(&self) -> &'static str {
        "classifies by a decision tree compiled from the rules: the ceiling for user space"
    }

    fn options(&self) -> &'static [OptionDoc] {
        &COMMON
    }

    fn check(&self, spec: &MeterSpec, _: &RuleSet) -> Result<(), MeterError> {
        Common::parse(spec, &COMMON).map(|_| ())
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        let common = Common::parse(&session.options, &COMMON)?;
        let (rules, loaded) = session.rules.of_notation(&session.options)?;
        let classifier = Classifier::new(&rules.first(loaded));
        let classes = rules.classes.len();
        pipeline::run(&session, &common, |start| {
            let counts = vec![Counts::default(); classes];
            Ok(Classes { classifier, counts, interface: start.interface })
        })
    }
}

struct Classes {
    classifier: Classifier,
    counts: Vec<Counts>,
    interface: Option<u32>,
}

impl Work for Classes {
    const ELEMENTS: &'static [&'static str] = &[RECEIVE, "parse", "match", "count"];

    #[inline]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        let ranked = self.classifier.rank(frame.bytes, frame.tag, self.interface);
        probe.lap(1);
        let class = self.classifier.decide(&ranked).class;
        probe.lap(2);
        self.counts[class.index()].add(frame.length.into());
        probe.lap(3);
        probe.packet();
        probe.done(1);
    }

    fn finish(&mut self, _: &End) -> Result<Account, MeterError> {
        Ok(Account { classes: self.counts.clone(), ..Account::default() })
    }
}
