//! Templates: which fields the records of a set have, and where.

use super::element::{self, Element};
use super::wire::{self, Reader};
use super::{Malformed, Protocol, REVERSE, VARIABLE};
use std::fmt;

/// A field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldSpec {
    /// Whose number it is: 0 IANA's, [`REVERSE`] those of the reverse direction, [`FieldSpec::V9_SCOPE`].
    pub enterprise: u32,
    /// The element's number.
    pub id: u16,
    /// Octets, or [`VARIABLE`].
    pub length: u16,
}

impl FieldSpec {
    /// What stands for the enterprise of a scope of NetFlow v9, whose numbers are no information elements.
    pub const V9_SCOPE: u32 = u32::MAX;

    /// The element, where it is known here.
    pub fn element(&self) -> Option<&'static Element> {
        element::of_field(self.enterprise, self.id)
    }
}

impl fmt::Display for FieldSpec {
    /// The element's name; `reverse…` for the reverse direction, `_9_33` for an element 33 of an enterprise 9 that is not
    /// known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.enterprise, self.element()) {
            (0, Some(e)) => f.write_str(e.name),
            (REVERSE, Some(e)) => write!(f, "reverse{}{}", e.name[..1].to_uppercase(), &e.name[1..]),
            (Self::V9_SCOPE, _) => match element::v9_scope(self.id) {
                Some(name) => f.write_str(name),
                None => write!(f, "scope{}", self.id),
            },
            (enterprise, _) => write!(f, "_{enterprise}_{}", self.id),
        }
    }
}

/// The layout of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its number, from 256; 0 for the layout of NetFlow v5.
    pub id: u16,
    /// How many of the fields, from the first, say what the others are about; 0 for flow records.
    pub scope: u16,
    /// The fields in order.
    pub fields: Box<[FieldSpec]>,
    /// Octets of the shortest record.
    least: usize,
    /// Whether every field has a length of its own.
    fixed: bool,
}

/// More fields than this in one template, and it is refused.
pub const MAX_FIELDS: usize = 1_024;
/// More fields without any octet than this, and it is refused: a record must cost who sends it.
const MAX_EMPTY: usize = 16;

impl Template {
    /// A template of these fields.
    ///
    /// # Errors
    /// None or too many fields, records without octets, or a scope of more fields than there are.
    pub fn new(id: u16, scope: u16, fields: Vec<FieldSpec>) -> Result<Self, Malformed> {
        let empty = fields.iter().filter(|f| f.length == 0).count();
        // a field of variable length has one octet at least
        let least = fields.iter().map(|f| if f.length == VARIABLE { 1 } else { usize::from(f.length) }).sum();
        let fine = fields.len() <= MAX_FIELDS && empty <= MAX_EMPTY && usize::from(scope) <= fields.len();
        if !fine || least == 0 {
            return Err(Malformed::Length("template"));
        }
        let fixed = fields.iter().all(|f| f.length != VARIABLE);
        Ok(Self { id, scope, fields: fields.into(), least, fixed })
    }

    /// Whether its records are about the exporter and not about flows.
    pub fn is_options(&self) -> bool {
        self.scope > 0
    }

    /// Octets of its records, where all have the same length.
    pub fn length(&self) -> Option<usize> {
        self.fixed.then_some(self.least)
    }

    /// Takes one record from the front; none where only padding is left.
    #[inline]
    pub fn next_record<'a>(&self, from: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
        if from.0.len() < self.least {
            return Ok(None);
        }
        if self.fixed {
            return Ok(from.take(self.least));
        }
        let all = from.0;
        let length = self.measure(all)?;
        from.0 = &all[length..];
        Ok(Some(&all[..length]))
    }

    fn measure(&self, record: &[u8]) -> Result<usize, Malformed> {
        let mut from = Reader(record);
        for field in &self.fields {
            let value = match field.length {
                VARIABLE => wire::variable(&mut from),
                n => from.take(usize::from(n)),
            };
            value.ok_or(Malformed::Short("record"))?;
        }
        Ok(record.len() - from.0.len())
    }

    /// The fields of a record with their octets.
    pub fn values<'a>(&'a self, record: &'a [u8]) -> impl Iterator<Item = (&'a FieldSpec, &'a [u8])> {
        let mut from = Reader(record);
        self.fields.iter().map_while(move |field| {
            let value = match field.length {
                VARIABLE => wire::variable(&mut from)?,
                n => from.take(usize::from(n))?,
            };
            Some((field, value))
        })
    }
}

/// What stands in a set of templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// A template, or the same again.
    Template(Template),
    /// The template of that number is no longer valid (IPFIX).
    Withdrawn(u16),
    /// All templates, or all options templates, are no longer valid (IPFIX).
    WithdrawnAll {
        /// Which of the two.
        options: bool,
    },
}

/// The definitions in a set of templates.
///
/// # Errors
/// At the first that cannot be: what stands behind it is lost.
pub fn definitions(protocol: Protocol, options: bool, body: &[u8]) -> Result<Vec<Definition>, Malformed> {
    let mut from = Reader(body);
    let mut out = Vec::new();
    // less than a header is padding
    while from.0.len() >= 4 {
        let definition = match protocol {
            Protocol::Ipfix => ipfix(options, &mut from),
            _ if options => v9_options(&mut from),
            _ => v9(&mut from),
        };
        match definition? {
            Some(definition) => out.push(definition),
            None => break,
        }
    }
    Ok(out)
}

const SHORT: Malformed = Malformed::Short("template");

fn v9(from: &mut Reader<'_>) -> Result<Option<Definition>, Malformed> {
    let (id, count) = (from.u16().ok_or(SHORT)?, from.u16().ok_or(SHORT)?);
    if id < 256 {
        return padding(id, count);
    }
    let fields = (0..count).map(|_| v9_field(0, from)).collect::<Option<_>>().ok_or(SHORT)?;
    Template::new(id, 0, fields).map(Definition::Template).map(Some)
}

fn v9_options(from: &mut Reader<'_>) -> Result<Option<Definition>, Malformed> {
    let (id, scope) = (from.u16().ok_or(SHORT)?, from.u16().ok_or(SHORT)?);
    if id < 256 {
        return padding(id, scope);
    }
    let options = from.u16().ok_or(SHORT)?;
    let (scopes, options) = (scope / 4, options / 4);
    let mut fields = Vec::new();
    for i in 0..scopes.saturating_add(options) {
        let enterprise = if i < scopes { FieldSpec::V9_SCOPE } else { 0 };
        fields.push(v9_field(enterprise, from).ok_or(SHORT)?);
    }
    // a scope of no field would make it a template of flows
    if scopes == 0 {
        return Err(Malformed::Length("template"));
    }
    Template::new(id, scopes, fields).map(Definition::Template).map(Some)
}

fn v9_field(enterprise: u32, from: &mut Reader<'_>) -> Option<FieldSpec> {
    Some(FieldSpec { enterprise, id: from.u16()?, length: from.u16()? })
}

/// Zeros in the place of a template are padding; another number below 256 is an error.
fn padding(id: u16, next: u16) -> Result<Option<Definition>, Malformed> {
    if id == 0 && next == 0 { Ok(None) } else { Err(Malformed::Length("template")) }
}

fn ipfix(options: bool, from: &mut Reader<'_>) -> Result<Option<Definition>, Malformed> {
    let (id, count) = (from.u16().ok_or(SHORT)?, from.u16().ok_or(SHORT)?);
    if count == 0 {
        return match id {
            2 | 3 => Ok(Some(Definition::WithdrawnAll { options: id == 3 })),
            256.. => Ok(Some(Definition::Withdrawn(id))),
            _ => padding(id, count),
        };
    }
    if id < 256 {
        return Err(Malformed::Length("template"));
    }
    let scope = if options { from.u16().ok_or(SHORT)? } else { 0 };
    if options && scope == 0 {
        return Err(Malformed::Length("template"));
    }
    let fields = (0..count).map(|_| ipfix_field(from)).collect::<Option<_>>().ok_or(SHORT)?;
    Template::new(id, scope, fields).map(Definition::Template).map(Some)
}

fn ipfix_field(from: &mut Reader<'_>) -> Option<FieldSpec> {
    let (id, length) = (from.u16()?, from.u16()?);
    let enterprise = if id & 0x8000 != 0 { from.u32()? } else { 0 };
    // nobody can pretend to be a scope of NetFlow v9
    let enterprise = if enterprise == FieldSpec::V9_SCOPE { enterprise - 1 } else { enterprise };
    Some(FieldSpec { enterprise, id: id & 0x7fff, length })
}
