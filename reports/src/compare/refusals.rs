//! What can't be compared, and why.

use crate::record::{Host, VERSION};
use crate::summary::Summary;
use serde::Serialize;

/// Why two runs can't be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What is in the way.
    pub reason: String,
    /// What to do.
    pub cure: String,
    /// Whether the runs can be shown side by side all the same.
    pub tolerable: bool,
}

/// Everything that is in the way of comparing `new` with `base`; what a reader must only know goes to `notes`.
pub(super) fn all(base: &Summary, new: &Summary, notes: &mut Vec<String>) -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut refuse = |tolerable: bool, reason: String, cure: &str| {
        out.push(Refusal { reason, cure: cure.into(), tolerable });
    };
    let (b, n) = (&base.run, &new.run);
    if b.version > VERSION || n.version > VERSION {
        let newest = b.version.max(n.version);
        refuse(
            false,
            format!("records of version {newest}, this program knows {VERSION}"),
            "use a newer csnbench",
        );
    }
    if b.rules_hash != n.rules_hash {
        refuse(
            false,
            "the runs measured other rules".into(),
            "run the baseline again with the rules of the new run",
        );
    }
    // what a hash is made of may change with the program
    let traffic = b.tool == n.tool && !b.traffic_hash.is_empty() && !n.traffic_hash.is_empty();
    if traffic && b.traffic_hash != n.traffic_hash {
        refuse(
            false,
            "the runs were made with other traffic, rates or times".into(),
            "run the baseline again with the scenario of the new run",
        );
    }
    if b.quick != n.quick {
        refuse(false, "one of the runs is a quick one".into(), "make both with `--quick`, or both without");
    }
    if !base.complete {
        refuse(false, "the baseline was cut short".into(), "`csnbench run --resume` goes on with it");
    }
    if base.valid() == 0 {
        refuse(
            false,
            "the baseline has no valid trial".into(),
            "run it again; its report says what was wrong",
        );
    }
    if let Some(reason) = hosts(&b.host, &n.host) {
        refuse(true, reason, "run both on one machine; `--across` shows them all the same");
    }
    let labs =
        [("lab", &b.lab.kind, &n.lab.kind), ("receive work", &b.lab.receive_work, &n.lab.receive_work)];
    for (what, was, is) in labs.into_iter().filter(|(_, was, is)| was != is) {
        let reason = format!("the runs had another {what}: {was} there, {is} here");
        refuse(
            true,
            reason,
            "make both as the same user on the same machine; `--across` shows them all the same",
        );
    }
    if b.tool != n.tool {
        notes.push(format!("made by csnbench {} and {}", b.tool, n.tool));
    }
    if b.host.kernel != n.host.kernel {
        notes.push(format!("kernels {} and {}", b.host.kernel, n.host.kernel));
    }
    out
}

/// What tells two machines apart.
fn hosts(base: &Host, new: &Host) -> Option<String> {
    let pairs = [
        ("CPU", base.cpu.clone(), new.cpu.clone()),
        ("number of CPUs", base.cpus.to_string(), new.cpus.to_string()),
        (
            "hypervisor",
            base.virtualised.clone().unwrap_or("none".into()),
            new.virtualised.clone().unwrap_or("none".into()),
        ),
        ("clock", base.clock.clone(), new.clock.clone()),
    ];
    let (what, was, is) = pairs.into_iter().find(|(_, was, is)| was != is)?;
    Some(format!("the runs were made on other machines: {what} {was} there, {is} here"))
}
