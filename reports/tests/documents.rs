//! Every document of every format, over simulated runs: well-formed, complete, and inert whatever the texts hold.

mod simulator;

use reports::record::{Record, Run};
use reports::store::Stored;
use reports::summary::Summary;
use reports::{formats, plot};
use simulator::Test;
use std::collections::BTreeMap;

const ALL: [Test; 4] = [Test::NumberOfRules, Test::WorstCase, Test::Filter, Test::Meters];

fn summary(records: &[Record]) -> Summary {
    Summary::of(&Stored::read(simulator::lines(records).as_bytes()).unwrap())
}

fn documents(summary: &Summary) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    formats::render_all(summary, &mut |file, bytes| {
        assert!(all.insert(file.to_owned(), bytes.to_vec()).is_none(), "{file} was written twice");
        Ok(())
    })
    .unwrap();
    all
}

/// Checks that tags close in order and that text holds no bare `<`; gives the number of elements. `void` elements
/// have no end.
fn elements(markup: &str, void: &[&str]) -> usize {
    let mut open: Vec<&str> = Vec::new();
    let mut count = 0;
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        assert!(
            !rest[..at].contains('>')
                || open.is_empty()
                || ["style", "script"].contains(open.last().unwrap())
        );
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.split([' ', '\n', '/']).find(|n| !n.is_empty()).unwrap();
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "near {}", &rest[..rest.len().min(80)]);
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        count += 1;
        if tag.ends_with('/') || void.contains(&name) {
            continue;
        }
        if ["style", "script"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).expect("it ends")..];
        }
        open.push(name);
    }
    assert!(open.is_empty(), "{open:?} stay open");
    count
}

#[test]
fn every_run_gives_well_formed_documents() {
    for test in ALL {
        let documents = documents(&summary(&simulator::records(test, 5, 3)));
        for (file, bytes) in &documents {
            let text = || std::str::from_utf8(bytes).unwrap();
            match file.rsplit_once('.').unwrap().1 {
                "svg" | "xml" => assert!(elements(text(), &[]) > 5, "{file}"),
                "html" => assert!(elements(text(), &["meta", "br"]) > 100, "{file}"),
                "json" => {
                    assert!(serde_json::from_str::<serde_json::Value>(text()).unwrap()["points"].is_array())
                }
                "png" => pixels(bytes),
                "txt" => assert!(text().lines().all(|l| l.chars().count() <= 100), "{file}:\n{}", text()),
                _ => {}
            }
        }
        for wanted in ["report.html", "summary.md", "junit.xml", "cpu.svg", "cpu.png", "cpu-per-packet.svg"] {
            assert!(documents.contains_key(wanted), "{wanted} is missing");
        }
        assert_eq!(documents.contains_key("loss.svg"), test == Test::WorstCase);
    }
}

/// The picture decodes, has twice the units, and shows ground, ink and the colours of curves.
fn pixels(bytes: &[u8]) {
    let mut reader = png::Decoder::new(bytes).read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut buffer).unwrap();
    assert_eq!(info.width, 1720);
    let has = |c: (u8, u8, u8)| buffer.chunks_exact(3).filter(|p| (p[0], p[1], p[2]) == c).count();
    let curve = plot::SERIES[0];
    assert!(has((255, 255, 255)) > buffer.len() / 3 / 2);
    assert!(has((plot::INK.0, plot::INK.1, plot::INK.2)) > 1000);
    assert!(has((curve.0, curve.1, curve.2)) > 100);
}

/// Old files are test data: whatever was once written is still read and shown.
#[test]
fn every_stored_file_is_read_and_shown_by_every_format() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stored = Stored::read(&std::fs::read(&path).unwrap()[..]).unwrap();
        assert_eq!(stored.warnings, Vec::<String>::new(), "{}", path.display());
        let summary = Summary::of(&stored);
        assert!(summary.valid() > 0, "{}", path.display());
        let made = documents(&summary);
        assert!(made.keys().any(|f| f.ends_with(".png")), "{}: {:?}", path.display(), made.keys());
        assert!(made.values().all(|bytes| !bytes.is_empty()), "{}", path.display());
        files += 1;
    }
    assert!(files >= 2, "{folder} holds {files} files");
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let records = simulator::records(Test::NumberOfRules, 9, 4);
    assert_eq!(documents(&summary(&records)), documents(&summary(&records)));
}

#[test]
fn texts_of_a_scenario_are_never_markup() {
    let evil = "</script><script>alert(1)</script> \"'|`& ]]>";
    let mut records = simulator::records(Test::Meters, 2, 1);
    for record in &mut records {
        match record {
            Record::Run(run) => {
                let old = std::mem::take(&mut **run);
                **run = Run { title: evil.into(), text: evil.into(), command: evil.into(), ..old };
                run.host.warnings.push(evil.into());
                run.host.facts.insert(evil.into(), evil.into());
            }
            Record::Trial(t) => {
                t.classes[0].class = evil.into();
                t.meter = format!("{}{evil}", t.meter);
                t.at.insert("meter".into(), t.meter.clone());
                t.invalid.extend((t.index == 0).then(|| evil.to_owned()));
            }
            _ => {}
        }
    }
    let documents = documents(&summary(&records));
    for (file, bytes) in &documents {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        match file.rsplit_once('.').unwrap().1 {
            "html" => {
                elements(text, &["meta", "br"]);
                assert!(!text.contains("<script>alert"), "{file}");
                assert_eq!(text.matches("<script>").count(), 1);
                assert!(text.contains("&lt;script&gt;alert(1)"));
            }
            "svg" | "xml" => {
                elements(text, &[]);
                assert!(!text.contains("<script"), "{file}");
            }
            // Between backticks and in the fenced command Markdown takes everything literally.
            "md" => {
                let text = text.replace(&format!("```sh\n{evil}"), "").replace("\\`", "");
                let outside: String = text.split('`').step_by(2).collect();
                assert!(!outside.contains("<script"), "{file}: {outside}");
            }
            _ => {}
        }
    }
}

#[test]
fn figures_tell_their_values_and_show_nothing_out_of_range() {
    let s = summary(&simulator::records(Test::NumberOfRules, 5, 2));
    let figures = plot::figures(&s);
    let svg = plot::svg(&figures[0]).unwrap();
    assert!(
        svg.contains("number of rules") && svg.contains("CPU, % of one core") && svg.contains("theoretical")
    );
    assert!(svg.contains("100 rules\nuser: "), "hovering tells the values");
    // Every circle lies in the picture.
    let inside = |name: &str, most: f64| {
        for part in svg.split(&format!(" {name}=\"")).skip(1) {
            let v: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=most).contains(&v), "{name} = {v}");
        }
    };
    inside("cx", 860.0 * 4.0);
    inside("cy", 530.0 * 4.0);
}
