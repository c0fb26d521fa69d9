//! `csnbench help TOPIC`: pages about more than one verb. `help` and `help VERB` are the parser's own.

use std::ffi::OsString;

/// A page of help.
pub struct Topic {
    /// What it is called for by.
    pub name: &'static str,
    /// The page.
    pub text: &'static str,
}

/// Every topic. No verb has the name of one.
pub static TOPICS: &[Topic] = &[Topic { name: "csn", text: csn::REFERENCE }];

/// The page that a command line asks for, where it asks for one; `args` starts with the program.
pub fn topic(args: impl IntoIterator<Item = OsString>) -> Option<&'static str> {
    let mut args = args.into_iter().skip(1);
    let (help, name) = (args.next()?, args.next()?);
    if help != "help" || args.next().is_some() {
        return None;
    }
    TOPICS.iter().find(|t| name == t.name).map(|t| t.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(args: &[&str]) -> Option<&'static str> {
        topic(args.iter().map(|a| OsString::from(*a)))
    }

    #[test]
    fn a_topic_is_a_page_and_a_verb_is_left_to_the_parser() {
        assert_eq!(asked(&["csnbench", "help", "csn"]), Some(csn::REFERENCE));
        for other in
            [&["csnbench"][..], &["csnbench", "help"], &["csnbench", "help", "run"], &["x", "csn", "help"]]
        {
            assert_eq!(asked(other), None, "{other:?}");
        }
        assert_eq!(asked(&["csnbench", "help", "csn", "run"]), None);
    }
}
