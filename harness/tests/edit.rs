//! `add` and `remove` as people and scripts call them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TEXT: &str =
    "# keep\r\ninclude: \"more.csn\";\r\nset: class = 1, name = \"voice\";\r\n\taddrule: dscp = ef; # EF";
const INCLUDED: &str = "set: class = 9; addrule: vlan = 9;\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csn"), TEXT).unwrap();
        std::fs::write(folder.path().join("more.csn"), INCLUDED).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("a.csn")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        run(self.0.path(), words)
    }
}

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_csnbench")).args(words).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_is_added_can_be_removed_and_the_file_is_as_it_was() {
    let folder = Folder::new();
    let out = folder.run(&["add", "a.csn", "--class", "voice", "proto = udp, dstport = sip"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert_eq!(folder.text(), format!("{TEXT}\r\n\taddrule: proto = udp, dstport = sip;"));
    assert!(said(&out).contains("a.csn:5: added `addrule: proto = udp, dstport = sip;`"), "{}", said(&out));
    let out =
        folder.run(&["remove", "a.csn", "--class", "1", "--rule", "dstport = 5060, proto = 17", "--json"]);
    assert_eq!(folder.text(), TEXT);
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((line["change"].as_str(), line["line"].as_u64()), (Some("removed"), Some(5)));
}

#[test]
fn standard_output_gets_the_text_and_the_file_stays() {
    let folder = Folder::new();
    let out = folder.run(&["add", "a.csn", "--class", "2", "--name", "b", "dscp = le", "-o", "-"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text, format!("{TEXT}\r\nset: class = 2, name = \"b\";\r\n\taddrule: dscp = le;"));
    assert_eq!(folder.text(), TEXT);
    let out = folder.run(&["remove", "a.csn", "--class", "voice", "-o", "b.csn"]);
    assert_eq!(out.status.code(), Some(0));
    let written = std::fs::read_to_string(folder.0.path().join("b.csn")).unwrap();
    assert_eq!(written, "# keep\r\ninclude: \"more.csn\";");
    assert_eq!(folder.text(), TEXT);
}

#[test]
fn an_edit_that_cannot_be_made_leaves_the_file_and_says_why() {
    let folder = Folder::new();
    for (words, code, says) in [
        (&["add", "a.csn", "--class", "1", "dstprot = 53"][..], 65, "did you mean `dstport`?"),
        (&["add", "a.csn", "--class", "9", "dscp = le"], 65, "edit `more.csn`"),
        (&["add", "a.csn", "--class", "2", "dscp = le", "dscp = el"], 65, "`el` is not known here"),
        (&["remove", "a.csn", "--class", "vioce"], 65, "did you mean `voice`?"),
        (&["remove", "a.csn", "--rule", "dscp = ef"], 64, "--class"),
        (&["remove", "a.csn"], 64, "--class"),
        (&["remove", "a.csn", "--class", "1", "-o", "-", "--json"], 64, "--json"),
        (&["remove", "b.csn", "--class", "1"], 1, "b.csn"),
    ] {
        let out = folder.run(words);
        assert_eq!(out.status.code(), Some(code), "{words:?}: {}", said(&out));
        assert!(said(&out).contains(says), "{words:?}: {}", said(&out));
        assert_eq!(folder.text(), TEXT, "{words:?}");
    }
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 2);
}
