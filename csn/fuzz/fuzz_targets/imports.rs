//! Any text goes through the imports; what they take over can be written as the notation and read back as the same rules.
//!
//! `CSN_IMPORT` names the one import that is tried; without it, the first octet chooses.
#![no_main]

use csn::imports::{IMPORTS, Import, by_name};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CHOSEN: LazyLock<Option<&'static dyn Import>> =
    LazyLock::new(|| std::env::var("CSN_IMPORT").ok().map(|n| by_name(&n).expect("there is such an import")));

fuzz_target!(|data: &[u8]| {
    let (import, text) = match (*CHOSEN, data) {
        (Some(import), text) => (import, text),
        (None, [first, text @ ..]) => (IMPORTS[usize::from(*first) % IMPORTS.len()], text),
        (None, []) => return,
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let read = import.parse(text);
    for d in &read.diagnostics {
        let _ = &text[d.span.start as usize..d.span.end as usize];
    }
    for rule in &read.rules.rules {
        assert!(rule.class.index() < read.rules.classes.len(), "the class exists");
        assert!(rule.tests.is_sorted_by(|a, b| a.0 < b.0), "each field once, in order");
    }
    let written = csn::print(&read.rules, "");
    let again = csn::compile("import.csn", &written, &mut csn::NoLoader);
    let syntax = again.diagnostics.iter().find(|d| d.code.starts_with("E0") || d.code.starts_with("E1"));
    assert!(syntax.is_none(), "{syntax:?}\n{written}");
});
