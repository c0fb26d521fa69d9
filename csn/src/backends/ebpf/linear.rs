//! Rules one after the other, in their order.

use super::chain::{Form, Kind, Rule, comparisons, form};
use super::writer::Writer;
use crate::ebpf::Label;
use crate::field::Field;
use crate::ruleset::ClassId;
use crate::value::ValueSet;
use std::collections::HashMap;

/// The other tests of a rule whose first one held.
struct Rest<'a> {
    from: Label,
    tests: Vec<&'a (Field, ValueSet)>,
    class: ClassId,
    next: Label,
    held: Option<Field>,
}

impl Writer {
    /// Compares with one rule after the other; a packet that matches none is of no class.
    ///
    /// What stands in a line are the first tests, and they are made so that the verifier, which goes straight on first,
    /// goes to the end of the line first: it keeps no more than one open way for each rule then.
    pub(super) fn linear(&mut self, kind: Kind, rules: &[Rule]) {
        let first = order(kind, rules);
        let shared = if rules.len() > 1 { shared(rules) } else { Vec::new() };
        for (field, set) in &shared {
            let (yes, no) = (self.asm.label(), self.class(ClassId::OTHERS));
            self.test(kind, (*field, set), None, yes, no);
            self.asm.place(yes);
        }
        let is_shared = |field: Field| shared.iter().any(|(f, _)| *f == field);
        let mut in_line: usize = shared.iter().map(|t| ways(kind, t)).sum();
        let mut longest = 0;
        let mut rests: Vec<Rest> = Vec::new();
        let mut held = None;
        // about how many instructions the other tests are
        let mut waiting = 0;
        let mut open = true;
        for rule in rules {
            let mut tests: Vec<&(Field, ValueSet)> = rule.tests.iter().filter(|t| !is_shared(t.0)).collect();
            tests.sort_by_key(|(f, s)| (comparisons(*f, s) > 2, s.as_single().is_none(), first[f]));
            let Some((head, others)) = tests.split_first() else {
                let class = self.class(rule.class);
                self.asm.jump(class);
                open = false;
                break;
            };
            in_line += ways(kind, head);
            longest = longest.max(others.iter().map(|t| ways(kind, t)).sum());
            let next = self.asm.label();
            let yes = match others {
                [] => self.class(rule.class),
                _ => self.asm.label(),
            };
            held = self.test(kind, (head.0, &head.1), held, yes, next);
            self.asm.place(next);
            if !others.is_empty() {
                waiting += 4 * others.len();
                rests.push(Rest { from: yes, tests: others.to_vec(), class: rule.class, next, held });
            }
            if self.is_far(waiting) {
                waiting = 0;
                let on = self.asm.label();
                self.asm.jump(on);
                self.rests(kind, &mut rests);
                self.write_classes();
                self.asm.place(on);
            }
        }
        if open {
            let others = self.class(ClassId::OTHERS);
            self.asm.jump(others);
        }
        self.rests(kind, &mut rests);
        self.in_line = self.in_line.max(in_line + longest);
    }

    fn rests(&mut self, kind: Kind, rests: &mut Vec<Rest>) {
        for rest in rests.drain(..) {
            self.asm.place(rest.from);
            let missed = self.asm.label();
            let mut held = None;
            for (i, test) in rest.tests.iter().enumerate() {
                let last = i + 1 == rest.tests.len();
                let yes = if last { self.class(rest.class) } else { self.asm.label() };
                held = self.test(kind, (test.0, &test.1), held, yes, missed);
                if !last {
                    self.asm.place(yes);
                }
            }
            self.asm.place(missed);
            if let Some(field) = rest.held {
                self.reload(field);
            }
            self.asm.jump(rest.next);
        }
    }
}

/// How many ways a test leaves open for the verifier.
fn ways(kind: Kind, (field, set): &(Field, ValueSet)) -> usize {
    let each = if form(kind, *field) == Form::Wide { 5 } else { 1 };
    each * comparisons(*field, set)
}

/// The tests that all rules make.
fn shared(rules: &[Rule]) -> Vec<(Field, ValueSet)> {
    let Some((first, others)) = rules.split_first() else { return Vec::new() };
    first.tests.iter().filter(|t| others.iter().all(|r| r.tests.contains(t))).cloned().collect()
}

/// How early each field is tested: the more values rules tell apart by it, the earlier, and what takes one
/// comparison before what takes several.
fn order(kind: Kind, rules: &[Rule]) -> HashMap<Field, usize> {
    let mut singles: HashMap<Field, HashMap<u128, usize>> = HashMap::new();
    for (field, set) in rules.iter().flat_map(|r| &r.tests) {
        let values = singles.entry(*field).or_default();
        if let Some(value) = set.as_single() {
            *values.entry(value.bits).or_default() += 1;
        }
    }
    let mut fields: Vec<(Field, usize)> = singles.iter().map(|(f, v)| (*f, v.len())).collect();
    fields.sort_by_key(|(f, values)| (form(kind, *f) == Form::Wide, std::cmp::Reverse(*values), *f));
    fields.into_iter().enumerate().map(|(i, (f, _))| (f, i)).collect()
}
