//! Big-endian numbers, read and written.

/// Takes numbers and pieces from the front of octets; `None` where they end before.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `n` octets.
    #[inline]
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (piece, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(piece)
    }

    /// The next octet.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    /// The next 2 octets.
    #[inline]
    pub fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    /// The next 4 octets.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }
}

/// A number of at most 8 octets; of more, the last 8.
#[inline]
pub fn number(octets: &[u8]) -> u64 {
    match *octets {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => octets.iter().fold(0, |n, b| n << 8 | u64::from(*b)),
    }
}

/// The value of a field of variable length at the front (RFC 7011, 7).
#[inline]
pub fn variable<'a>(from: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = match from.u8()? {
        255 => from.u16()?,
        short => u16::from(short),
    };
    from.take(usize::from(length))
}
