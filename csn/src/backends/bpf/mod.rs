//! Classic BPF programs that accept the packets of a rule set, or those of none of its rules.
//!
//! A program goes through the headers once, keeps the fields that rules test in scratch memory, and then compares
//! them with the rules. It sees a packet exactly as [`crate::packet::parse`] does, down to headers that are cut
//! short: a load from behind the end of the packet rejects it, so each is either preceded by a look at the length,
//! or stands where the packet can match nothing without what it loads.
//!
//! ```text
//! link header, VLAN tags ─► MPLS labels ─► IPv4 ─► its rules ─► IPv6 ─► its rules ─► rules without IP ─► return
//! ```

mod assemble;
mod chain;
mod compare;
mod link;
mod network;
mod sets;

use super::alternatives::{Alternative, alternatives};
use super::{Backend, Compiled, Emitted, Form, Loss, Options};
use crate::cbpf::{Instruction, MAX_INSTRUCTIONS, c_array, code::*};
use crate::field::Field;
use crate::packet::MPLS_TYPES;
use crate::ruleset::RuleSet;
use crate::value::Value;
use assemble::{Assembler, Label};
use chain::{Chain, Kind, TRANSPORT};
use link::Link;
use network::Exits;

/// The back end `bpf`.
pub struct Bpf;

impl Bpf {
    /// One comparison after the other, in the order of the rules.
    pub const LINEAR: Form =
        Form { name: "linear", summary: "one comparison after the other, as the rules stand" };
    /// A balanced tree of comparisons, where the rules differ in one field only.
    pub const TREE: Form = Form {
        name: "tree",
        summary: "a balanced tree of comparisons, where rules differ in one field only",
    };
}

impl Backend for Bpf {
    fn name(&self) -> &'static str {
        "bpf"
    }

    fn summary(&self) -> &'static str {
        "classic BPF program that accepts what any rule matches (C array, as of tcpdump -dd)"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.bpf")
    }

    fn forms(&self) -> &'static [Form] {
        &[Self::LINEAR, Self::TREE]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let mut losses = Vec::new();
        let all: Vec<Alternative> = alternatives(rules)
            .into_iter()
            .filter(|a| {
                let lost = !options.live && a.test(Field::Interface).is_some();
                if lost && losses.last().is_none_or(|l: &Loss| l.rule != a.rule) {
                    let reason =
                        "the frames of a capture do not tell their interface; a live filter knows it";
                    losses.push(Loss { rule: a.rule, reason: reason.into() });
                }
                !lost
            })
            .collect();
        let kept = fitting(&all, options);
        losses.extend(too_many(&all[kept..]));
        let (program, mut notes) = compile(&all[..kept], options);
        if program.iter().filter(|i| i.code & 7 == 0 && matches!(i.code & 0xe0, 0x20 | 0x40)).count() > HEAVY
        {
            notes.push(format!(
                "more than {HEAVY} loads from the packet: the kernel may want a larger net.core.optmem_max"
            ));
        }
        losses.sort_by_key(|l| l.rule);
        Emitted {
            artefact: c_array(&program),
            entries: program.len(),
            program: Compiled::Bpf(program),
            losses,
            notes,
            ..Emitted::default()
        }
    }
}

/// Loads from the packet that the kernel takes with its usual limit of memory per socket.
const HEAVY: usize = 1000;

/// How many alternatives, from the first on, fit into a program. All of a rule or nothing of it.
fn fitting(all: &[Alternative], options: &Options) -> usize {
    let fits = |n: usize| compile(&all[..n], options).0.len() <= MAX_INSTRUCTIONS;
    if fits(all.len()) {
        return all.len();
    }
    let (mut some, mut many) = (0, all.len());
    while many - some > 1 {
        let middle = (some + many) / 2;
        if fits(middle) { some = middle } else { many = middle }
    }
    while some > 0 && all[some - 1].rule == all[some].rule {
        some -= 1;
    }
    some
}

fn too_many(dropped: &[Alternative]) -> Vec<Loss> {
    let mut out: Vec<Loss> = dropped
        .iter()
        .map(|a| Loss {
            rule: a.rule,
            reason: format!(
                "left out: with this rule the program has more than {MAX_INSTRUCTIONS} instructions"
            ),
        })
        .collect();
    out.dedup();
    out
}

/// The program, however long, and what there is to say about it.
fn compile(all: &[Alternative], options: &Options) -> (Vec<Instruction>, Vec<String>) {
    let matched = Instruction::new(RET_K, options.accept);
    let missed = Instruction::new(RET_K, 0);
    let (accepted, rejected) = if options.invert { (missed, matched) } else { (matched, missed) };
    if all.iter().any(|a| a.tests.is_empty()) {
        return (vec![accepted], Vec::new());
    }
    if all.is_empty() {
        return (vec![rejected], Vec::new());
    }
    let mut compiler = Compiler::new(all, options);
    compiler.write();
    compiler.asm.place(compiler.accept);
    compiler.asm.op(accepted.code, accepted.k);
    compiler.asm.place(compiler.reject);
    compiler.asm.op(rejected.code, rejected.k);
    (compiler.asm.finish(), compiler.notes)
}

struct Compiler<'a> {
    asm: Assembler,
    accept: Label,
    reject: Label,
    options: &'a Options,
    stub: Chain,
    link: Chain,
    four: Chain,
    six: Chain,
    /// Whether packets with MPLS labels, and those without, can match anything.
    labelled: bool,
    plain: bool,
    notes: Vec<String>,
}

impl<'a> Compiler<'a> {
    fn new(all: &[Alternative], options: &'a Options) -> Self {
        let used = |f: Field| all.iter().any(|a| a.test(f).is_some());
        let slots: Vec<Field> =
            [Field::EtherType, Field::Vlan, Field::Mpls].into_iter().filter(|f| used(*f)).collect();
        let mpls = |n: u16| Value::number(u128::from(n));
        let chain = |kind| Chain::new(kind, all, &slots);
        let mut asm = Assembler::default();
        let (accept, reject) = (asm.label(), asm.label());
        Self {
            asm,
            accept,
            reject,
            options,
            stub: chain(Kind::Stub),
            link: chain(Kind::Link),
            four: chain(Kind::Four),
            six: chain(Kind::Six),
            labelled: all.iter().any(|a| {
                a.test(Field::EtherType).is_none_or(|s| MPLS_TYPES.iter().any(|n| s.contains(mpls(*n))))
            }),
            plain: all.iter().any(|a| a.test(Field::Mpls).is_none()),
            notes: Vec::new(),
        }
    }

    fn write(&mut self) {
        let (stub, without_ip) = (self.asm.label(), self.asm.label());
        let no_ip = if self.link.is_empty() { self.reject } else { without_ip };
        let may_fall = !self.options.invert;
        let may_fall_without_ip = may_fall && self.link.is_empty();
        if !(may_fall && self.stub.is_empty()) {
            self.asm.op(LD_LEN, 0);
            let short = if self.stub.is_empty() { self.reject } else { stub };
            self.asm.unless(JGE_K, 14, short);
        }
        let (four, six) = (self.asm.label(), self.asm.label());
        let mpls = self.asm.label();
        let way = |chain: &Chain, label| if chain.equals(&self.link) { no_ip } else { label };
        let (ipv4, ipv6) = (way(&self.four, four), way(&self.six, six));
        let within = ipv4 != no_ip || ipv6 != no_ip || self.link.uses(&[Field::Mpls]);
        let link = Link {
            ipv4: if self.plain { ipv4 } else { no_ip },
            ipv6: if self.plain { ipv6 } else { no_ip },
            mpls: if self.labelled && within { mpls } else { no_ip },
            no_ip,
            may_fall: may_fall_without_ip,
            live: self.options.live,
            ethertype: self.link.slot(Field::EtherType, 0),
            vlan: self.link.slot(Field::Vlan, 0),
            label: self.link.slot(Field::Mpls, 0),
            temporary: self.four.temporary,
        };
        link.header(&mut self.asm);
        if link.mpls != no_ip {
            self.asm.place(mpls);
            Link { ipv4, ipv6, ..link }.labels(&mut self.asm);
        }
        let exits = Exits { chain: four, no_ip, reject: self.reject, may_fall, may_fall_without_ip };
        self.network((four, ipv4 != no_ip), (six, ipv6 != no_ip), exits);
        if !self.link.is_empty() {
            self.asm.place(without_ip);
            self.compare(Kind::Link);
        }
        if !self.stub.is_empty() {
            self.asm.place(stub);
            self.compare(Kind::Stub);
        }
    }

    /// Both IP versions with their alternatives, which they share where no alternative tells them apart.
    fn network(&mut self, (four, with_four): (Label, bool), (six, with_six): (Label, bool), exits: Exits) {
        let common = with_four && with_six && self.four.equals(&self.six) && !self.six.uses(&IP_ONLY);
        if common {
            self.six.kind = Kind::Ip;
            let chain = self.asm.label();
            let exits = Exits { chain, ..exits };
            self.asm.place(four);
            network::ipv4(&mut self.asm, &self.six, &exits);
            self.asm.place(six);
            network::ipv6(&mut self.asm, &self.six, &exits);
            self.asm.place(chain);
            return self.compare(Kind::Ip);
        }
        if with_four {
            self.asm.place(four);
            let exits = Exits { chain: self.asm.label(), ..exits };
            network::ipv4(&mut self.asm, &self.four, &exits);
            self.asm.place(exits.chain);
            self.compare(Kind::Four);
        }
        if with_six {
            self.asm.place(six);
            let exits = Exits { chain: self.asm.label(), ..exits };
            network::ipv6(&mut self.asm, &self.six, &exits);
            self.asm.place(exits.chain);
            self.compare(Kind::Six);
        }
    }

    fn compare(&mut self, kind: Kind) {
        let chain = match kind {
            Kind::Stub => &self.stub,
            Kind::Link => &self.link,
            Kind::Four => &self.four,
            Kind::Six | Kind::Ip => &self.six,
        };
        let asm = &mut self.asm;
        // what was not known in front of the chain
        let late: Vec<Field> = match kind {
            Kind::Stub | Kind::Link => Field::ALL.to_vec(),
            Kind::Four => TRANSPORT.to_vec(),
            Kind::Six | Kind::Ip => [Field::Fragment].into_iter().chain(TRANSPORT).collect(),
        };
        compare::shared(asm, chain, compare::At::Scratch, &late, self.reject);
        let note = compare::alternatives(
            asm,
            chain,
            self.options.form == Some(Bpf::TREE),
            None,
            self.accept,
            self.reject,
        )
        .map(String::from);
        if let Some(note) = note.filter(|n| !self.notes.contains(n)) {
            self.notes.push(note);
        }
    }
}

/// Fields that the two IP versions have in different forms.
const IP_ONLY: [Field; 3] = [Field::SrcIp, Field::DstIp, Field::FlowLabel];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::example_rules;
    use crate::cbpf::Interpreter;
    use crate::sample::{Random, rule_set};
    use crate::value::ValueSet;

    fn with_ports(count: u128) -> RuleSet {
        let mut rules = example_rules();
        let like = rules.rules.pop().expect("the example has rules");
        rules.rules.clear();
        for n in 0..count {
            let mut rule = like.clone();
            rule.tests[3].1 = ValueSet::single(Value::number(2000 + 3 * n));
            rules.rules.push(rule);
        }
        rules
    }

    fn size(rules: &RuleSet, form: Form) -> usize {
        Bpf.emit(rules, &Options { form: Some(form), ..Options::default() }).entries
    }

    #[test]
    fn a_port_more_is_one_comparison_more() {
        let base = size(&with_ports(2), Bpf::LINEAR) - 2;
        assert!(base <= 136, "{base}");
        assert_eq!(size(&with_ports(100), Bpf::LINEAR), base + 100);
        // and an island every 255 instructions
        assert!(size(&with_ports(1000), Bpf::LINEAR) <= base + 1000 + 5);
        assert!(size(&with_ports(1000), Bpf::TREE) <= base + 2000 + 20);
    }

    #[test]
    fn a_tree_needs_rules_that_differ_in_one_field() {
        let emit =
            |rules: &RuleSet| Bpf.emit(rules, &Options { form: Some(Bpf::TREE), ..Options::default() });
        let mut rules = with_ports(9);
        assert_eq!(emit(&rules).notes, Vec::<String>::new());
        rules.rules[4].tests.remove(0);
        assert_eq!(emit(&rules).notes.len(), 1);
    }

    #[test]
    fn rules_that_do_not_fit_are_losses() {
        let rules = with_ports(6000);
        let made = Bpf.emit(&rules, &Options::default());
        assert!(made.entries <= MAX_INSTRUCTIONS && made.entries > MAX_INSTRUCTIONS - 10);
        let first = made.losses[0].rule;
        assert_eq!(made.losses.len(), 6000 - first);
        assert!(made.losses.iter().enumerate().all(|(i, l)| l.rule == first + i));
    }

    #[test]
    fn interfaces_are_known_to_live_filters_only() {
        let mut random = Random::new(2);
        let rules = rule_set(&mut random, 5, &[Field::Interface]);
        let emit = |live| Bpf.emit(&rules, &Options { live, ..Options::default() });
        assert!(!emit(false).losses.is_empty());
        assert!(emit(true).losses.is_empty());
        let Compiled::Bpf(program) = emit(true).program else { panic!() };
        assert!(Interpreter::new(&program).is_ok());
    }
}
