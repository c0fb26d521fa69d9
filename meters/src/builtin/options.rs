//! Options that every built-in meter has, those of its capture, and what is needed to understand others.

use crate::capture::RingOptions;
use crate::export::{EXPORT, ExportOptions};
use crate::meter::{MeterError, OptionDoc};
use crate::prefilter::{Discard, Filter, Prefilter, WHOLE, compile};
use crate::selectors::{self, Selection};
use csn::backends::Bpf;
use csn::{MeterSpec, Nanos, RuleSet};
use std::ops::RangeInclusive;

/// The options of capturing, selecting, exporting and timing.
pub const COMMON: [OptionDoc; CAPTURE.len() + selectors::OPTIONS.len() + EXPORT.len()] = {
    const HALF: usize = CAPTURE.len() + selectors::OPTIONS.len();
    let half: [OptionDoc; HALF] = joined(&CAPTURE, &selectors::OPTIONS);
    joined(&half, &EXPORT)
};

/// Whether elements are timed.
pub const TIMING: OptionDoc = OptionDoc {
    name: "timing",
    values: "on | off",
    doc: "take the times of the meter's elements, and of the whole; default off",
};

/// The options of capturing and timing.
const CAPTURE: [OptionDoc; 8] = [
    OptionDoc {
        name: "prefilter",
        values: "none | bpf",
        doc: "a classic BPF program in front of the meter; without `drop` it passes what the loaded rules match; \
              default none",
    },
    OptionDoc {
        name: "form",
        values: "linear | tree",
        doc: "how the prefilter looks values up; default linear",
    },
    OptionDoc {
        name: "drop",
        values: "none | rest | N..M",
        doc: "what the prefilter discards, everything else passes: the rules that are not loaded (`rest`), or the \
              rules of these numbers, loaded or not; default none",
    },
    OptionDoc { name: "snaplen", values: "BYTES", doc: "how much of a packet is captured; default all" },
    OptionDoc { name: "buffer", values: "MIB", doc: "size of the capture ring; default 96" },
    OptionDoc {
        name: "block",
        values: "KIB",
        doc: "size of the blocks in which the ring hands packets over; default 1024",
    },
    OptionDoc {
        name: "retire",
        values: "MS",
        doc: "time after which a block is handed over that is not full; default 20",
    },
    TIMING,
];

/// The options that all have, and a meter's own; `M` is their number together.
pub const fn with_common<const N: usize, const M: usize>(own: [OptionDoc; N]) -> [OptionDoc; M] {
    joined(&COMMON, &own)
}

/// One list behind the other.
const fn joined<const M: usize>(first: &[OptionDoc], second: &[OptionDoc]) -> [OptionDoc; M] {
    assert!(M == first.len() + second.len());
    let mut all = [first[0]; M];
    let mut i = 0;
    while i < M {
        all[i] = if i < first.len() { first[i] } else { second[i - first.len()] };
        i += 1;
    }
    all
}

/// [`COMMON`], understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// The filter in front of the meter.
    pub prefilter: Option<Filter>,
    /// Octets of a packet that are captured.
    pub snaplen: Option<u32>,
    /// The ring.
    pub ring: RingOptions,
    /// Whether elements are timed.
    pub timing: bool,
    /// Where flow records go, where they are exported.
    pub export: Option<ExportOptions>,
}

impl Common {
    /// Understands them, and sees to it that all others are among `options`, the meter's.
    ///
    /// # Errors
    /// [`MeterError::Option`] for the first that is wrong.
    pub fn parse(spec: &MeterSpec, options: &[OptionDoc]) -> Result<Self, MeterError> {
        for (i, (name, _)) in spec.options.iter().enumerate() {
            if options.iter().all(|o| o.name != name) {
                let names: Vec<_> = options.iter().map(|o| o.name).collect();
                let cure = format!("one of {}", names.join(", "));
                return Err(error(spec, name, "there is no such option".into(), &cure));
            }
            if spec.options[..i].iter().any(|(other, _)| other == name) {
                return Err(error(spec, name, "it is given twice".into(), "leave one of them out"));
            }
        }
        // made anew for each run, since it has a state
        Selection::parse(spec)?;
        let ring = RingOptions::default();
        let mib = number(spec, "buffer", "MiB", 1..=65_536)?;
        let kib = number(spec, "block", "KiB", 64..=65_536)?;
        let ms = number(spec, "retire", "ms", 1..=10_000)?;
        Ok(Self {
            prefilter: prefilter(spec)?,
            snaplen: number(spec, "snaplen", "B", 1..=262_144)?.map(|n| n as u32),
            ring: RingOptions {
                buffer: mib.map_or(ring.buffer, |n| (n as usize) << 20),
                block: kib.map_or(ring.block, |n| (n as usize) << 10),
                retire: ms.map_or(ring.retire, Nanos::from_millis),
            },
            timing: one_of(spec, "timing", &["off", "on"])? == 1,
            export: ExportOptions::parse(spec)?,
        })
    }

    /// The filter program that the options ask for, for the first `loaded` rules; `live` as in [`compile`].
    ///
    /// # Errors
    /// A filter that can't be made.
    pub fn program(
        &self,
        spec: &MeterSpec,
        rules: Option<(&RuleSet, usize)>,
        live: bool,
    ) -> Result<Option<Prefilter>, MeterError> {
        let accept = self.snaplen.unwrap_or(WHOLE);
        match (self.prefilter, rules) {
            (Some(filter), Some((ruleset, loaded))) => {
                compile(&spec.name, filter, ruleset, loaded, accept, live).map(Some)
            }
            (Some(_), None) => {
                let reason = "a filter is made from rules of the notation, and these are rule files".into();
                let cure = "give the rules as CSN, or a filter program with --filter";
                Err(error(spec, "prefilter", reason, cure))
            }
            (None, _) if self.snaplen.is_some() => {
                let failed = |e: csn::cbpf::Invalid| MeterError::Failed {
                    meter: spec.name.clone(),
                    reason: e.to_string(),
                };
                Prefilter::accept_all(accept).map(Some).map_err(failed)
            }
            (None, _) => Ok(None),
        }
    }
}

/// The error that names an option.
pub fn error(spec: &MeterSpec, option: &str, reason: String, cure: &str) -> MeterError {
    MeterError::Option { meter: spec.name.clone(), option: option.into(), reason, cure: cure.into() }
}

fn prefilter(spec: &MeterSpec) -> Result<Option<Filter>, MeterError> {
    let on = one_of(spec, "prefilter", &["none", "bpf"])? == 1;
    let form = if one_of(spec, "form", &["linear", "tree"])? == 1 { Bpf::TREE } else { Bpf::LINEAR };
    for name in ["form", "drop"] {
        if !on && spec.option(name).is_some_and(|v| v != "none") {
            let reason = "there is no prefilter that it could apply to".into();
            return Err(error(spec, name, reason, &format!("prefilter = bpf, {name} = …")));
        }
    }
    let discard = match spec.option("drop").map(str::trim) {
        None | Some("none") => Discard::Unmatched,
        Some("rest") => Discard::Rest,
        Some(text) => rule_numbers(text).ok_or_else(|| {
            let reason = format!("`{text}` is not a range of rules");
            error(spec, "drop", reason, "drop = rest, or rule numbers such as drop = 76..100")
        })?,
    };
    Ok(on.then_some(Filter { discard, form }))
}

/// `76..100` or `76`, from 1.
fn rule_numbers(text: &str) -> Option<Discard> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (1 <= first && first <= last).then(|| Discard::Rules(first - 1, last - 1))
}

/// Which of the values an option has; the first where it is not given.
///
/// # Errors
/// [`MeterError::Option`] for any other value.
pub fn one_of(spec: &MeterSpec, name: &str, values: &[&str]) -> Result<usize, MeterError> {
    let Some(text) = spec.option(name) else { return Ok(0) };
    values.iter().position(|v| v.eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
        error(
            spec,
            name,
            format!("`{text}` is not one of its values"),
            &format!("{name} = {}", values.join(" | ")),
        )
    })
}

/// The number that an option has, with or without its unit.
///
/// # Errors
/// [`MeterError::Option`] for what is no number, or none of the valid ones.
pub fn number(
    spec: &MeterSpec,
    name: &str,
    unit: &str,
    valid: RangeInclusive<u64>,
) -> Result<Option<u64>, MeterError> {
    let Some(text) = spec.option(name) else { return Ok(None) };
    let bare = text.trim();
    let bare = bare.strip_suffix(unit).unwrap_or(bare).trim();
    match bare.parse() {
        Ok(n) if valid.contains(&n) => Ok(Some(n)),
        _ => {
            let cure = format!("{name} = a number from {} to {} {unit}", valid.start(), valid.end());
            Err(error(spec, name, format!("`{text}` is not a number that it takes"), cure.trim_end()))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn spec(meter: &str, options: &[(&str, &str)]) -> MeterSpec {
        let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        MeterSpec { name: meter.into(), options, span: csn::Span::default() }
    }

    fn parse(options: &[(&str, &str)]) -> Result<Common, MeterError> {
        Common::parse(&spec("x", options), &COMMON)
    }

    #[test]
    fn options_are_understood() {
        let s = parse(&[]).unwrap();
        assert_eq!((s.prefilter, s.snaplen, s.timing, s.ring), (None, None, false, RingOptions::default()));
        let s = parse(&[
            ("prefilter", "bpf"),
            ("form", "tree"),
            ("drop", "76..100"),
            ("snaplen", "96 B"),
            ("buffer", "8 MiB"),
            ("timing", "on"),
        ])
        .unwrap();
        assert_eq!(s.prefilter, Some(Filter { discard: Discard::Rules(75, 99), form: Bpf::TREE }));
        assert_eq!((s.snaplen, s.ring.buffer, s.timing), (Some(96), 8 << 20, true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (options, wrong) in [
            (vec![("prefilter", "ebpf")], "prefilter"),
            (vec![("drop", "rest")], "drop"),
            (vec![("form", "tree")], "form"),
            (vec![("prefilter", "bpf"), ("drop", "100..76")], "drop"),
            (vec![("prefilter", "bpf"), ("drop", "0..3")], "drop"),
            (vec![("snaplen", "0")], "snaplen"),
            (vec![("buffer", "lots")], "buffer"),
            (vec![("bufer", "8")], "bufer"),
            (vec![("timing", "on"), ("timing", "off")], "timing"),
        ] {
            match parse(&options) {
                Err(MeterError::Option { option, .. }) => assert_eq!(option, wrong),
                other => panic!("{options:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_meter_s_own_options_stand_behind_the_common_ones() {
        const OWN: OptionDoc = OptionDoc { name: "flows", values: "N", doc: "how many" };
        const ALL: [OptionDoc; COMMON.len() + 1] = with_common([OWN]);
        let names: Vec<_> = ALL.iter().map(|o| o.name).collect();
        assert_eq!((names.len(), names[0], names[COMMON.len()]), (COMMON.len() + 1, "prefilter", "flows"));
        for name in ["timing", "select", "select-seed", "export", "domain"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(Common::parse(&spec("x", &[("flows", "7")]), &ALL).is_ok());
        assert!(Common::parse(&spec("x", &[("flows", "7")]), &COMMON).is_err());
    }
}
