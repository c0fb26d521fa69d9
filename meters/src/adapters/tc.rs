//! Traffic control: u32 filters that lead to HTB classes, on an intermediate device that gets what arrives.

use super::tools::kernel::IP;
use super::tools::{External, InKernel, Order, Program, by_class, unlimited, write};
use crate::meter::{MeterError, Place, Readout, Running, StageLoss, Tells};
use csn::backends::Options;
use csn::{Counts, MeterSpec};
use std::collections::HashMap;
use std::process::Command;

const TC: Program = Program { name: "tc", package: "iproute2" };
/// The intermediate device.
const DEVICE: &str = "csn-ifb";
/// Packets that it may queue: as many as a burst of the generator can be, so that the classes decide and not the queue.
const QUEUE: &str = "10000";

/// The meter `tc`.
pub static TC_U32: External = External {
    name: "tc",
    summary: "the kernel's traffic control: u32 filters and an HTB class for each class, behind an ifb device",
    options: &[],
    programs: &[TC, IP],
    version: &["-Version"],
    place: Place::Kernel,
    tells: Tells::Own,
    deviations: include_str!("../../deviations/tc.md"),
    backend: Some(|_: &MeterSpec| Ok(("tc", Options::default()))),
    limits: unlimited,
    start,
};

fn command(program: &Program, words: &str) -> Result<Command, MeterError> {
    let mut command = program.command("tc")?;
    command.args(words.split(' '));
    Ok(command)
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let arriving = order.job.interface;
    // the back end binds its filters to the interface where packets leave
    let artefact = order.rules.artefact.replace(&format!(" dev {arriving} "), &format!(" dev {DEVICE} "));
    write(&order.job.folder.join("rules.tc"), &artefact)?;
    let mut kernel = InKernel::new(order)?;
    let missing = |what: &'static str, modules: &'static str| {
        move |e: MeterError| MeterError::Unavailable {
            meter: "tc".into(),
            reason: format!("the kernel lacks {what} ({e})"),
            cure: format!("sudo modprobe -a {modules}"),
        }
    };
    kernel.at_end(command(&IP, &format!("link del {DEVICE}"))?);
    let inside = |kernel: &InKernel, program, words: &str| kernel.inside().run(command(program, words)?);
    inside(&kernel, &IP, &format!("link add {DEVICE} txqueuelen {QUEUE} type ifb"))
        .map_err(missing("ifb devices", "ifb"))?;
    inside(&kernel, &IP, &format!("link set {DEVICE} up"))?;
    kernel
        .inside()
        .feed(command(&TC, "-batch -")?, &artefact)
        .map_err(missing("HTB or u32", "sch_htb cls_u32"))?;
    kernel.at_end(command(&TC, &format!("qdisc del dev {arriving} ingress"))?);
    inside(&kernel, &TC, &format!("qdisc add dev {arriving} ingress"))?;
    let lead = format!(
        "filter add dev {arriving} parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev {DEVICE}"
    );
    inside(&kernel, &TC, &lead).map_err(missing("the action mirred", "act_mirred"))?;
    let listed = inside(&kernel, &TC, &format!("filter show dev {DEVICE}"))?;
    let (live, wanted) = (filters(&listed), filters(&artefact));
    if live != wanted {
        return Err(kernel.inside().failed(format!("tc lists {live} of {wanted} filters")));
    }
    kernel.fact("rules live", format!("{live} filters, listed by tc"));
    let (labels, classes) = (order.rules.labels.clone(), order.classes());
    Ok(kernel.running(Box::new(move |inside| {
        let text = inside.run(command(&TC, &format!("-s class show dev {DEVICE}"))?)?;
        let counted = by_queue(&text);
        let dropped: u64 = counted.values().map(|(_, dropped)| dropped).sum();
        let losses =
            (dropped > 0).then(|| StageLoss { stage: "queues of the classes".into(), packets: dropped });
        Ok(Readout {
            classes: by_class(&labels, classes, |l| counted.get(l).map(|(counts, _)| *counts)),
            losses: losses.into_iter().collect(),
            ..Readout::default()
        })
    })))
}

/// How many filters lead to a class.
fn filters(text: &str) -> usize {
    text.lines().filter(|l| l.contains("flowid 1:")).count()
}

/// What each class of a queue sent and dropped: ` Sent 123 bytes 4 pkt (dropped 0, …` behind `class htb 1:2 …`.
fn by_queue(text: &str) -> HashMap<String, (Counts, u64)> {
    let mut class = None;
    let mut out = HashMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["class", "htb", number, ..] => class = Some((*number).to_owned()),
            ["Sent", bytes, "bytes", packets, _, "(dropped", dropped, ..] => {
                let number = |text: &str| text.trim_end_matches(',').parse().unwrap_or(0);
                let counts = Counts { packets: number(packets), bytes: number(bytes) };
                out.extend(class.take().map(|c| (c, (counts, number(dropped)))));
            }
            _ => (),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_say_what_they_sent_and_dropped() {
        let text = "class htb 1:2 root prio 0 rate 100Gbit\n Sent 840 bytes 6 pkt (dropped 1, overlimits 0 requeues 0)\n";
        assert_eq!(by_queue(text)["1:2"], (Counts { packets: 6, bytes: 840 }, 1));
    }
}
