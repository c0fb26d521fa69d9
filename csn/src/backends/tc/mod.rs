//! Filters of Linux traffic control, for `tc -batch` (tc-u32(8), tc-htb(8)).
//!
//! **What is made.** A hierarchical token bucket as the root queue of an interface, a class of it for each class of the
//! rules, with more bandwidth than any interface has, and `u32` filters that lead to them. It needs nothing of
//! the kernel but `sch_htb` and `cls_u32`. A filter compares words of the packet under masks: a range becomes the prefixes
//! that make it up.
//!
//! **First match.** Filters of one protocol are tried in the order in which they were added. There is a list for IPv4,
//! one for IPv6 and one for all frames; a rule that tests nothing of the IP header stands in each of them. The lists are
//! cut into tables of 2,000 filters, since a table numbers no more than 2,048.
//!
//! **To load and read.** Filters see what the interface sends. To classify what another one receives, lead it through an
//! `ifb` interface, and name that one as the interface:
//!
//! ```text
//! ip link add ifb0 type ifb; ip link set ifb0 up
//! tc qdisc add dev eth0 handle ffff: ingress
//! tc filter add dev eth0 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0
//! tc -batch FILE
//! tc -s class show dev ifb0
//! ```
//!
//! **What is lost.** The interface, VLAN tags (the kernel holds them beside the packet), what is behind an MPLS label, classes
//! beyond 65,534, and rules that would need more than [`MOST_FILTERS`] filters or do not fit into 2,047 tables.
//!
//! **What is outside.** Frames with VLAN tags; for rules that test IP, what is behind MPLS labels or IPv6 extension
//! headers, and headers that are cut short or wrong.

mod keys;

use super::cubes::expansion;
use super::{Backend, Emitted, Loss, Options, Outside};
use crate::backends::alternatives::{Alternative, alternatives};
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::packet::{BEHIND_EXTENSIONS, MPLS_TYPES};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::Value;
use keys::{Layer, filters};
use std::fmt::Write;

/// The most filters that one direction of a rule may need in a list.
pub const MOST_FILTERS: usize = 4096;
/// Filters of a table.
const TABLE: usize = 2000;
/// Tables that can have a number.
const TABLES: usize = 0x7ff;
/// The last class number of a queue; the first is that of `others`.
const LAST_CLASS: u32 = 0xffff;

/// The back end `tc`.
pub struct Tc;

impl Backend for Tc {
    fn name(&self) -> &'static str {
        "tc"
    }

    fn summary(&self) -> &'static str {
        "u32 filters of Linux traffic control, an HTB class for each class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.tc")
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let all = alternatives(rules);
        let mut lists = Lists { layers: layers(&all), ..Lists::default() };
        let mut losses = Vec::new();
        let mut kept: Vec<&Alternative> = Vec::new();
        let mut used = vec![false; rules.classes.len()];
        for of_rule in all.chunk_by(|a, b| a.rule == b.rule) {
            let class = of_rule[0].class;
            match lists.add(of_rule) {
                Ok(()) => {
                    kept.extend(of_rule);
                    used[class.index()] = true;
                }
                Err(reason) => {
                    losses.push(Loss { rule: of_rule[0].rule, reason: format!("left out: {reason}") });
                }
            }
        }
        used[ClassId::OTHERS.index()] = true;
        let classes: Vec<ClassId> =
            (0..rules.classes.len() as u32).map(ClassId).filter(|c| used[c.index()]).collect();
        let entries = lists.entries();
        Emitted {
            artefact: lists.text(&options.interface, &classes),
            labels: classes.iter().map(|c| (number(*c), *c)).collect(),
            losses,
            outside: outside(&kept),
            notes: expansion(lists.rules, entries, "filters", WHY).into_iter().collect(),
            entries,
            ..Emitted::default()
        }
    }
}

const WHY: &str = "ranges become values under masks, and rules for both IP versions stand in two lists";

/// The number of a class, as `tc -s class show` prints it.
fn number(class: ClassId) -> String {
    format!("1:{:x}", class.0 + 1)
}

/// The lists that are needed: those of IP versions that no rule is about are left out.
fn layers(all: &[Alternative]) -> Vec<Layer> {
    let about = |family| all.iter().any(|a| a.for_link().is_none() && a.for_ip(family).is_some());
    Layer::ALL.into_iter().filter(|l| l.family().is_none_or(about)).collect()
}

/// The filters of each layer in order: matches, and the class.
#[derive(Default)]
struct Lists {
    layers: Vec<Layer>,
    of: [Vec<(String, ClassId)>; 3],
    rules: usize,
}

impl Lists {
    /// Adds the directions of a rule, or nothing.
    fn add(&mut self, directions: &[Alternative]) -> Result<(), String> {
        let class = directions[0].class;
        if class.0 + 1 > LAST_CLASS {
            return Err("class numbers have 16 bits".into());
        }
        let mut made: [Vec<String>; 3] = Default::default();
        for a in directions {
            for layer in &self.layers {
                made[*layer as usize].extend(filters(a, *layer)?);
            }
        }
        let tables =
            |(old, new): (&Vec<(String, ClassId)>, &Vec<String>)| (old.len() + new.len()).div_ceil(TABLE);
        if self.of.iter().zip(&made).map(tables).sum::<usize>() > TABLES {
            return Err(format!("{TABLES} tables of {TABLE} filters are full"));
        }
        for (list, made) in self.of.iter_mut().zip(made) {
            list.extend(made.into_iter().map(|m| (m, class)));
        }
        self.rules += 1;
        Ok(())
    }

    fn entries(&self) -> usize {
        self.of.iter().map(Vec::len).sum::<usize>().max(1)
    }

    fn text(&self, interface: &str, classes: &[ClassId]) -> String {
        let mut out = format!("qdisc add dev {interface} root handle 1: htb default 1\n");
        for class in classes {
            let number = number(*class);
            let _ = writeln!(
                out,
                "class add dev {interface} parent 1: classid {number} htb rate 100gbit quantum 60000"
            );
        }
        let mut table = 0;
        for ((layer, list), priority) in Layer::ALL.into_iter().zip(&self.of).zip(1..) {
            let protocol = layer.protocol();
            let add = format!("filter add dev {interface} parent 1: protocol {protocol} prio {priority}");
            for some in list.chunks(TABLE) {
                table += 1;
                let _ = writeln!(out, "{add} handle {table:x}: u32 divisor 1");
                let _ = writeln!(out, "{add} u32 match u32 0 0 at -4 link {table:x}:{}", layer.offset());
                for (matches, class) in some {
                    let _ = writeln!(out, "{add} u32 ht {table:x}:{matches} flowid {}", number(*class));
                }
            }
        }
        out
    }
}

/// The frames that the filters see otherwise than these rules mean.
fn outside(all: &[&Alternative]) -> Vec<Outside> {
    let any = |f: &dyn Fn(&Alternative) -> bool| all.iter().any(|a| f(a));
    let network = |a: &Alternative| a.for_link().is_none();
    let labelled = |a: &Alternative| {
        let possible =
            |t: &u16| a.test(Field::EtherType).is_none_or(|s| s.contains(Value::number((*t).into())));
        network(a) && MPLS_TYPES.iter().any(possible)
    };
    let extension =
        |a: &Alternative| a.for_ip(6).is_some() && BEHIND_EXTENSIONS.iter().any(|f| a.test(*f).is_some());
    let read = |a: &Alternative| network(a) || a.test(Field::Mpls).is_some();
    let why = "filters do not look behind them";
    [
        (any(&|_| true), FrameKind::Tagged, "the kernel holds the tag beside the packet"),
        (any(&labelled), FrameKind::Labelled, why),
        (any(&extension), FrameKind::Extensions, why),
        (any(&read), FrameKind::Malformed, "headers are not checked for their version and length"),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

#[cfg(test)]
mod tests;
