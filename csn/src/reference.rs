//! Holds the reference against the tables that it describes, so that it cannot fall behind them.

use crate::codes::CODES;
use crate::field::Field;
use crate::resolve::{vocabulary, words};
use crate::{Loader, REFERENCE, Severity};
use std::collections::{HashMap, HashSet};

/// A fenced block: what stands behind the fence, and the text.
pub(crate) struct Block {
    pub(crate) info: &'static str,
    pub(crate) text: String,
}

/// The fenced blocks of the reference.
pub(crate) fn blocks() -> Vec<Block> {
    let mut lines = REFERENCE.lines();
    let mut out = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            out.push(Block { info, text: text.join("\n") });
        }
    }
    out
}

/// All that stands in backquotes, in words.
fn quoted() -> HashSet<&'static str> {
    let outside: Vec<&str> = REFERENCE.split("```").step_by(2).collect();
    let spans = outside.into_iter().flat_map(|t| t.split('`').skip(1).step_by(2));
    let name = |c: char| !(c.is_ascii_alphanumeric() || "-_/%".contains(c));
    spans.flat_map(|s| s.split(name).chain([s])).filter(|w| !w.is_empty()).collect()
}

struct Files(HashMap<&'static str, String>);

impl Loader for Files {
    fn load(&mut self, _: &str, path: &str) -> Result<(String, String), String> {
        self.0.get(path).map(|t| (path.to_owned(), t.clone())).ok_or_else(|| "no such file".into())
    }
}

#[test]
fn every_word_of_the_notation_is_in_the_reference() {
    let quoted = quoted();
    for group in vocabulary::groups() {
        assert!(!group.words.is_empty());
        for word in group.words {
            assert!(quoted.contains(word), "the {} `{word}` is not in the reference", group.kind);
        }
    }
}

#[test]
fn the_words_of_fields_stand_there_with_their_numbers() {
    let blocks = blocks();
    for field in Field::ALL.into_iter().filter(|f| !words::of(*f).is_empty() && *f != Field::DstPort) {
        let info = format!("text {field}");
        let block = blocks.iter().find(|b| b.info == info).unwrap_or_else(|| panic!("no block `{info}`"));
        let told: Vec<&str> = block.text.split_whitespace().collect();
        let told: Vec<(&str, u32)> = told
            .chunks(2)
            .map(|pair| {
                let number = match pair[1].strip_prefix("0x") {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => pair[1].parse(),
                };
                (pair[0], number.unwrap_or_else(|_| panic!("{info}: {pair:?}")))
            })
            .collect();
        assert_eq!(told, words::of(field), "{field}");
    }
    assert_eq!(words::of(Field::SrcPort), words::of(Field::DstPort));
}

#[test]
fn what_is_not_executed_is_listed() {
    for code in CODES.iter().filter(|c| c.code.starts_with("E9")) {
        assert!(REFERENCE.contains(&format!("\n| {} |", code.code)), "{}", code.code);
    }
    let hundreds: HashSet<&str> = CODES.iter().map(|c| &c.code[..2]).collect();
    let quoted = quoted();
    for hundred in hundreds {
        assert!(quoted.contains(hundred), "`{hundred}` is not among the codes");
    }
}

#[test]
fn every_example_compiles() {
    let mut files = HashMap::new();
    let mut count = 0;
    for block in blocks() {
        if let Some(name) = block.info.strip_prefix("csn file=") {
            files.insert(name, block.text);
            continue;
        }
        if block.info != "csn" {
            continue;
        }
        count += 1;
        let out = crate::compile("example.csn", &block.text, &mut Files(files.clone()));
        let found: Vec<_> = out.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(found.is_empty(), "{}\n{found:#?}", block.text);
        assert!(!out.scenario.rules.rules.is_empty(), "{}", block.text);
    }
    assert!(count > 5, "{count}");
}

#[test]
fn it_is_pleasant_to_read_in_a_terminal() {
    for (i, line) in REFERENCE.lines().enumerate() {
        assert!(
            line.chars().count() <= 100 && line.trim_end() == line && !line.contains('\t'),
            "line {}",
            i + 1
        );
    }
}
