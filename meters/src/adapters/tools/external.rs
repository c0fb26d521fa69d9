//! What all adapters to meters outside of this project have in common: the meter as data, and how its rules are made.

use super::flows;
use super::program::{Program, version};
use super::settings::Settings;
use crate::meter::{Admission, Job, Meter, MeterError, OptionDoc, Place, Running, Tells};
use crate::prefilter::{Discard, admission};
use csn::backends::{Emitted, Options, Outside, by_name};
use csn::{ClassId, Counts, MeterSpec, RuleSet};

/// The name of a back end and how it is asked, by the options of a meter.
pub type Choice = fn(&MeterSpec) -> Result<(&'static str, Options), MeterError>;

/// A meter that people run, as an adapter describes it.
pub struct External {
    /// The name in scenarios.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// Its options, the shared ones that it takes included.
    pub options: &'static [OptionDoc],
    /// The programs that it needs; the first tells the version.
    pub programs: &'static [Program],
    /// Arguments with which the first tells it.
    pub version: &'static [&'static str],
    /// Where it works.
    pub place: Place,
    /// Where its counts per class come from.
    pub tells: Tells,
    /// The text of its file in `meters/deviations/`.
    pub deviations: &'static str,
    /// The back end that makes its rules and how, by the options; none for a meter that loads no rules.
    pub backend: Option<Choice>,
    /// What else it can't take, beside what the back end can't express.
    pub limits: fn(&MeterSpec, &RuleSet) -> Result<(), MeterError>,
    /// Starts it.
    pub start: fn(&Order<'_>) -> Result<Box<dyn Running>, MeterError>,
}

/// No further limits.
pub fn unlimited(_: &MeterSpec, _: &RuleSet) -> Result<(), MeterError> {
    Ok(())
}

/// What a meter is started with.
pub struct Order<'a> {
    /// The trial's work.
    pub job: &'a Job<'a>,
    /// The shared options.
    pub settings: Settings,
    /// The rules as the meter loads them; empty for a meter that loads none.
    pub rules: Emitted,
    /// The filter expression in front of it, where one is asked for.
    pub filter: Option<String>,
}

impl Order<'_> {
    /// How many classes there are, `others` included.
    pub fn classes(&self) -> usize {
        self.job.rules.classes.len()
    }
}

impl External {
    fn emit(&self, spec: &MeterSpec, rules: &RuleSet, interface: &str) -> Result<Emitted, MeterError> {
        let Some(choose) = self.backend else { return Ok(Emitted::default()) };
        let (name, options) = choose(spec)?;
        emit(self.name, name, rules, &Options { interface: interface.into(), ..options })
    }

    fn filter(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<Option<Emitted>, MeterError> {
        let settings = Settings::parse(spec, self.options)?;
        let live = Options { live: true, ..Options::default() };
        settings.filter.then(|| emit(self.name, "tcpdump", rules, &live)).transpose()
    }
}

/// What a back end makes of rules.
fn emit(meter: &str, backend: &str, rules: &RuleSet, options: &Options) -> Result<Emitted, MeterError> {
    let backend = by_name(backend).ok_or_else(|| MeterError::Failed {
        meter: meter.into(),
        reason: format!("there is no back end {backend}"),
    })?;
    let made = backend.emit(rules, options);
    match made.losses.first() {
        Some(loss) => {
            Err(MeterError::Loss { meter: meter.into(), rule: loss.rule + 1, reason: loss.reason.clone() })
        }
        None => Ok(made),
    }
}

impl Meter for External {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn options(&self) -> &'static [OptionDoc] {
        self.options
    }

    fn version(&self) -> Result<String, MeterError> {
        version(self.name, self.programs, self.version)
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        Settings::parse(spec, self.options)?;
        if self.tells == Tells::Flows {
            flows::decide(self.name, rules)?;
        }
        self.emit(spec, rules, "eth0")?;
        self.filter(spec, rules)?;
        (self.limits)(spec, rules)
    }

    fn admission(&self, spec: &MeterSpec, rules: &RuleSet, loaded: usize) -> Result<Admission, MeterError> {
        if !Settings::parse(spec, self.options)?.filter {
            return Ok(Admission::all(rules));
        }
        // passing what matches is never ambiguous
        admission(Discard::Unmatched, rules, loaded).map_err(|(rule, _)| MeterError::Loss {
            meter: self.name.into(),
            rule: rule + 1,
            reason: "the filter passes some of its packets only".into(),
        })
    }

    fn place(&self) -> Place {
        self.place
    }

    fn tells_classes(&self) -> Tells {
        self.tells
    }

    fn outside(&self, spec: &MeterSpec, rules: &RuleSet, loaded: usize) -> Vec<Outside> {
        let rules = rules.first(loaded);
        let made = self.emit(spec, &rules, "eth0").unwrap_or_default();
        let filter = self.filter(spec, &rules).ok().flatten().unwrap_or_default();
        [made.outside, filter.outside].concat()
    }

    fn deviations(&self) -> &'static str {
        self.deviations
    }

    fn start(&self, job: &Job<'_>) -> Result<Box<dyn Running>, MeterError> {
        let loaded = job.rules.first(job.loaded);
        let filter = self.filter(job.spec, &loaded)?.map(|made| made.artefact.trim().to_owned());
        (self.start)(&Order {
            job,
            settings: Settings::parse(job.spec, self.options)?,
            rules: self.emit(job.spec, &loaded, job.interface)?,
            filter,
        })
    }
}

/// The counts of classes from those of labels. A class without a label counts nothing.
pub fn by_class(
    labels: &[(String, ClassId)],
    classes: usize,
    count: impl Fn(&str) -> Option<Counts>,
) -> Vec<Counts> {
    let mut out = vec![Counts::default(); classes];
    for (label, class) in labels {
        if let (Some(place), Some(counts)) = (out.get_mut(class.index()), count(label)) {
            *place += counts;
        }
    }
    out
}
