//! Any text goes through the rule file parser; what it accepts is printed and read back as the same program.
#![no_main]

use csn::rtfm::Program;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(program) = Program::parse(text) {
        assert_eq!(Program::parse(&program.to_string()).as_ref(), Ok(&program));
    }
});
