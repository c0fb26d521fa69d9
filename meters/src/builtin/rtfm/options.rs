//! The options of the meter `rtfm`.

use crate::builtin::options::{COMMON, Common, error, number, with_common};
use crate::meter::{MeterError, OptionDoc};
use csn::{MeterSpec, Nanos};

/// What a scenario can write between the parentheses of `rtfm(…)`.
pub static OPTIONS: [OptionDoc; COMMON.len() + 7] = with_common([
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
    OptionDoc {
        name: "listen",
        values: "HOST:PORT | unix:PATH",
        doc: "where meter readers collect flow data while it runs (`csnbench reader`); default nowhere",
    },
    OptionDoc {
        name: "highwater",
        values: "PERCENT",
        doc: "share of the flow table in use at which the standby rule set takes over from the first one; default off",
    },
    OptionDoc {
        name: "standby",
        values: "SET",
        doc: "the number of the standby rule set, one of those that are loaded; without one metering stops there",
    },
    OptionDoc {
        name: "sample",
        values: "NUMBER",
        doc: "one packet of so many is metered, at random distances (flowInterfaceSampleRate); 0 ignores all; default 1",
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
    /// Where readers connect.
    pub listen: Option<String>,
    /// Records in use at which the standby set takes over, in percent.
    pub highwater: Option<u64>,
    /// The standby rule set.
    pub standby: Option<u32>,
    /// One packet of so many is metered.
    pub sample: u64,
}

impl Settings {
    /// Understands the options of a scenario.
    ///
    /// # Errors
    /// [`MeterError::Option`] for the first that is wrong.
    pub fn parse(spec: &MeterSpec) -> Result<Self, MeterError> {
        let highwater = number(spec, "highwater", "%", 1..=100)?;
        let standby = number(spec, "standby", "", 1..=i32::MAX as u64)?.map(|n| n as u32);
        if standby.is_some() && highwater.is_none() {
            let reason = "nothing says when it takes over".into();
            return Err(error(spec, "standby", reason, "highwater = 80, standby = …"));
        }
        Ok(Self {
            listen: spec.option("listen").map(|a| a.trim().to_string()),
            highwater,
            standby,
            sample: number(spec, "sample", "", 0..=1_000_000)?.unwrap_or(1),
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
        assert!(Settings::parse(&spec("rtfm", &[("standby", "2")])).is_err());
        let s = Settings::parse(&spec("rtfm", &[("standby", "2"), ("highwater", "80 %")])).unwrap();
        assert_eq!((s.standby, s.highwater, s.sample), (Some(2), Some(80), 1));
    }
}
