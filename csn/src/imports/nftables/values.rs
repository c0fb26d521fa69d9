//! Values as nft writes them in JSON.

use super::words;
use crate::field::Field;
use crate::value::{Range, Value, ValueSet};
use serde_json::Value as Json;
use std::collections::HashMap;

/// The elements of named sets and maps, by table and name.
pub(super) type Sets = HashMap<String, Vec<Json>>;

/// What values are of: the field gives names and the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Domain {
    /// The field whose names are known.
    pub(super) names: Names,
    /// Bits.
    pub(super) width: u32,
    /// 4 and 6 for addresses, else 0.
    pub(super) family: u8,
}

/// The names that values can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Those of a field of the notation.
    Of(Field),
    /// ICMP types and codes, by the protocol and `type` or `code`.
    Icmp { six: bool, code: bool },
    /// MAC addresses.
    Mac,
    /// Congestion notification.
    Ecn,
    /// None: yes and no, or numbers.
    Truth,
}

impl Domain {
    pub(super) fn of(field: Field) -> Self {
        Self { names: Names::Of(field), width: field.width(), family: 0 }
    }

    pub(super) fn all(self) -> ValueSet {
        let most = u128::MAX >> (128 - self.width);
        Range::new(self.value(0), self.value(most)).into()
    }

    fn value(self, bits: u128) -> Value {
        Value { family: self.family, bits }
    }

    /// One value.
    fn single(self, json: &Json) -> Option<Value> {
        let bits = match json {
            Json::Number(n) => u128::from(n.as_u64()?),
            Json::Bool(b) => u128::from(*b),
            Json::Array(flags) => flags.iter().try_fold(0, |n, f| Some(n | self.single(f)?.bits))?,
            Json::Object(o) => {
                let flags = o.get("|")?.as_array()?;
                flags.iter().try_fold(0, |n, f| Some(n | self.single(f)?.bits))?
            }
            Json::String(s) => self.named(s)?,
            Json::Null => return None,
        };
        let value = self.value(bits);
        self.all().contains(value).then_some(value)
    }

    fn named(self, text: &str) -> Option<u128> {
        if self.family != 0 {
            let value = Value::ip(text.parse().ok()?);
            return (value.family == self.family).then_some(value.bits);
        }
        match self.names {
            Names::Mac => {
                let octets: Vec<&str> = text.split(':').collect();
                let octet = |n: u128, o: &&str| Some(n << 8 | u128::from(u8::from_str_radix(o, 16).ok()?));
                (octets.len() == 6).then(|| octets.iter().try_fold(0, octet))?
            }
            names => words::find(names, text).map(u128::from).or_else(|| text.parse().ok()),
        }
    }

    /// An interval: one value, a range, or a prefix.
    pub(super) fn range(self, json: &Json) -> Option<Range> {
        let json = json.get("elem").and_then(|e| e.get("val")).unwrap_or(json);
        if let Some(ends) = json.get("range").and_then(Json::as_array) {
            let [lo, hi] = ends.as_slice() else { return None };
            let (lo, hi) = (self.single(lo)?, self.single(hi)?);
            return (lo <= hi).then(|| Range::new(lo, hi));
        }
        if let Some(prefix) = json.get("prefix") {
            let (address, len) = (self.single(prefix.get("addr")?)?, prefix.get("len")?.as_u64()?);
            let width = if self.family == 4 { 32 } else { 128 };
            return (self.family != 0 && len <= width).then(|| Range::prefix(address, len as u32));
        }
        if json.as_str() == Some("*") {
            return self.all().ranges().first().copied();
        }
        self.single(json).map(|v| Range::new(v, v))
    }

    /// A set, anonymous or by its name.
    pub(super) fn set(self, json: &Json, sets: &Sets, table: &str) -> Option<ValueSet> {
        let all = |elements: &[Json]| {
            elements.iter().map(|e| self.range(e)).collect::<Option<Vec<_>>>().map(ValueSet::from_ranges)
        };
        match json {
            Json::String(s) if s.starts_with('@') => all(sets.get(&key(table, &s[1..]))?),
            Json::Object(o) if o.contains_key("set") => all(elements(o.get("set")?)?),
            one => self.range(one).map(ValueSet::from),
        }
    }
}

/// What is in an anonymous set: a list, or one element alone.
pub(super) fn elements(set: &Json) -> Option<&[Json]> {
    Some(match set {
        Json::Array(a) => a.as_slice(),
        one => std::slice::from_ref(one),
    })
}

/// Where a set stands in [`Sets`].
pub(super) fn key(table: &str, name: &str) -> String {
    format!("{table}\u{0}{name}")
}
