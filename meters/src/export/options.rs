//! The options of exporting that every built-in meter has.

use super::attributes::{self, Attribute};
use crate::builtin::options::{error, number};
use crate::meter::{MeterError, OptionDoc};
use csn::MeterSpec;
use std::path::PathBuf;

/// The options.
pub const EXPORT: [OptionDoc; 4] = [
    OptionDoc {
        name: "export",
        values: "\"ipfix://HOST:PORT\" | \"ipfix+tcp://…\" | \"netflow9://…\" | \"netflow5://…\" | \"csv:FILE\" | \"json:FILE\"",
        doc: "where flow records go, or one record a class where the meter has no flows; default nowhere",
    },
    OptionDoc {
        name: "template",
        values: "mandatory | all | {ATTRIBUTE, …}",
        doc: "the attributes of exported records, of which each has those that its flow has; default all but the \
              times in nanoseconds. NetFlow v5 has its own",
    },
    OptionDoc {
        name: "export-rate",
        values: "NUMBER",
        doc: "records sent a second at most; default as fast as they come",
    },
    OptionDoc {
        name: "domain",
        values: "NUMBER",
        doc: "the observation domain of exported records; default 1",
    },
];

/// A form of records, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// IPFIX to that collector; over TCP or not.
    Ipfix(String, bool),
    /// NetFlow v9.
    Netflow9(String),
    /// NetFlow v5.
    Netflow5(String),
    /// A file of comma-separated values.
    Csv(PathBuf),
    /// A file of JSON Lines.
    Json(PathBuf),
}

/// The options, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportOptions {
    /// Where to.
    pub form: Form,
    /// What of each flow.
    pub attributes: Vec<&'static Attribute>,
    /// Records a second at most.
    pub rate: Option<u64>,
    /// The observation domain.
    pub domain: u32,
    /// Whether packets are selected before they are metered.
    pub selected: bool,
}

impl ExportOptions {
    /// Understands them; none where nothing is exported.
    ///
    /// # Errors
    /// [`MeterError::Option`] for the first that is wrong.
    pub fn parse(spec: &MeterSpec) -> Result<Option<Self>, MeterError> {
        let rate = number(spec, "export-rate", "", 1..=1_000_000_000)?;
        let domain = number(spec, "domain", "", 0..=u64::from(u32::MAX))?;
        let Some(text) = spec.option("export").map(|t| t.trim().trim_matches('"')).filter(|t| *t != "none")
        else {
            for name in ["template", "export-rate", "domain"] {
                if spec.option(name).is_some() {
                    let reason = "there is no export that it could apply to".into();
                    return Err(error(spec, name, reason, "export = \"ipfix://127.0.0.1:4739\""));
                }
            }
            return Ok(None);
        };
        let form = form(text).ok_or_else(|| {
            let reason = format!("`{text}` is no form of records with where they go");
            error(spec, "export", reason, &format!("export = {}", EXPORT[0].values))
        })?;
        let words = spec.option("template").unwrap_or("default");
        let attributes = match words {
            "default" => attributes::ATTRIBUTES.iter().filter(|a| !a.name.ends_with("ns")).collect(),
            words => attributes::select(words).map_err(|word| {
                let names: Vec<_> = attributes::ATTRIBUTES.iter().map(|a| a.name).collect();
                let cure = format!("template = all, mandatory, or some of {}", names.join(", "));
                error(spec, "template", format!("`{word}` is no attribute"), &cure)
            })?,
        };
        let selected = spec.option("select").is_some_and(|s| s.trim() != "none");
        Ok(Some(Self { form, attributes, rate, domain: domain.unwrap_or(1) as u32, selected }))
    }
}

fn form(text: &str) -> Option<Form> {
    if let Some((scheme, to)) = text.split_once("://") {
        let to = to.trim_end_matches('/').to_owned();
        let port = to.rsplit_once(':')?.1;
        port.parse::<u16>().ok()?;
        return match scheme {
            "ipfix" | "ipfix+udp" => Some(Form::Ipfix(to, false)),
            "ipfix+tcp" => Some(Form::Ipfix(to, true)),
            "netflow9" => Some(Form::Netflow9(to)),
            "netflow5" => Some(Form::Netflow5(to)),
            _ => None,
        };
    }
    match text.split_once(':') {
        Some(("csv", path)) if !path.is_empty() => Some(Form::Csv(path.into())),
        Some(("json", path)) if !path.is_empty() => Some(Form::Json(path.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<Option<ExportOptions>, MeterError> {
        let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        ExportOptions::parse(&MeterSpec { name: "x".into(), options, span: csn::Span::default() })
    }

    #[test]
    fn targets_are_understood() {
        assert!(parse(&[]).unwrap().is_none());
        let to = || "127.0.0.1:4739".to_owned();
        for (text, form) in [
            ("ipfix://127.0.0.1:4739", Form::Ipfix(to(), false)),
            ("ipfix+tcp://127.0.0.1:4739/", Form::Ipfix(to(), true)),
            ("netflow9://127.0.0.1:4739", Form::Netflow9(to())),
            ("netflow5://127.0.0.1:4739", Form::Netflow5(to())),
            ("csv:x.csv", Form::Csv("x.csv".into())),
            ("json:-", Form::Json("-".into())),
        ] {
            assert_eq!(parse(&[("export", text)]).unwrap().unwrap().form, form);
        }
        let o =
            parse(&[("export", "csv:x"), ("template", "srcip, packets"), ("domain", "7")]).unwrap().unwrap();
        assert_eq!((o.attributes.len(), o.domain, o.selected), (2, 7, false));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (options, wrong) in [
            (vec![("export", "ipfix://127.0.0.1")], "export"),
            (vec![("export", "sflow://127.0.0.1:6343")], "export"),
            (vec![("export", "csv:")], "export"),
            (vec![("export", "csv:x"), ("template", "srcip, as")], "template"),
            (vec![("template", "all")], "template"),
            (vec![("export", "csv:x"), ("export-rate", "0")], "export-rate"),
        ] {
            match parse(&options) {
                Err(MeterError::Option { option, .. }) => assert_eq!(option, wrong),
                other => panic!("{options:?}: {other:?}"),
            }
        }
    }
}
