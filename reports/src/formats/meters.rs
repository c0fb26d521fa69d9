//! What is to be known of each meter of a run: where it works, where its counts come from, what is known to differ.

use crate::summary::Summary;

/// A line for each meter.
pub(super) fn lines(s: &Summary) -> Vec<String> {
    s.run
        .meters
        .iter()
        .filter(|m| !m.classes.is_empty())
        .map(|m| {
            let place = if m.place == "kernel" { "in the kernel" } else { "a process" };
            let mut out = format!("`{}`: {place}; classes by {}", m.meter, m.classes);
            // what was recorded is the same for all trials of a meter, but for what stands elsewhere
            let trial = s.trials.iter().find(|t| t.meter == m.meter && !t.facts.is_empty());
            for (name, value) in trial.iter().flat_map(|t| &t.facts) {
                out.push_str(&format!("; {name}: {value}"));
            }
            if !m.deviations.is_empty() {
                out.push_str(&format!(". Known: {}", m.deviations.join("; ").replace('`', "'")));
            }
            out
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::record::{Meter, Run, Trial};
    use crate::store::Stored;
    use crate::summary::Summary;

    #[test]
    fn a_meter_says_what_it_is_and_how_it_differs() {
        let meter = |name: &str, place: &str, classes: &str| Meter {
            meter: name.into(),
            place: place.into(),
            classes: classes.into(),
            deviations: vec!["one thing".into(), "another".into()],
        };
        let run =
            Run { meters: vec![meter("a", "kernel", "its own counts"), Meter::default()], ..Run::default() };
        let facts = [("socket buffer".to_owned(), "8 bytes".to_owned())].into();
        let trial = Trial { meter: "a".into(), facts, ..Trial::default() };
        let s = Summary::of(&Stored { run, trials: vec![trial], ..Stored::default() });
        let lines = super::lines(&s);
        assert_eq!(
            lines,
            [
                "`a`: in the kernel; classes by its own counts; socket buffer: 8 bytes. Known: one thing; another"
            ]
        );
    }
}
