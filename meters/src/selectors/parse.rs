//! The option `select`.

use super::Selection;
use super::stage::{Function, Stage};
use crate::builtin::options::{error, number};
use crate::meter::{MeterError, OptionDoc};
use csn::{MeterSpec, Nanos, NoLoader};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The options of selecting.
pub const OPTIONS: [OptionDoc; 2] = [
    OptionDoc {
        name: "select",
        values: "\"SELECTOR | SELECTOR …\"",
        doc: "which packets are metered (PSAMP); the others count as ignored. count(TAKEN, SKIPPED), time(OPEN, CLOSED) with \
              units, random(N, OF), uniform(P), size(OCTETS): the likelier the larger; match(FIELD = VALUES, …), \
              bob(SHARE, INITIAL, OFFSET, SIZE), ipsx(SHARE), crc(SHARE, OFFSET, SIZE); default none",
    },
    OptionDoc {
        name: "select-seed",
        values: "NUMBER",
        doc: "the seed of selectors that choose at random; default 1",
    },
];

impl Selection {
    /// Understands the option; none where everything is metered.
    ///
    /// # Errors
    /// [`MeterError::Option`] for the first selector that is wrong.
    pub fn parse(spec: &MeterSpec) -> Result<Option<Self>, MeterError> {
        let seed = number(spec, "select-seed", "", 0..=u64::MAX)?.unwrap_or(1);
        let Some(text) = spec.option("select").map(|t| t.trim().trim_matches('"')).filter(|t| *t != "none")
        else {
            return Ok(None);
        };
        let mut stages = Vec::new();
        for (i, part) in split(text).into_iter().enumerate() {
            let stage = stage(part, seed.wrapping_add(i as u64)).map_err(|reason| {
                let cure = "select = \"count(1, 9)\"; `csnbench list meters` shows all selectors";
                error(spec, "select", format!("`{part}`: {reason}"), cure)
            })?;
            stages.push((part.to_owned(), stage, 0));
        }
        Ok(Some(Self { stages, observed: 0 }))
    }
}

/// The parts between bars that stand in no parentheses or braces.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0i32;
    let parts = text.split(|c| {
        depth += i32::from("({".contains(c)) - i32::from(")}".contains(c));
        c == '|' && depth == 0
    });
    parts.map(str::trim).collect()
}

fn stage(text: &str, seed: u64) -> Result<Stage, String> {
    let inner = text.split_once('(').and_then(|(name, rest)| Some((name.trim(), rest.strip_suffix(')')?)));
    let (name, inner) = inner.ok_or("write NAME(…)")?;
    if name == "match" {
        return matching(inner);
    }
    let arguments: Vec<&str> = inner.split(',').map(str::trim).collect();
    let rng = || Box::new(Xoshiro256PlusPlus::seed_from_u64(seed));
    let whole = |i: usize, least: u32| match arguments.get(i).map(|a| a.parse::<u32>()) {
        Some(Ok(n)) if n >= least => Ok(n),
        _ => Err(format!("a number from {least} on is wanted in place {}", i + 1)),
    };
    let given = |i: usize, default: u32| if i < arguments.len() { whole(i, 0) } else { Ok(default) };
    let share = |i: usize| match arguments.get(i).map(|a| a.parse::<f64>()) {
        Some(Ok(p)) if p > 0.0 && p <= 1.0 => Ok(p),
        _ => Err(format!("a number above 0, and 1 at most, is wanted in place {}", i + 1)),
    };
    let most = match name {
        "uniform" | "size" | "ipsx" => 1,
        "count" | "time" | "random" => 2,
        "crc" => 3,
        "bob" => 4,
        _ => return Err("there is no such selector".into()),
    };
    if arguments.len() > most {
        return Err(format!("it takes {most} values at most"));
    }
    let hash = |function: Function, initial, offset, size: u32| {
        if size > 256 {
            return Err("256 octets of the payload at most".to_owned());
        }
        let offset = u16::try_from(offset).map_err(|_| "the offset is behind the end of any packet")?;
        // the values from 0 on that are the share of all
        let last = (share(0)? * (f64::from(function.most()) + 1.0)).ceil() as u64 - 1;
        Ok(Stage::Hash { function, initial, offset, size: size as u16, last: last as u32 })
    };
    match name {
        "count" => Ok(Stage::Count { take: whole(0, 1)?, skip: whole(1, 0)?, at: 0 }),
        "time" => Ok(Stage::Time { open: time(&arguments, 0)?, closed: time(&arguments, 1)?, start: None }),
        "random" => {
            let (n, of) = (whole(0, 1)?, whole(1, 1)?);
            if n > of {
                return Err(format!("{n} of {of} there are not"));
            }
            Ok(Stage::Subset { n, of, wanted: n, left: of, rng: rng() })
        }
        "uniform" => Ok(Stage::Uniform { probability: share(0)?, rng: rng() }),
        "size" => Ok(Stage::Size { octets: whole(0, 1)?, rng: rng() }),
        "bob" => hash(Function::Bob, given(1, 0)?, given(2, 0)?, given(3, 8)?),
        "crc" => hash(Function::Crc, 0, given(1, 0)?, given(2, 8)?),
        _ => hash(Function::Ipsx, 0, 0, 0),
    }
}

/// A time with its unit, a microsecond at least.
fn time(arguments: &[&str], i: usize) -> Result<Nanos, String> {
    let units = [("us", 1_000u64), ("ms", 1_000_000), ("s", 1_000_000_000)];
    let text = arguments.get(i).copied().unwrap_or_default();
    let read = units.iter().find_map(|(unit, scale)| {
        let n: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        (n > 0).then(|| n.checked_mul(*scale)).flatten()
    });
    read.map(Nanos).ok_or(format!("a time in us, ms or s is wanted in place {}", i + 1))
}

/// The rule between the parentheses of `match`, in the notation.
fn matching(text: &str) -> Result<Stage, String> {
    let source = format!("set: class = 1; addrule: {text};");
    let outcome = csn::compile("select", &source, &mut NoLoader);
    if outcome.has_errors() {
        let first = outcome.diagnostics.iter().find(|d| d.severity == csn::Severity::Error);
        return Err(first.map_or("it is no rule".into(), |d| d.message.clone()));
    }
    Ok(Stage::Match(Box::new(outcome.scenario.rules)))
}
