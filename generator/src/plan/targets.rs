//! From what a component aims at to the aims of its flows.

use super::aim::{Aim, Context, Wish};
use super::error::PlanError;
use super::space::Conjunction;
use csn::mix::{Component, Miss, Target};
use csn::{Field, Rule, RuleSet, ValueSet};

/// The rule set as the planner reads it.
pub struct Rules<'a> {
    /// The rules themselves.
    pub set: &'a RuleSet,
    /// Per rule what it matches, in one direction or in both.
    pub conjunctions: Vec<Vec<Conjunction>>,
}

/// An aim, and what it is called in messages.
pub struct Goal {
    /// The packets.
    pub aim: Aim,
    /// The rule that must be the first to match; none for `others`.
    pub rule: Option<usize>,
    /// Whether packets of the reply direction are sent too.
    pub both: bool,
}

impl<'a> Rules<'a> {
    /// Reads a rule set.
    pub fn new(set: &'a RuleSet) -> Self {
        Self { set, conjunctions: set.rules.iter().map(Conjunction::all_of).collect() }
    }

    /// Whether any rule looks at the length.
    pub fn test_length(&self) -> bool {
        self.set.rules.iter().any(|r| r.test(Field::Length).is_some())
    }

    /// What the goals of a component are; its flows go round them.
    pub fn goals(
        &self,
        component: &Component,
        context: &Context,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Goal>, PlanError> {
        match component.target {
            Target::Rule(rule) => Ok(vec![self.rule(rule, component, context)?]),
            Target::Class(class) => {
                let rules = self.set.rules.iter().enumerate().filter(|(_, r)| r.class == class);
                let goals: Vec<Goal> =
                    rules.map(|(i, _)| self.rule(i, component, context)).collect::<Result<_, _>>()?;
                if goals.is_empty() {
                    let message = format!("no packets for class {}", self.set.label(class));
                    return Err(PlanError::new(
                        component.span,
                        message,
                        "the class has no rules",
                        "give it a rule, or no load",
                    ));
                }
                Ok(goals)
            }
            Target::Others(Miss::Far) => Ok(vec![self.far(component, context, notes)?]),
            Target::Others(Miss::Near) => Ok(vec![self.near(component, context)?]),
        }
    }

    fn rule(&self, i: usize, component: &Component, context: &Context) -> Result<Goal, PlanError> {
        let Some(rule) = self.set.rules.get(i) else {
            return Err(PlanError::new(
                component.span,
                format!("no packets for rule {}", i + 1),
                format!("there are {} rules", self.set.rules.len()),
                "name one of these",
            ));
        };
        let wishes = required(&Conjunction::of(rule));
        // a reply must end where its flow does
        let avoid = self.earlier(i, rule.both);
        let aim = Aim::new(wishes, avoid, context);
        if rule.test(Field::Interface).is_some() {
            let reason = "it tests the interface, which the receiving machine gives to a packet";
            return Err(self.impossible(
                i,
                reason.into(),
                "remove the load of this rule, or the test".into(),
            ));
        }
        if !aim.is_conceivable() {
            let reason = format!("no frame has all that it tests ({rule})");
            let cure = "mend the rule: ports want a protocol with ports, a flow label IPv6, …";
            return Err(self.impossible(i, reason, cure.into()));
        }
        Ok(Goal { aim, rule: Some(i), both: rule.both })
    }

    /// What the rules before `i` match; what they match of a reply as well where `both`.
    fn earlier(&self, i: usize, both: bool) -> Vec<Conjunction> {
        let mut out: Vec<Conjunction> = self.conjunctions[..i].iter().flatten().cloned().collect();
        if both {
            out.extend(
                self.set.rules[..i].iter().filter(|r| !r.both).map(|r| Conjunction::of(&r.reversed())),
            );
        }
        out
    }

    fn impossible(&self, i: usize, reason: String, cure: String) -> PlanError {
        PlanError {
            span: self.set.rules[i].span,
            rule: Some(i + 1),
            message: format!("no packets can be made for rule {}", i + 1),
            reason,
            cure,
        }
    }

    /// The error of a goal that has no packets.
    pub fn unreachable(&self, goal: &mut Goal, component: &Component, context: &Context) -> PlanError {
        let Some(i) = goal.rule else {
            return PlanError::new(
                component.span,
                "no packets can be made for `others`",
                "the rules match every packet that the load allows",
                "leave `others` out, widen what its open fields are drawn from, or narrow a rule",
            );
        };
        let list: Vec<Conjunction> = self.conjunctions[..i].iter().flatten().cloned().collect();
        let owners: Vec<usize> = self.conjunctions[..i]
            .iter()
            .enumerate()
            .flat_map(|(n, c)| std::iter::repeat_n(n, c.len()))
            .collect();
        match goal.aim.covered_by(&list, context) {
            Some(place) => {
                let by = owners[place] + 1;
                let reason = format!("rule {by} comes before it and matches all of its packets");
                self.impossible(i, reason, format!("put it before rule {by}, narrow rule {by}, or remove it"))
            }
            None => self.impossible(
                i,
                "the rules before it together match every packet of it that the load allows".into(),
                "put it before them, or widen what its open fields are drawn from".into(),
            ),
        }
    }

    /// Packets that differ from all rules in every field that any rule tests.
    fn far(
        &self,
        component: &Component,
        context: &Context,
        notes: &mut Vec<String>,
    ) -> Result<Goal, PlanError> {
        let everything: Vec<Conjunction> = self.conjunctions.iter().flatten().cloned().collect();
        let mut wishes = Vec::new();
        for field in Field::ALL {
            let tests: Vec<&ValueSet> = everything.iter().filter_map(|c| c.test(field)).collect();
            if tests.is_empty() || field == Field::Interface {
                continue;
            }
            let tested = tests.iter().fold(ValueSet::empty(), |all, s| all.union(s));
            wishes.push(Wish { field, set: field.domain().subtract(&tested), required: false });
        }
        let aim = Aim::new(wishes.clone(), everything.clone(), context);
        if aim.is_conceivable() {
            return Ok(Goal { aim, rule: None, both: false });
        }
        // rules accept every value of these in every frame: they cannot differ
        wishes.retain(|w| !w.set.is_empty());
        let note = "some field cannot differ from all rules: packets of `others` are only as far as can be";
        notes.push(note.into());
        let aim = Aim::new(wishes, everything.clone(), context);
        if aim.is_conceivable() {
            return Ok(Goal { aim, rule: None, both: false });
        }
        let aim = Aim::new(Vec::new(), everything, context);
        let mut goal = Goal { aim, rule: None, both: false };
        if goal.aim.is_conceivable() {
            Ok(goal)
        } else {
            Err(self.unreachable(&mut goal, component, context))
        }
    }

    /// Packets that satisfy the last rule but for its last field, or the last rule and field for which there are such.
    fn near(&self, component: &Component, context: &Context) -> Result<Goal, PlanError> {
        let everything: Vec<Conjunction> = self.conjunctions.iter().flatten().cloned().collect();
        let mut rng = super::scout();
        for rule in self.set.rules.iter().rev() {
            for (missed, _) in rule.tests.iter().rev() {
                let mut aim = Aim::new(miss(rule, *missed), everything.clone(), context);
                if aim.draw(context, &mut rng).is_some() {
                    return Ok(Goal { aim, rule: None, both: false });
                }
            }
        }
        let mut goal = Goal { aim: Aim::new(Vec::new(), everything, context), rule: None, both: false };
        if self.set.rules.is_empty() {
            Ok(goal)
        } else {
            Err(self.unreachable(&mut goal, component, context))
        }
    }
}

fn required(c: &Conjunction) -> Vec<Wish> {
    c.0.iter().map(|(field, set)| Wish { field: *field, set: set.clone(), required: true }).collect()
}

/// All tests of a rule, the one of `missed` turned round.
fn miss(rule: &Rule, missed: Field) -> Vec<Wish> {
    let mut c = Conjunction::default();
    for (field, set) in &rule.tests {
        if *field == missed { c.and(*field, &field.domain().subtract(set)) } else { c.and(*field, set) }
    }
    required(&c)
}
