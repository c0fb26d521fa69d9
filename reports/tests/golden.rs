//! A stored run of version 1, shown by every format that is text. The file is test data and stays as it is: what
//! later versions make of it must not change unnoticed.

use reports::formats;
use reports::store::Stored;
use reports::summary::Summary;

fn rendered(format: &str) -> String {
    let stored = Stored::read(&include_bytes!("../testdata/v1-number-of-rules.jsonl")[..]).unwrap();
    let summary = Summary::of(&stored);
    let mut out = Vec::new();
    formats::find(format).unwrap().documents(&summary)[0].write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn terminal() {
    let text = rendered("terminal");
    assert!(text.lines().all(|l| l.chars().count() <= 100), "a line is longer than 100 columns");
    insta::assert_snapshot!(text);
}

#[test]
fn markdown() {
    insta::assert_snapshot!(rendered("markdown"));
}

#[test]
fn csv() {
    insta::assert_snapshot!(rendered("csv"));
}

#[test]
fn junit() {
    insta::assert_snapshot!(rendered("junit"));
}
