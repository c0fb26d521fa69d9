//! Rule sets that people already have, as rules of the notation.
//!
//! An import never widens, narrows or drops a rule in silence: what it cannot take over is named, line by line. To add
//! one, write a file with an `impl Import` and put its line into [`IMPORTS`].

mod builder;
mod cisco;
mod classbench;
pub(crate) mod flow_keys;
mod iptables;
mod nftables;
mod paths;
mod rtfm;
mod srl;
mod tcpdump;

use builder::Builder;
pub use cisco::Cisco;
pub use classbench::ClassBench;
pub use flow_keys::FlowKeys;
pub use iptables::Iptables;
pub use nftables::Nftables;
pub use rtfm::Rtfm;
pub use srl::Srl;
pub use tcpdump::Tcpdump;

use crate::diagnostic::Diagnostic;
use crate::ruleset::RuleSet;

/// A format that rule sets are read from.
pub trait Import: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What it reads, in one line.
    fn summary(&self) -> &'static str;

    /// A short text of the format, all of which can be taken over.
    fn example(&self) -> &'static str;

    /// The form of the back end of the same name that it reads, where that is not the usual one.
    fn form(&self) -> Option<&'static str> {
        None
    }

    /// Reads a text. Every rule whose meaning the notation can say is taken over; the rest are errors, with their
    /// place in the text as file 0. Warnings tell what is left aside and changes no class.
    fn parse(&self, text: &str) -> Imported;
}

/// What came out of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// The rules in the order in which they are tried.
    pub rules: RuleSet,
    /// What was not taken over, by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Every import.
pub static IMPORTS: &[&dyn Import] =
    &[&ClassBench, &FlowKeys, &Cisco, &Nftables, &Iptables, &Rtfm, &Srl, &Tcpdump];

/// The import of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Import> {
    IMPORTS.iter().copied().find(|i| i.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::{self, Options};
    use std::collections::HashSet;

    #[test]
    fn every_import_is_documented_and_reads_its_example() {
        let mut names = HashSet::new();
        for i in IMPORTS {
            assert!(names.insert(i.name()), "{} stands twice", i.name());
            assert!(!i.summary().is_empty() && !i.summary().ends_with('.'), "{}", i.name());
            assert_eq!(by_name(i.name()).map(|i| i.summary()), Some(i.summary()));
            let read = i.parse(i.example());
            assert!(read.diagnostics.is_empty(), "{}: {:?}", i.name(), read.diagnostics);
            assert!(!read.rules.rules.is_empty(), "{}", i.name());
        }
    }

    #[test]
    fn every_import_copes_with_nothing_and_with_nonsense() {
        for i in IMPORTS {
            assert!(i.parse("").rules.rules.is_empty(), "{}", i.name());
            let read = i.parse("\u{0}\u{fffd} {{[[<<\"'\n@@@ : : /\r\n");
            assert!(!read.diagnostics.is_empty(), "{}", i.name());
        }
    }

    #[test]
    fn what_is_read_can_be_written_as_the_notation() {
        for i in IMPORTS {
            let rules = i.parse(i.example()).rules;
            let text = crate::print(&rules, "");
            let read = crate::compile("example.csn", &text, &mut crate::NoLoader);
            assert!(!read.has_errors(), "{}: {:?}\n{text}", i.name(), read.diagnostics);
            assert_eq!(read.scenario.rules.without_places(), rules.without_places(), "{}", i.name());
        }
    }

    #[test]
    fn what_is_exported_again_reads_as_the_same_rules() {
        for i in IMPORTS {
            let Some(backend) = backends::by_name(i.name()) else { continue };
            let rules = i.parse(i.example()).rules;
            let form = i.form().and_then(|n| backend.forms().iter().copied().find(|f| f.name == n));
            let made = backend.emit(&rules, &Options { form, ..Options::default() });
            assert_eq!(made.losses, [], "{}", i.name());
            let again = i.parse(&made.artefact);
            assert_eq!(again.diagnostics, [], "{}", i.name());
            assert_eq!(
                again.rules.without_places(),
                rules.without_places(),
                "{}\n{}",
                i.name(),
                made.artefact
            );
        }
    }
}
