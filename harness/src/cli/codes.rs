//! The pages of the diagnostics: `csnbench explain E012`.

use super::exit::Exit;
use super::render;
use csn::{CODES, Code, Severity};

/// Whether a word can only be meant as a code.
pub fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix(|c: char| c.is_ascii_alphabetic());
    digits.is_some_and(|d| !d.is_empty() && d.len() <= 4 && d.bytes().all(|b| b.is_ascii_digit()))
}

/// Prints the page of a code; of one that is not there, those that are spelt like it.
pub fn page(word: &str) -> Result<Exit, Exit> {
    let Some(code) = Code::find(word) else {
        eprintln!("csnbench: there is no code {word}");
        let near = like(word);
        if !near.is_empty() {
            eprintln!("like it are:");
            near.iter().for_each(|c| eprintln!("  {}  {}", c.code, c.title));
        }
        eprintln!("`csnbench explain` lists all codes");
        return Err(Exit::Usage);
    };
    print!("{}", text(code));
    Ok(Exit::Done)
}

/// Prints all codes, a line each.
pub fn list() {
    CODES.iter().for_each(|c| println!("{}  {}", c.code, c.title));
    println!("\n`csnbench explain CODE` shows what it means, why, an example and the cure");
}

/// The page of a code.
fn text(code: &Code) -> String {
    let severity = match code.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Lint => "lint",
    };
    let mut out = format!("{} ({severity}): {}\n\n", code.code, code.title);
    for (head, body) in [("What", code.what), ("Why", code.why), ("Cure", code.cure)] {
        out.push_str(&format!("{head}:  {body}\n"));
    }
    if code.example.is_empty() {
        return out;
    }
    out.push_str("\nExample:\n\n");
    code.example.lines().for_each(|line| out.push_str(&format!("    {line}\n")));
    // what the example leads to; those that take a command or other files show themselves
    let outcome = csn::compile("example.csn", code.example, &mut csn::NoLoader);
    let advice = csn::geometry::advice(&outcome.scenario.rules, &outcome.scenario.mix).diagnostics;
    let mut found = outcome.diagnostics.iter().chain(&outcome.unexecuted).chain(&advice);
    if let Some(d) = found.find(|d| d.code == code.code) {
        out.push_str("\nIt is reported so:\n\n");
        let shown = render::text(&outcome.sources, d, false);
        for line in shown.lines() {
            out.push_str(format!("    {line}").trim_end());
            out.push('\n');
        }
    }
    out
}

/// Codes that differ in the letter or in one digit, else those of the same hundred.
fn like(word: &str) -> Vec<&'static Code> {
    let word = word.to_ascii_uppercase();
    let differ = |c: &Code| {
        c.code.len().abs_diff(word.len()) + c.code.chars().zip(word.chars()).filter(|(a, b)| a != b).count()
    };
    let mut near: Vec<(usize, &Code)> =
        CODES.iter().map(|c| (differ(c), c)).filter(|(d, _)| *d <= 1).collect();
    // the same number under another letter first: that is what is mixed up
    near.sort_by_key(|(d, c)| (c.code[1..] != word[1..], *d, c.code));
    if near.is_empty() {
        near.extend(
            CODES.iter().filter(|c| word.len() > 1 && c.code.starts_with(&word[..2])).map(|c| (2, c)),
        );
    }
    near.truncate(8);
    near.into_iter().map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_parts_and_shows_how_the_example_is_reported() {
        for code in CODES {
            let page = text(code);
            for part in [code.code, code.title, code.what, code.why, code.cure] {
                assert!(page.contains(part), "{page}");
            }
            assert!(page.lines().all(|l| l.trim_end() == l), "{page:?}");
            // those of imports are no scenarios
            let by_itself = !code.example.is_empty()
                && &code.code[1..2] != "5"
                && !code.example.contains("include:")
                && !code.example.starts_with('#');
            let shown = page.contains(&format!("[{}]", code.code));
            // E250 stands behind E204 for rules that do not come from text
            assert!(shown || !by_itself || code.code == "E250", "{page}");
        }
    }

    #[test]
    fn codes_are_told_from_files_and_those_spelt_alike_are_named() {
        assert!(is_code("E012") && is_code("w9") && is_code("X123"));
        assert!(
            !is_code("voice.csn") && !is_code("E") && !is_code("E12345") && !is_code("012") && !is_code("é1")
        );
        assert_eq!(like("e105")[0].code, "L105");
        assert!(like("X987").is_empty() && like("E987").iter().all(|c| c.code.starts_with("E9")));
        assert!(like("E019").iter().any(|c| c.code == "E010"));
    }
}
