//! The kernel's traffic control: filters on what an interface sends.

use crate::agree::{Engine, Job, backend};
use crate::network::{Network, SENDER, installed, run, run_with};
use csn::Field;
use csn::backends::{Backend, Options};
use std::collections::HashMap;
use std::process::Command;

/// Traffic control in a namespace of the test's own.
#[derive(Default)]
pub struct Tc {
    network: Option<Network>,
}

impl Engine for Tc {
    fn name(&self) -> String {
        "tc u32".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("tc")
    }

    fn options(&self) -> Options {
        Options { interface: SENDER.into(), ..Options::default() }
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn missing(&self) -> Option<String> {
        Network::missing().or_else(|| installed("tc", "iproute2")).or_else(|| {
            // a thread of its own, so that the namespace ends with it
            std::thread::spawn(|| Network::new().err().map(|e| e.to_string()).or_else(queues_and_filters))
                .join()
                .expect("the thread ends")
        })
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules, made, frames, .. } = job;
        let network =
            self.network.get_or_insert_with(|| Network::new().expect("a namespace could be made before"));
        run_with("tc -batch -", &made.artefact);
        network.send(frames);
        let text = run(&format!("tc -s class show dev {SENDER}"));
        let counted = packets_by_class(&text);
        run(&format!("tc qdisc del dev {SENDER} root"));
        // a class without filters has no queue
        let mut out = vec![Some(0); rules.classes.len()];
        for (label, class) in &made.labels {
            out[class.index()] = counted.get(label.as_str()).copied();
        }
        out
    }
}

/// What the kernel lacks for the filters.
fn queues_and_filters() -> Option<String> {
    [
        format!("qdisc add dev {SENDER} root handle 1: htb default 1"),
        format!("filter add dev {SENDER} parent 1: protocol ip prio 1 handle 1: u32 divisor 1"),
    ]
    .iter()
    .find_map(|words| {
        let tried = Command::new("tc").args(words.split(' ')).output();
        let works = tried.is_ok_and(|o| o.status.success());
        (!works).then(|| "the kernel lacks HTB or u32 (modprobe -a sch_htb cls_u32)".into())
    })
}

/// ` Sent 123 bytes 4 pkt …` behind `class htb 1:2 …`.
fn packets_by_class(text: &str) -> HashMap<&str, u64> {
    let mut class = None;
    let mut out = HashMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["class", "htb", number, ..] => class = Some(*number),
            ["Sent", _, "bytes", packets, ..] => {
                out.extend(class.take().map(|c| (c, packets.parse().expect("a number"))));
            }
            _ => (),
        }
    }
    out
}
