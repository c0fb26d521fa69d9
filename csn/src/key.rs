//! The packet key: what rules can see of one packet.

use crate::field::Field;
use crate::value::Value;
use std::fmt;

/// The fields of one packet. A field that the packet does not have is absent, and a rule on an absent
/// field does not match.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    present: u32,
    values: [Value; Field::COUNT],
}

impl Default for Key {
    fn default() -> Self {
        Self { present: 0, values: [Value::number(0); Field::COUNT] }
    }
}

impl Key {
    /// A key without any field.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a field, where the packet has it.
    #[inline]
    pub fn get(&self, field: Field) -> Option<Value> {
        (self.present >> field as u32 & 1 == 1).then(|| self.values[field as usize])
    }

    /// Sets a field.
    #[inline]
    pub fn set(&mut self, field: Field, value: Value) {
        self.present |= 1 << field as u32;
        self.values[field as usize] = value;
    }

    /// Sets a field to a plain number.
    #[inline]
    pub fn set_number(&mut self, field: Field, bits: u128) {
        self.set(field, Value::number(bits));
    }

    /// Removes a field.
    pub fn clear(&mut self, field: Field) {
        self.present &= !(1 << field as u32);
        self.values[field as usize] = Value::number(0);
    }

    /// The fields that the packet has, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, Value)> + '_ {
        Field::ALL.into_iter().filter_map(|f| Some((f, self.get(f)?)))
    }

    /// The key of a packet of the reply direction: sources and destinations exchanged.
    pub fn reversed(&self) -> Self {
        let mut out = Self::new();
        for (f, v) in self.fields() {
            out.set(f.reversed(), v);
        }
        out
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (field, value)) in self.fields().enumerate() {
            write!(f, "{}{field} = {value}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
