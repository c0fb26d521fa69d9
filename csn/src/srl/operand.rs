//! Values and masks as the engine compares them.

use super::Errors;
use super::ast::{Mask, Operand};
use super::lexer::Token;
use crate::rtfm::Attribute;
use crate::rtfm::text::literal::Literal;

/// A mask and a value of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) octets: u8,
    pub(super) mask: u128,
    pub(super) value: u128,
}

/// Octets of an IPv4 address.
const FOUR: u32 = 4;

/// What an operand means for an attribute. What is wrong is reported.
pub(super) fn pattern(operand: &Operand, attribute: Attribute, errors: &mut Errors) -> Option<Pattern> {
    let value = literal(operand.value, attribute, errors)?;
    let mask = bits(operand.mask, attribute, errors)?;
    let octets = octets(attribute, value.octets(), &mask);
    let mask = mask_of(&mask, octets, errors)?;
    let value = fit(&value, operand.value, octets, errors)?;
    if value & !mask != 0 {
        errors.add(
            operand.value.span,
            format!("`{}` has bits outside of its mask", operand.value.text),
            "what is compared has zeros there, so the test can never succeed",
            "make these bits zero, or the mask wider",
        );
        return None;
    }
    Some(Pattern { octets: octets as u8, mask, value })
}

/// A mask by itself: what `save` keeps of a packet's value.
pub(super) fn kept(mask: Mask, attribute: Attribute, errors: &mut Errors) -> Option<Pattern> {
    let mask = bits(mask, attribute, errors)?;
    let octets = octets(attribute, None, &mask);
    Some(Pattern { octets: octets as u8, mask: mask_of(&mask, octets, errors)?, value: 0 })
}

/// A mask that waits for its octets.
enum Bits<'a> {
    Whole,
    Width(u32, Token<'a>),
    These(Literal, Token<'a>),
}

fn bits<'a>(mask: Mask<'a>, attribute: Attribute, errors: &mut Errors) -> Option<Bits<'a>> {
    Some(match mask {
        Mask::Whole => Bits::Whole,
        Mask::Width(token) => match token.text.parse() {
            Ok(n) => Bits::Width(n, token),
            Err(_) => {
                let message = format!("`{}` is not a number of bits", token.text);
                errors.add(token.span, message, "a width follows `/`", "write `/24`, or a mask behind `&`");
                return None;
            }
        },
        Mask::Bits(token) => Bits::These(literal(token, attribute, errors)?, token),
    })
}

fn literal(token: Token, attribute: Attribute, errors: &mut Errors) -> Option<Literal> {
    match Literal::parse(token.text, attribute) {
        Ok(literal) => Some(literal),
        Err(message) => {
            let reason = format!("it stands for a value of {}", attribute.name());
            errors.add(token.span, message, reason, "write a value such as 17, 10.1/16 or 02-0a");
            None
        }
    }
}

fn octets(attribute: Attribute, value: Option<usize>, mask: &Bits) -> u32 {
    let of_mask = match mask {
        Bits::Whole => None,
        Bits::Width(n, _) => Some(n.div_ceil(8) as usize),
        Bits::These(literal, _) => literal.octets(),
    };
    match attribute.octets() {
        16 if value.max(of_mask) > Some(FOUR as usize) => 16,
        16 => FOUR,
        n => u32::from(n),
    }
}

fn mask_of(mask: &Bits, octets: u32, errors: &mut Errors) -> Option<u128> {
    let whole = 8 * octets;
    let leading = |n: u32| if n == 0 { 0 } else { (u128::MAX << (128 - n)) >> (128 - whole) };
    match mask {
        Bits::Whole => Some(leading(whole)),
        Bits::Width(n, _) if *n <= whole => Some(leading(*n)),
        Bits::Width(n, token) => {
            let message = format!("{n} bits are more than the {whole} that there are");
            errors.add(token.span, message, "the width counts from the left", "write a smaller width");
            None
        }
        Bits::These(literal, token) => fit(literal, *token, octets, errors),
    }
}

fn fit(literal: &Literal, token: Token, octets: u32, errors: &mut Errors) -> Option<u128> {
    match literal.bits(octets as usize) {
        Ok(bits) => Some(bits),
        Err(message) => {
            errors.add(token.span, message, "it would lose digits", "write a value that fits");
            None
        }
    }
}
