//! From the octets of a connection to messages of IPFIX.

use crate::flows::Malformed;

/// What has come of a message that is not whole yet: 64 KiB at most, for a message is never longer.
#[derive(Debug, Default)]
pub struct Stream {
    buffer: Vec<u8>,
}

impl Stream {
    /// Takes what has come, and calls `each` for every message that is whole.
    ///
    /// # Errors
    /// Octets that are not a header of IPFIX: where the next message begins is not known then, and the connection is of no
    /// use any more (RFC 7011, 9.1).
    pub fn feed(&mut self, mut octets: &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), Malformed> {
        while !octets.is_empty() {
            if self.buffer.is_empty()
                && let Some(length) = length(octets)?
                && octets.len() >= length
            {
                // a message that came in one piece is not copied
                let (message, rest) = octets.split_at(length);
                each(message);
                octets = rest;
                continue;
            }
            let missing = length(&self.buffer)?.unwrap_or(4) - self.buffer.len();
            let (piece, rest) = octets.split_at(missing.min(octets.len()));
            self.buffer.extend_from_slice(piece);
            octets = rest;
            if length(&self.buffer)? == Some(self.buffer.len()) {
                each(&self.buffer);
                self.buffer.clear();
            }
        }
        Ok(())
    }

    /// Octets of a message that has not come to its end.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

/// The length of the message that begins here, where that has come already.
fn length(octets: &[u8]) -> Result<Option<usize>, Malformed> {
    let [a, b, c, d, ..] = *octets else { return Ok(None) };
    match (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])) {
        (10, length @ 16..) => Ok(Some(usize::from(length))),
        (10, _) => Err(Malformed::Length("message")),
        (version, _) => Err(Malformed::Version(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u8) -> Vec<u8> {
        let mut m = vec![0, 10, 0, 16 + n];
        m.resize(16 + usize::from(n), n);
        m
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let all: Vec<u8> = [3, 0, 100, 1].into_iter().flat_map(message).collect();
        for piece in 1..=all.len() {
            let mut stream = Stream::default();
            let mut seen = Vec::new();
            for octets in all.chunks(piece) {
                stream.feed(octets, &mut |m| seen.push(m.to_vec())).unwrap();
                assert!(stream.pending() <= 116);
            }
            assert_eq!(seen, [3, 0, 100, 1].map(message), "pieces of {piece}");
            assert_eq!(stream.pending(), 0);
        }
    }

    #[test]
    fn what_is_no_message_ends_the_stream() {
        let feed = |octets: &[u8]| Stream::default().feed(octets, &mut |_| ());
        assert_eq!(feed(&[0, 9, 0, 20]), Err(Malformed::Version(9)));
        assert_eq!(feed(&[0, 10, 0, 15]), Err(Malformed::Length("message")));
        assert_eq!(feed(&[0, 10]), Ok(()));
    }
}
