//! What a `rate = search(…)` and a `repeat = until(…)` ask for. How a search goes about it is the harness's.

use crate::units::{Nanos, Rate};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most goals that one search has.
pub const MOST_GOALS: usize = 4;

/// A search for the highest rate. What is left out has the default of its method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Search {
    /// How it goes about it.
    pub method: Method,
    /// Tolerated shares of packets lost, 0 to 1: each is a goal.
    pub loss: Losses,
    /// Tolerated share of the time in which more is lost, 0 to below 1.
    pub exceed: Option<f64>,
    /// How near the bounds must come, as a share of the upper one.
    pub width: Option<f64>,
    /// Length of the first, short trials.
    pub first: Option<Nanos>,
    /// Time of deciding trials per rate.
    pub sum: Option<Nanos>,
    /// The lowest rate that is tried.
    pub min: Option<Rate>,
    /// The highest rate that is tried; none means the generator's.
    pub max: Option<Rate>,
    /// All trials of a search together send at most this long.
    pub limit: Option<Nanos>,
}

/// How a search goes about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// MLRsearch: draft-ietf-bmwg-mlrsearch-15.
    #[default]
    Mlr,
    /// Throughput of RFC 2544, section 26.1.
    Rfc2544,
    /// Binary search with loss verification: ETSI GS NFV-TST 009.
    Tst009,
    /// Frame loss rate of RFC 2544, section 26.3.
    LossRate,
    /// Back-to-back frames of RFC 9004.
    BackToBack,
}

impl Method {
    /// Every method with its name in the notation.
    pub const ALL: [(&'static str, Method); 5] = [
        ("mlr", Method::Mlr),
        ("rfc2544", Method::Rfc2544),
        ("tst009", Method::Tst009),
        ("loss-rate", Method::LossRate),
        ("back-to-back", Method::BackToBack),
    ];

    /// The name in the notation.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// Whether its document allows no loss.
    pub fn is_lossless(self) -> bool {
        matches!(self, Method::Rfc2544 | Method::LossRate | Method::BackToBack)
    }
}

/// Tolerated shares of packets lost, at most [`MOST_GOALS`]: a fixed number, so that rates stay small values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<f64>", into = "Vec<f64>")]
pub struct Losses {
    shares: [f64; MOST_GOALS],
    len: usize,
}

impl Losses {
    /// The shares.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.shares[..self.len].iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl From<Vec<f64>> for Losses {
    /// The first [`MOST_GOALS`] of them.
    fn from(shares: Vec<f64>) -> Self {
        shares.into_iter().collect()
    }
}

impl From<Losses> for Vec<f64> {
    fn from(losses: Losses) -> Self {
        losses.iter().collect()
    }
}

impl FromIterator<f64> for Losses {
    fn from_iter<I: IntoIterator<Item = f64>>(shares: I) -> Self {
        let mut out = Self::default();
        for share in shares.into_iter().take(MOST_GOALS) {
            out.shares[out.len] = share;
            out.len += 1;
        }
        out
    }
}

/// A share in percent.
fn percent(share: f64) -> String {
    // a share is written with few digits, and read back as the nearest number
    format!("{}%", (share * 1e8).round() / 1e6)
}

impl fmt::Display for Search {
    /// As it is written, without what is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut items = vec![];
        if self.method != Method::default() {
            items.push(format!("method = {}", self.method.name()));
        }
        let losses: Vec<String> = self.loss.iter().map(percent).collect();
        items.push(match losses.as_slice() {
            [one] => format!("loss = {one}"),
            several => format!("loss = {{{}}}", several.join(", ")),
        });
        for (name, share) in [("exceed", self.exceed), ("width", self.width)] {
            items.extend(share.map(|s| format!("{name} = {}", percent(s))));
        }
        for (name, time) in [("first", self.first), ("sum", self.sum)] {
            items.extend(time.map(|t| format!("{name} = {t}")));
        }
        for (name, rate) in [("min", self.min), ("max", self.max)] {
            items.extend(rate.map(|r| format!("{name} = {r}")));
        }
        items.extend(self.limit.map(|t| format!("limit = {t}")));
        write!(f, "search({})", items.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_stand_at_their_own_place() {
        for (name, method) in Method::ALL {
            assert_eq!(method.name(), name);
        }
    }

    #[test]
    fn a_search_prints_as_it_is_written() {
        let mut search = Search { loss: [0.0, 0.005].into_iter().collect(), ..Search::default() };
        assert_eq!(search.to_string(), "search(loss = {0%, 0.5%})");
        search = Search {
            method: Method::Tst009,
            loss: [0.0].into_iter().collect(),
            width: Some(0.01),
            max: Some(Rate::Pps(1e6)),
            limit: Some(Nanos::from_secs(60)),
            ..Search::default()
        };
        assert_eq!(
            search.to_string(),
            "search(method = tst009, loss = 0%, width = 1%, max = 1 Mpps, limit = 1 min)"
        );
    }
}
