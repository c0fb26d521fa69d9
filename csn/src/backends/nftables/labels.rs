//! Names of classes that packet filters of Linux accept: for counters and chains.

use crate::ruleset::{ClassId, RuleSet};
use std::collections::HashSet;

/// What is in front of a class's name, so that no keyword of a target can come out.
pub(in crate::backends) const NAMED: &str = "c_";
/// What is in front of the number of a class without a name.
pub(in crate::backends) const NUMBERED: &str = "class_";

/// A label for every class, at its place in [`RuleSet::classes`]: `others`, `c_NAME` for classes with a name, where
/// other characters than letters, digits and `_` become `_`, and `class_NUMBER` for those without. No label is longer
/// than `most` octets or stands twice.
pub(in crate::backends) fn labels(rules: &RuleSet, most: usize) -> Vec<String> {
    let mut taken = HashSet::from(["others".to_owned()]);
    let label = |(i, class): (usize, &crate::ruleset::Class)| {
        if ClassId(i as u32) == ClassId::OTHERS {
            return "others".to_owned();
        }
        let wanted = match &class.name {
            Some(name) => format!("{NAMED}{}", clean(name)),
            None => format!("{NUMBERED}{}", class.number),
        };
        let base: String = wanted.chars().take(most).collect();
        let mut label = base.clone();
        while !taken.insert(label.clone()) {
            let tail = format!("_{i}");
            label = base.chars().take(most - tail.len()).collect::<String>() + &tail;
            if taken.contains(&label) {
                label = format!("c_{i}_{}", taken.len());
            }
        }
        label
    };
    rules.classes.iter().enumerate().map(label).collect()
}

/// The name with `_` for all that is no letter or digit of ASCII.
pub(in crate::backends) fn clean(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Whether a reader cannot find the name of the class in its label.
pub(in crate::backends) fn is_hidden(rules: &RuleSet, class: usize, label: &str) -> bool {
    let name = rules.classes[class].name.as_deref();
    class > 0 && name.is_some_and(|n| label.strip_prefix(NAMED) != Some(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;
    use crate::ruleset::Class;

    #[test]
    fn labels_are_safe_short_and_different() {
        let mut rules = RuleSet::default();
        let long = "x".repeat(40);
        let names = ["web", "the web", "the-web", "fwd", "others", &long, &format!("{long}y"), "12"];
        for (i, name) in names.into_iter().enumerate() {
            rules.classes.push(Class {
                number: 1 + i as u32,
                name: (name != "12").then(|| name.into()),
                span: Span::default(),
            });
        }
        let made = labels(&rules, 28);
        assert_eq!(
            made,
            [
                "others",
                "c_web",
                "c_the_web",
                "c_the_web_3",
                "c_fwd",
                "c_others",
                "c_xxxxxxxxxxxxxxxxxxxxxxxxxx",
                "c_xxxxxxxxxxxxxxxxxxxxxxxx_7",
                "class_8"
            ]
        );
        let hidden: Vec<_> = (0..made.len()).filter(|i| is_hidden(&rules, *i, &made[*i])).collect();
        assert_eq!(hidden, [2, 3, 6, 7]);
    }
}
