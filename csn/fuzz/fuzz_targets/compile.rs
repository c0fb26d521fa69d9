//! Any text goes the whole way: from the notation through every check to every back end in every form.
#![no_main]

use csn::backends::{BACKENDS, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let rules = csn::compile("fuzz.csn", text, &mut csn::NoLoader).scenario.rules;
    for backend in BACKENDS {
        for form in [None].into_iter().chain(backend.forms().iter().copied().map(Some)) {
            let made = backend.emit(&rules, &Options { form, ..Options::default() });
            assert!(made.losses.iter().all(|l| l.rule < rules.rules.len()), "{}", backend.name());
            assert!(made.losses.is_sorted_by_key(|l| l.rule), "{}", backend.name());
            assert!(made.labels.iter().all(|(_, c)| c.index() < rules.classes.len()), "{}", backend.name());
        }
    }
});
