//! Filter expressions of tcpdump and libpcap (pcap-filter(7)), one a line: what an expression accepts is a class.
//!
//! An expression is put as a disjunction of conjunctions, each a rule. `not` is exact: what lacks a field is named by the
//! fields that tell so (a packet without ports is of another protocol, a later fragment, or no IP packet). As libpcap
//! does, `and` and `or` bind alike, from left to right; a port without a protocol is one of TCP, UDP or SCTP; an address
//! without one may also stand in ARP, which no field holds.
//!
//! Expressions look for the IP header right behind the link header. Rules see what is behind VLAN tags too.

mod arithmetic;
mod lexer;
mod parser;
mod sets;

use super::builder::lines;
use super::{Builder, Import, Imported};
use crate::diagnostic::Span;
use sets::Piece;

/// The import `tcpdump`.
pub struct Tcpdump;

/// Something wrong at a place, or something that no rule can say.
enum Problem {
    Malformed(Span, String),
    Lost(Span, String),
}

impl Import for Tcpdump {
    fn name(&self) -> &'static str {
        "tcpdump"
    }

    fn summary(&self) -> &'static str {
        "filter expressions of tcpdump and libpcap, a class for each line"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.tcpdump")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut out = Builder::default();
        for (span, line) in lines(text).filter(|(_, l)| !l.trim().is_empty() && !l.trim().starts_with('#')) {
            match expression(line, span) {
                Ok(rules) => {
                    let class = out.unnamed(span);
                    for tests in rules {
                        out.rule(class, tests, span);
                    }
                }
                Err(Problem::Malformed(at, message)) => {
                    let cure = "write it as in `udp and ip dst host 192.0.2.1 and not port 53`";
                    out.malformed(at, message, cure);
                }
                Err(Problem::Lost(at, reason)) => out.lost(at, "this expression is not taken over", reason),
            }
        }
        out.finish()
    }
}

fn expression(line: &str, span: Span) -> Result<Vec<sets::Tests>, Problem> {
    let pieces: Vec<Piece> = parser::parse(&lexer::words(line, span)?, span)?;
    sets::rules(pieces, span)
}

#[cfg(test)]
mod tests;
