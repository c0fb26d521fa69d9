//! The options of the meter `rtfm`.

use crate::builtin::options::{COMMON, Common, number, with_common};
use crate::meter::{MeterError, OptionDoc};
use csn::{MeterSpec, Nanos};

/// What a scenario can write between the parentheses of `rtfm(…)`.
pub static OPTIONS: [OptionDoc; COMMON.len() + 3] = with_common([
    OptionDoc { name: "flows", values: "NUMBER", doc: "records in the flow table; default 1000000" },
    OptionDoc {
        name: "inactivity",
        values: "SECONDS",
        doc: "a flow without packets for so long is idle, and its record can be used again; default 600",
    },
    OptionDoc {
        name: "collect",
        values: "SECONDS",
        doc: "how often flow data are written; default at the end only",
    },
]);

/// The options, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Capturing and timing.
    pub common: Common,
    /// Records in the flow table.
    pub flows: usize,
    /// When a flow is idle.
    pub inactivity: Nanos,
    /// How often flow data are written.
    pub collect: Option<Nanos>,
}

impl Settings {
    /// Understands the options of a scenario.
    ///
    /// # Errors
    /// [`MeterError::Option`] for the first that is wrong.
    pub fn parse(spec: &MeterSpec) -> Result<Self, MeterError> {
        Ok(Self {
            common: Common::parse(spec, &OPTIONS)?,
            flows: number(spec, "flows", "", 1..=100_000_000)?.map_or(1_000_000, |n| n as usize),
            inactivity: Nanos::from_secs(number(spec, "inactivity", "s", 1..=1_000_000)?.unwrap_or(600)),
            collect: number(spec, "collect", "s", 1..=1_000_000)?.map(Nanos::from_secs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::options::tests::spec;

    #[test]
    fn options_are_understood() {
        let s = Settings::parse(&spec("rtfm", &[("inactivity", "10"), ("timing", "on")])).unwrap();
        assert_eq!((s.inactivity, s.flows, s.collect), (Nanos::from_secs(10), 1_000_000, None));
        assert!(s.common.timing);
        assert!(Settings::parse(&spec("rtfm", &[("flows", "0")])).is_err());
    }
}
