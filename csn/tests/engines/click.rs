//! Click, built from its source: `CSNBENCH_CLICK` names the program. Debian's package of the name is another program.

use crate::agree::{Engine, Job, backend};
use crate::network::run;
use crate::tcpdump::{Folder, write_capture};
use csn::Field;
use csn::backends::{Backend, Form, Options};
use std::process::Command;

/// A Click router at user level that reads a capture.
pub struct Click {
    program: String,
    form: Form,
}

impl Click {
    /// The router with configurations of that form.
    pub fn new(form: &str) -> Self {
        let program = std::env::var("CSNBENCH_CLICK").unwrap_or_else(|_| "click".into());
        let form = backend("click").forms().iter().find(|f| f.name == form).copied();
        Self { program, form: form.expect("the form exists") }
    }
}

impl Engine for Click {
    fn name(&self) -> String {
        format!("click ({})", self.form.name)
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("click")
    }

    fn options(&self) -> Options {
        Options { form: Some(self.form), ..Options::default() }
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn missing(&self) -> Option<String> {
        // the other program of that name knows neither this option nor this element
        let asked =
            Command::new(&self.program).args(["-q", "-e", "Idle -> Discard; DriverManager(stop)"]).output();
        let router = asked.is_ok_and(|a| a.status.success());
        (!router).then(|| {
            "no Click router in $CSNBENCH_CLICK or as `click` (git clone https://github.com/kohler/click && cd click && \
             ./configure --disable-linuxmodule && make -C userlevel && export CSNBENCH_CLICK=$PWD/userlevel/click)"
                .into()
        })
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules, made, frames, .. } = job;
        let folder = Folder::new();
        let (capture, file) = (folder.0.join("all.pcap"), folder.0.join("rules.click"));
        write_capture(&capture, frames);
        let (source, rest) = made.artefact.split_once('\n').expect("the source has a line of its own");
        assert!(source.starts_with("source :: "), "{source}");
        let source = format!("source :: FromDump({}, STOP true);", capture.display());
        std::fs::write(&file, format!("{source}\n{rest}")).expect("the configuration can be written");
        let printed = run(&format!("{} -h *.count {}", self.program, file.display()));
        let count = |label: &str| {
            let mut lines = printed.lines().skip_while(|l| *l != format!("{label}.count:")).skip(1);
            lines.next().and_then(|n| n.parse().ok())
        };
        let mut out = vec![None; rules.classes.len()];
        for (label, class) in &made.labels {
            out[class.index()] = count(label);
        }
        out
    }
}
