//! Checksums that follow a change without looking at the rest of the packet.

/// Folds a sum of 16-bit words to 16 bits with end-around carry (RFC 1071).
#[inline]
pub fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// A checksum after words changed: `HC' = ~(~HC + ~m + m')` for each (RFC 1624, equation 3; the older equation 2
/// can give 0xffff where 0 is right).
///
/// ```text
/// Change::of(hc).word(m, m').word(…).checksum()
/// ```
#[derive(Clone, Copy)]
pub struct Change(u64);

impl Change {
    /// From the checksum before the change.
    #[inline]
    pub fn of(checksum: u16) -> Self {
        Self(u64::from(!checksum))
    }

    /// A word that was `old` and is `new`. Sums of many words, folded, count as one word.
    #[inline]
    pub fn word(self, old: u16, new: u16) -> Self {
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// All of these changes.
    #[inline]
    pub fn all(self, changes: Change) -> Self {
        Self(self.0 + changes.0)
    }

    /// Changes of no checksum yet.
    pub const fn none() -> Self {
        Self(0)
    }

    /// The checksum after all changes.
    #[inline]
    pub fn checksum(self) -> u16 {
        !fold(self.0)
    }
}

/// CRC-32C (Castagnoli), reflected: what SCTP protects its packets with (RFC 9260, appendix A).
pub fn crc32c(bytes: impl IntoIterator<Item = u8>) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.into_iter().fold(!0, |crc, b| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ b)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1624_gives_zero() {
        assert_eq!(Change::of(0xdd2f).word(0x5555, 0x3285).checksum(), 0);
    }

    #[test]
    fn a_changed_port_changes_the_checksum() {
        // 192.0.2.1:1234 -> 198.51.100.2:2000, one byte "A", and the same to port 2099 and from port 51924
        assert_eq!(Change::of(0xc602).word(2000, 2099).checksum(), 0xc59f);
        // a computed zero: UDP writes 0xffff instead
        assert_eq!(Change::of(0xc602).word(1234, 51924).checksum(), 0);
    }

    #[test]
    fn crc32c_has_its_check_value() {
        assert_eq!(crc32c(*b"123456789"), 0xe306_9283);
    }
}
