//! From what a component aims at to the aims of its flows.

use super::aim::{Aim, Context, Outside, Wish};
use super::error::PlanError;
use super::space::Conjunction;
use csn::geometry::{Geometry, Reach, Region};
use csn::mix::{Component, Miss, Target};
use csn::{Classifier, Field, RuleSet, ValueSet};

/// The rule set as the planner reads it.
pub struct Rules<'a> {
    /// The rules themselves.
    pub set: &'a RuleSet,
    /// The same, to classify frames with.
    pub classifier: Classifier,
    geometry: Geometry<'a>,
    /// The geometry of the same rules, each for both directions; where a rule is for both.
    mirrored: Option<Geometry<'a>>,
    /// The places of the rules of every class.
    by_class: Vec<Vec<usize>>,
}

/// The rules, each for both directions, where any is; else none. What lies outside of these does so on its way back too.
pub fn mirrored(set: &RuleSet) -> RuleSet {
    let mut out = RuleSet::default();
    if set.rules.iter().any(|r| r.both) {
        out = set.clone();
        out.rules.iter_mut().for_each(|r| r.both = true);
    }
    out
}

/// An aim, and what it is called in messages.
pub struct Goal<'r> {
    /// The packets.
    pub aim: Aim<'r>,
    /// The rule that must be the first to match; none for `others`.
    pub rule: Option<usize>,
    /// Whether packets of the reply direction are sent too.
    pub both: bool,
}

impl<'a> Rules<'a> {
    /// Reads a rule set, and what [`mirrored`] makes of it.
    pub fn new(set: &'a RuleSet, mirrored: &'a RuleSet) -> Self {
        let mut by_class = vec![Vec::new(); set.classes.len()];
        for (i, rule) in set.rules.iter().enumerate() {
            if let Some(places) = by_class.get_mut(rule.class.index()) {
                places.push(i);
            }
        }
        Self {
            set,
            classifier: Classifier::new(set),
            geometry: Geometry::new(set),
            mirrored: (!mirrored.rules.is_empty()).then(|| Geometry::new(mirrored)),
            by_class,
        }
    }

    /// The places of the rules of a class.
    pub fn of_class(&self, class: csn::ClassId) -> &[usize] {
        self.by_class.get(class.index()).map_or(&[], Vec::as_slice)
    }

    /// Whether any rule looks at the length.
    pub fn test_length(&self) -> bool {
        self.set.rules.iter().any(|r| r.test(Field::Length).is_some())
    }

    /// What the goals of a component are; its flows go round them.
    pub fn goals(&self, component: &Component, context: &Context) -> Result<Vec<Goal<'_>>, PlanError> {
        match component.target {
            Target::Rule(rule) => Ok(vec![self.rule(rule, component, context)?]),
            Target::Class(class) => {
                let rules = self.of_class(class).iter();
                let goals: Vec<Goal> =
                    rules.map(|i| self.rule(*i, component, context)).collect::<Result<_, _>>()?;
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
            Target::Others(miss) => Ok(vec![self.others(miss, component, context)?]),
        }
    }

    fn rule(&self, i: usize, component: &Component, context: &Context) -> Result<Goal<'_>, PlanError> {
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
        let geometry = self.mirrored.as_ref().filter(|_| rule.both).unwrap_or(&self.geometry);
        let aim = Aim::new(vec![wishes], Some(Outside { geometry, rules: i }));
        if rule.test(Field::Interface).is_some() {
            let reason = "it tests the interface, which the receiving machine gives to a packet";
            return Err(self.impossible(
                i,
                reason.into(),
                "remove the load of this rule, or the test".into(),
            ));
        }
        if !aim.is_conceivable(context) {
            let reason = format!("no frame has all that it tests ({rule})");
            let cure = "mend the rule: ports want a protocol with ports, a flow label IPv6, …";
            return Err(self.impossible(i, reason, cure.into()));
        }
        Ok(Goal { aim, rule: Some(i), both: rule.both })
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
    pub fn unreachable(&self, goal: &Goal, component: &Component) -> PlanError {
        let Some(i) = goal.rule else {
            return PlanError::new(
                component.span,
                "no packets can be made for `others`",
                "the rules match every packet that the load allows",
                "leave `others` out, widen what its open fields are drawn from, or narrow a rule",
            );
        };
        let (reason, cure) = match self.geometry.reach(i) {
            Reach::Covered(by) => {
                let by = listed(&by);
                let before = if by.contains(' ') { "them" } else { "it" };
                let rules = if before == "it" { "rule" } else { "rules" };
                (
                    format!("{rules} {by} before it match all of its packets"),
                    format!("put it before {before}, make {before} narrower, or remove it"),
                )
            }
            Reach::Empty => ("no packet satisfies its tests".into(), "mend or remove it".into()),
            Reach::Reachable(_) if goal.both => (
                "earlier rules match its packets, or their replies, wherever the load allows any".into(),
                "put it before them, or widen what its open fields are drawn from".into(),
            ),
            Reach::Reachable(_) => (
                "earlier rules match all of its packets that the load allows".into(),
                "put it before them, or widen what its open fields are drawn from".into(),
            ),
            Reach::Unknown => (
                "no packet outside the earlier rules was found in a long search".into(),
                "put it before them, or give its open fields values that they do not match".into(),
            ),
        };
        self.impossible(i, reason, cure)
    }

    /// Packets that no rule matches.
    fn others(&self, miss: Miss, component: &Component, context: &Context) -> Result<Goal<'_>, PlanError> {
        let regions = self.geometry.others_regions(miss, REGIONS);
        let aim = Aim::new(regions.iter().map(inside).collect(), None);
        let goal = Goal { aim, rule: None, both: false };
        if goal.aim.is_conceivable(context) { Ok(goal) } else { Err(self.unreachable(&goal, component)) }
    }
}

/// Boxes of packets of `others` that are drawn from.
const REGIONS: usize = 64;

/// What a packet must be to lie in a box.
fn inside(region: &Region) -> Vec<Wish> {
    let frames_have = |f: &Field| !matches!(f, Field::Interface | Field::Dscp);
    let wish = |field: Field| {
        let (set, required) = (region.set(field), !region.may_lack(field));
        let says_nothing = !required && field.domain() == set;
        (!says_nothing).then_some(Wish { field, set, required, stated: false })
    };
    Field::ALL.into_iter().filter(frames_have).filter_map(wish).collect()
}

/// "3", "3 and 7", "3, 7, 9 and 12 others": rules, counted from 1.
fn listed(rules: &[usize]) -> String {
    let names: Vec<String> = rules.iter().map(|r| (r + 1).to_string()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= 4 => format!("{} and {last}", first.join(", ")),
        [..] => format!("{} and {} others", names[..3].join(", "), names.len() - 3),
    }
}

/// All tests of a rule.
fn required(c: &Conjunction) -> Vec<Wish> {
    let wish = |(field, set): &(Field, ValueSet)| Wish {
        field: *field,
        set: set.clone(),
        required: true,
        stated: true,
    };
    c.0.iter().map(wish).collect()
}
