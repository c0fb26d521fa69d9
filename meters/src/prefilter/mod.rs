//! Filters in front of a meter: classic BPF programs that the kernel runs for packet sockets, and that are run here
//! for capture files.
//!
//! As text they are what `tcpdump -ddd` prints: the number of instructions, then one per line as four decimal numbers.

mod admission;
mod compile;

pub use admission::admission;
pub use compile::{Discard, Filter, compile};

use csn::cbpf::{Ancillary, Instruction, Interpreter, Invalid, code};
use std::fmt;

/// Octets that are kept of a packet where nothing less is asked for: all.
pub const WHOLE: u32 = 262_144;

/// A program that was found to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefilter {
    interpreter: Interpreter,
}

/// Why a text is no program.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A line that is not understood.
    #[error("line {0}: expected four decimal numbers `code jt jf k`, as `tcpdump -ddd` prints them")]
    Line(usize),
    /// Not as many instructions as the first line says.
    #[error("{found} instructions follow, while the first line says {stated}")]
    Count {
        /// What the first line says.
        stated: usize,
        /// What there is.
        found: usize,
    },
    /// A program that the kernel would refuse.
    #[error(transparent)]
    Program(#[from] Invalid),
}

impl Prefilter {
    /// A program, if the kernel would take it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(program: &[Instruction]) -> Result<Self, Invalid> {
        Ok(Self { interpreter: Interpreter::new(program)? })
    }

    /// The program that keeps `octets` of every packet.
    ///
    /// # Errors
    /// None in practice: the program is valid.
    pub fn accept_all(octets: u32) -> Result<Self, Invalid> {
        Self::new(&[Instruction::new(code::RET_K, octets)])
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The first line that is wrong, or what is wrong with the program.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty());
        let first = lines.next().ok_or(TextError::Line(1))?;
        let stated: usize = first.1.trim().parse().map_err(|_| TextError::Line(first.0))?;
        let program = lines
            .map(|(number, line)| instruction(line).ok_or(TextError::Line(number)))
            .collect::<Result<Vec<_>, _>>()?;
        if program.len() != stated {
            return Err(TextError::Count { stated, found: program.len() });
        }
        Ok(Self::new(&program)?)
    }

    /// The instructions.
    pub fn program(&self) -> &[Instruction] {
        self.interpreter.program()
    }

    /// The program as the kernel takes it.
    pub fn kernel(&self) -> Vec<libc::sock_filter> {
        let convert = |i: &Instruction| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
        self.program().iter().map(convert).collect()
    }

    /// How many octets of a frame of a capture file are kept; 0 discards it.
    #[inline]
    pub fn run(&self, frame: &[u8]) -> u32 {
        self.interpreter.run(frame, &Ancillary::default())
    }
}

fn instruction(line: &str) -> Option<Instruction> {
    let mut numbers = line.split_whitespace();
    let code = numbers.next()?.parse().ok()?;
    let jt = numbers.next()?.parse().ok()?;
    let jf = numbers.next()?.parse().ok()?;
    let k = numbers.next()?.parse().ok()?;
    numbers.next().is_none().then_some(Instruction { code, jt, jf, k })
}

impl fmt::Display for Prefilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.program().len())?;
        self.program().iter().try_for_each(|i| writeln!(f, "{} {} {} {}", i.code, i.jt, i.jf, i.k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_tcpdump() {
        // tcpdump -ddd ip
        let text = "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n";
        let filter = Prefilter::parse(text).unwrap();
        assert_eq!(filter.to_string(), text);
        let mut frame = [0u8; 60];
        assert_eq!(filter.run(&frame), 0);
        frame[12] = 8;
        assert_eq!(filter.run(&frame), 262_144);
        assert_eq!(filter.kernel().len(), 4);
    }

    #[test]
    fn what_is_wrong_with_a_text_is_told() {
        for (text, message) in [
            ("", "line 1"),
            ("2\n6 0 0 0\n", "1 instructions follow"),
            ("1\n6 0 0\n", "line 2"),
            ("1\n40 0 0 12\n", "return"),
        ] {
            let e = Prefilter::parse(text).unwrap_err().to_string();
            assert!(e.contains(message), "{text:?}: {e}");
        }
    }
}
