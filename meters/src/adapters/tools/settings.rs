//! Options that all adapters share.

use crate::builtin::options::{error, number, one_of};
use crate::meter::{MeterError, OptionDoc};
use csn::MeterSpec;

/// `buffer`.
pub const BUFFER: OptionDoc = OptionDoc {
    name: "buffer",
    values: "MB",
    doc: "what is asked for between the kernel and the meter: a ring, or a socket's receive buffer. What was got stands \
          with each trial; default 32",
};

/// `filter`.
pub const FILTER: OptionDoc = OptionDoc {
    name: "filter",
    values: "none | rules",
    doc: "a filter expression in front of the meter that passes what the loaded rules match; default none",
};

/// The shared options, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Octets between the kernel and the meter.
    pub buffer: u64,
    /// Whether only what the loaded rules match is let in.
    pub filter: bool,
}

impl Settings {
    /// Understands the shared options, and sees that there are no others than `options`.
    ///
    /// # Errors
    /// [`MeterError::Option`] for the first that is wrong.
    pub fn parse(spec: &MeterSpec, options: &[OptionDoc]) -> Result<Self, MeterError> {
        for (i, (name, _)) in spec.options.iter().enumerate() {
            if options.iter().all(|o| o.name != name) {
                let names: Vec<_> = options.iter().map(|o| o.name).collect();
                let cure = match names.is_empty() {
                    true => "leave it out: this meter has no options".to_owned(),
                    false => format!("one of {}", names.join(", ")),
                };
                return Err(error(spec, name, "there is no such option".into(), &cure));
            }
            if spec.options[..i].iter().any(|(other, _)| other == name) {
                return Err(error(spec, name, "it is given twice".into(), "leave one of them out"));
            }
        }
        Ok(Self {
            buffer: number(spec, "buffer", "MB", 1..=2000)?.unwrap_or(32) * 1_000_000,
            filter: one_of(spec, "filter", &["none", "rules"])? == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_options_are_understood_and_others_refused() {
        let spec = |options: &[(&str, &str)]| MeterSpec {
            name: "x".into(),
            options: options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
            span: csn::Span::default(),
        };
        let parse = |options: &[(&str, &str)]| Settings::parse(&spec(options), &[BUFFER, FILTER]);
        assert_eq!(parse(&[]).unwrap(), Settings { buffer: 32_000_000, filter: false });
        let asked = parse(&[("buffer", "8 MB"), ("filter", "rules")]).unwrap();
        assert_eq!(asked, Settings { buffer: 8_000_000, filter: true });
        for (options, wrong) in [
            (vec![("form", "map")], "form"),
            (vec![("buffer", "8 MB"), ("buffer", "9 MB")], "buffer"),
            (vec![("buffer", "0")], "buffer"),
            (vec![("filter", "all")], "filter"),
        ] {
            let found = parse(&options);
            assert!(matches!(&found, Err(MeterError::Option { option, .. }) if option == wrong), "{found:?}");
        }
    }
}
