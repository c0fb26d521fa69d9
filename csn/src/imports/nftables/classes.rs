//! Which class a rule of a packet filter is of.

use super::super::Builder;
use crate::diagnostic::Span;
use crate::ruleset::ClassId;
use std::collections::{HashMap, HashSet};

/// The classes of a text, by what the rules of a class have in common there.
///
/// Rules with the same counter, or with the same chain that only counts, are of one class; then rules with the same
/// comment; any other rule is a class of its own, without a name. Labels that our back ends give are read as what they
/// stand for: `c_NAME`, and `class_NUMBER` for a class without a name.
#[derive(Default)]
pub(in crate::imports) struct Classes {
    known: HashMap<Common, ClassId>,
    names: HashSet<String>,
    count: u32,
}

/// What the rules of a class have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::imports) enum Common {
    /// A counter or chain of that label, with the name that stands beside it.
    Label(String, Option<String>),
    /// A comment.
    Comment(String),
    /// Nothing.
    Rule,
}

impl Classes {
    /// The class, opened where it is new.
    pub(in crate::imports) fn class(&mut self, common: &Common, span: Span, out: &mut Builder) -> ClassId {
        if let Some(known) = self.known.get(common) {
            return *known;
        }
        self.count += 1;
        let name = match common {
            Common::Rule => None,
            Common::Comment(name) | Common::Label(_, Some(name)) => Some(name.clone()),
            Common::Label(label, None) if *label == format!("class_{}", self.count) => None,
            Common::Label(label, None) => {
                let inner = label.strip_prefix("c_").filter(|n| !n.is_empty() && !self.names.contains(*n));
                Some(inner.unwrap_or(label).to_owned())
            }
        };
        let id = match self.fresh(name) {
            Some(name) => out.class(&name, span),
            None => out.unnamed(span),
        };
        if *common != Common::Rule {
            self.known.insert(common.clone(), id);
        }
        id
    }

    /// The name, changed where another class has it already; results tell classes apart by it.
    fn fresh(&mut self, name: Option<String>) -> Option<String> {
        let name = name?;
        let taken = |n: &str| self.names.contains(n) || n == "others";
        let mut fresh = name.clone();
        let mut more = 2;
        while taken(&fresh) {
            fresh = format!("{name}_{more}");
            more += 1;
        }
        self.names.insert(fresh.clone());
        Some(fresh)
    }
}
