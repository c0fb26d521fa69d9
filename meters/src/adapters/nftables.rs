//! nftables: rules and named counters at the ingress hook of the interface.

use super::tools::{External, InKernel, Order, Program, by_class, unlimited, write};
use crate::builtin::options::one_of;
use crate::meter::{MeterError, OptionDoc, Place, Readout, Running, Tells};
use csn::backends::{Options, by_name};
use csn::{Counts, MeterSpec};
use serde_json::Value;
use std::collections::HashMap;

const NFT: Program = Program { name: "nft", package: "nftables" };
/// The forms of the back end, by the option's values.
const FORMS: [&str; 2] = ["rules", "map"];

/// The meter `nftables`.
pub static NFTABLES: External = External {
    name: "nftables",
    summary: "the kernel's nftables at the ingress of the interface, a named counter for each class",
    options: &[OptionDoc {
        name: "form",
        values: "rules | map",
        doc: "rules in order, or maps from one key to counters; default rules",
    }],
    programs: &[NFT],
    version: &["--version"],
    place: Place::Kernel,
    tells: Tells::Own,
    deviations: include_str!("../../deviations/nftables.md"),
    backend: Some(backend),
    limits: unlimited,
    start,
};

fn backend(spec: &MeterSpec) -> Result<(&'static str, Options), MeterError> {
    let name = ["ordered", "map"][one_of(spec, "form", &FORMS)?];
    let form = by_name("nftables").and_then(|b| b.forms().iter().find(|f| f.name == name).copied());
    Ok(("nftables", Options { form, ..Options::default() }))
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let (job, name) = (order.job, order.job.spec.name.clone());
    let file = job.folder.join("rules.nft");
    write(&file, &order.rules.artefact)?;
    let mut kernel = InKernel::new(order)?;
    let nft = move |arguments: &[&str]| {
        let mut command = NFT.command(&name)?;
        command.args(arguments);
        Ok::<_, MeterError>(command)
    };
    let mut load = nft(&["-f"])?;
    load.arg(&file);
    kernel.at_end(nft(&["delete", "table", "netdev", "csn"])?);
    kernel.inside().run(load)?;
    let listed = kernel.inside().run(nft(&["-j", "list", "table", "netdev", "csn"])?)?;
    let listed = objects(&listed);
    let of = |kind: &str| listed.iter().filter(|o| o.get(kind).is_some()).count();
    let (rules, counters) = (of("rule"), of("counter"));
    if rules == 0 || counters < order.rules.labels.len() {
        return Err(kernel.inside().failed(format!("nft lists {rules} rules and {counters} counters")));
    }
    kernel.fact("rules live", format!("{rules} rules and {counters} counters, listed by nft"));
    let (labels, classes) = (order.rules.labels.clone(), order.classes());
    Ok(kernel.running(Box::new(move |inside| {
        let listed = inside.run(nft(&["-j", "list", "counters", "table", "netdev", "csn"])?)?;
        let counted = counters_by_name(&objects(&listed));
        Ok(Readout { classes: by_class(&labels, classes, |l| counted.get(l).copied()), ..Readout::default() })
    })))
}

/// The objects of a listing in JSON.
fn objects(text: &str) -> Vec<Value> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    value["nftables"].as_array().cloned().unwrap_or_default()
}

fn counters_by_name(objects: &[Value]) -> HashMap<String, Counts> {
    let counter = |o: &Value| {
        let c = o.get("counter")?;
        let counts = Counts { packets: c["packets"].as_u64()?, bytes: c["bytes"].as_u64()? };
        Some((c["name"].as_str()?.to_owned(), counts))
    };
    objects.iter().filter_map(counter).collect()
}
