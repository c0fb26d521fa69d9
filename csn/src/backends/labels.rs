//! Names of classes in the words of a target.

use crate::ruleset::{ClassId, RuleSet};
use std::collections::HashSet;

/// A label for every class, made of its name by `clean`, which answers names that the target takes. Where two classes
/// would have the same label, the later one gets a number.
pub(super) fn labels(rules: &RuleSet, clean: impl Fn(&str) -> String) -> Vec<(String, ClassId)> {
    let mut taken = HashSet::new();
    let classes = rules.classes.iter().enumerate();
    let label = |(i, class): (usize, &crate::ruleset::Class)| {
        let plain = clean(&class.label());
        let mut label = plain.clone();
        let mut count = 2;
        while !taken.insert(label.clone()) {
            // the place of the class first, so that many classes of one name need few tries
            label = if count == 2 { format!("{plain}_{i}") } else { format!("{plain}_{i}_{count}") };
            count += 1;
        }
        (label, ClassId(i as u32))
    };
    classes.map(label).collect()
}

/// Letters, digits and underlines of a name; an underline for each other character.
pub(super) fn word(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;
    use crate::ruleset::Class;

    #[test]
    fn labels_differ_where_names_do_not() {
        let mut rules = RuleSet::default();
        for (i, name) in ["a b", "a_b", "a_b_2", "a-b", "1"].into_iter().enumerate() {
            let name = Some(name.to_owned());
            rules.classes.push(Class { number: i as u32 + 1, name, span: Span::default() });
        }
        let made: Vec<String> = labels(&rules, word).into_iter().map(|(l, _)| l).collect();
        assert_eq!(made, ["others", "a_b", "a_b_2", "a_b_2_3", "a_b_4", "1"]);
    }
}
