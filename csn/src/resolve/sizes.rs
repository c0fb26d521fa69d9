//! Mixes of sizes: those with a name, genomes, and sizes with weights.

use super::context::Context;
use crate::ast::{Expr, ExprKind, Item, Number};
use crate::codes;
use crate::diagnostic::Span;
use crate::mix::Size;
use crate::models::{IMIXES, genome_size};
use crate::units::Layer;

/// Letters of a genome; the order in which they repeat stays readable.
const MAX_GENOME: usize = 10_000;

impl Context<'_> {
    /// `imix(tcp)`: a mix by its name; `imix("aaafg")`: one by its genome.
    pub(super) fn imix(&mut self, items: &[Item], e: &Expr) -> Option<Size> {
        const WANTED: &str = "the name of a mix, or a genome in quotes";
        let [Item::Bare(which)] = items else {
            self.wrong_kind(e, "`imix(NAME)` or `imix(\"aaafg\")`", &[]);
            return None;
        };
        match &self.follow(which).kind {
            ExprKind::Text(_) => self.genome(which),
            ExprKind::Word(w) => match IMIXES.iter().find(|m| m.name == w) {
                Some(mix) => Some(Size::Mix(mix.name.to_owned())),
                None => {
                    self.wrong_kind(which, WANTED, &IMIXES.iter().map(|m| m.name).collect::<Vec<_>>());
                    None
                }
            },
            _ => {
                self.wrong_kind(which, WANTED, &[]);
                None
            }
        }
    }

    fn genome(&mut self, e: &Expr) -> Option<Size> {
        let letters = self.text(e, "a genome")?;
        if letters.is_empty() || letters.len() > MAX_GENOME {
            self.add(
                &codes::EMPTY,
                e.span,
                if letters.is_empty() { "this genome is empty" } else { "this genome is too long" },
                format!("it has from 1 to {MAX_GENOME} letters, which are repeated"),
                "write for example `imix(\"aaafg\")`",
            );
            return None;
        }
        if let Some(letter) = letters.chars().find(|c| genome_size(*c).is_none()) {
            self.add(
                &codes::UNKNOWN_NAME,
                e.span,
                format!("`{letter}` is no letter of a genome"),
                "RFC 6985 gives sizes to a to j, and to z",
                "use these letters, or `empirical(…)` for other sizes",
            );
            return None;
        }
        Some(Size::Genome(letters))
    }

    /// `empirical(64 B, 7, 1500 B, 1)`: sizes, each with its weight behind it.
    pub(super) fn empirical(&mut self, items: &[Item], span: Span) -> Option<Size> {
        let mut values: Vec<(u32, f64)> = Vec::new();
        let mut common: Option<Layer> = None;
        let before = self.report.errors;
        if items.is_empty() || items.len() % 2 == 1 {
            self.add(
                &codes::PARAMETER,
                span,
                "`empirical` needs a weight for each size",
                format!("it has {} items, and sizes and weights take turns", items.len()),
                "write for example `empirical(64 B, 7, 1500 B, 1)`",
            );
            return None;
        }
        for pair in items.chunks_exact(2) {
            let [Item::Bare(size), Item::Bare(weight)] = pair else {
                let place =
                    pair.iter().find_map(|i| if let Item::Setting(s) = i { Some(s.span) } else { None });
                self.add(
                    &codes::SHAPE,
                    place.unwrap_or(span),
                    "`empirical` has no settings",
                    "sizes and weights take turns in it",
                    "write for example `empirical(64 B, 7, 1500 B, 1)`",
                );
                continue;
            };
            let found = self.one_size(size);
            let weight = self.weight_of_value(weight);
            if let (Some((bytes, layer)), Some(weight)) = (found, weight) {
                if *common.get_or_insert(layer) != layer {
                    self.add(
                        &codes::UNIT,
                        size.span,
                        "these sizes count different things",
                        format!(
                            "the first counts {}, this one {}",
                            common.unwrap_or(layer).name(),
                            layer.name()
                        ),
                        "write the same layer behind all of them",
                    );
                }
                values.push((bytes, weight));
            }
        }
        if self.report.errors > before {
            return None;
        }
        values.sort_by_key(|(bytes, _)| *bytes);
        values.dedup_by(|b, a| {
            let same = a.0 == b.0;
            a.1 += if same { b.1 } else { 0.0 };
            same
        });
        Some(Size::Values { values, layer: common? })
    }

    fn one_size(&mut self, e: &Expr) -> Option<(u32, Layer)> {
        match &self.follow(e).kind {
            ExprKind::Number(n) => self.bytes(n, e.span),
            _ => {
                self.wrong_kind(e, "a size such as `400 B`", &[]);
                None
            }
        }
    }

    /// A weight among others: a number, or percent.
    fn weight_of_value(&mut self, e: &Expr) -> Option<f64> {
        match &self.follow(e).kind {
            ExprKind::Number(Number { unit: Some(_), .. }) => {
                self.share(e, "a weight", 1.0).filter(|w| *w > 0.0)
            }
            _ => self.real(e, "a weight", 0.0, 1e12),
        }
    }
}
