//! The record of NetFlow v5, as a template.

use super::{FieldSpec, Template};
use std::sync::LazyLock;

/// Number and length of each field; 210 is padding.
pub const FIELDS: [(u16, u16); 20] = [
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (210, 1),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (210, 2),
];

/// Octets of a record.
pub const RECORD: usize = 48;
/// Records that a message has at most.
pub const MOST: u16 = 30;

/// The layout.
pub static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let fields = FIELDS.iter().map(|&(id, length)| FieldSpec { enterprise: 0, id, length }).collect();
    Template::new(0, 0, fields).expect("the fields of version 5 are a template")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_48_octets_and_every_field_its_element() {
        assert_eq!(TEMPLATE.length(), Some(RECORD));
        for field in &TEMPLATE.fields {
            assert!(field.element().unwrap().fits(field.length), "{field}");
        }
    }
}
