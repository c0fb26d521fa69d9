//! A frame of a flow that is written again and again, its size alone changing: headers are copied, lengths and
//! checksums follow by arithmetic.

use super::build::{build, checksum_offset, never_zero};
use super::checksum::{Change, crc32c, fold};
use super::shape::{Net, Shape, Transport};
use crate::tx::Slot;
use csn::packet::fragment;
use csn::{Key, Layer};
use std::hint::black_box;

/// The room for headers: a tag, a label, IPv6 with a fragment header and TCP are 90 octets.
pub const HEAD: usize = 96;

/// Payload bytes that flows share, and sums over them.
pub struct Payloads {
    bytes: Vec<u8>,
    /// The one's complement sum of the 16-bit words before each even offset.
    sums: Vec<u16>,
}

impl Payloads {
    /// A store of these bytes.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let mut sum = 0;
        let mut sums = vec![0];
        for word in bytes.chunks_exact(2) {
            sum = fold(u64::from(sum) + u64::from(u16::from_be_bytes([word[0], word[1]])));
            sums.push(sum);
        }
        Self { bytes, sums }
    }

    fn slice(&self, at: usize, len: usize) -> &[u8] {
        &self.bytes[at..at + len]
    }

    /// The folded one's complement sum of `len` bytes from `at`, which is even; an odd last byte is padded.
    #[inline]
    fn sum(&self, at: usize, len: usize) -> u16 {
        // the difference of two such sums; zero may come out as 0xffff, which is zero too
        let whole = u64::from(self.sums[(at + len) / 2]) + u64::from(!self.sums[at / 2]);
        let odd = if len % 2 == 1 { u64::from(self.bytes[at + len - 1]) << 8 } else { 0 };
        fold(whole + odd)
    }
}

/// What protects the transport header.
#[derive(Clone, Copy)]
enum Sum {
    None,
    Internet {
        at: u8,
        /// A pseudo header with the length is summed too.
        pseudo: bool,
        /// UDP states the length once more, at this offset.
        length_at: Option<u8>,
        never_zero: bool,
    },
    Crc32c {
        at: u8,
    },
}

/// One direction of a flow: a frame's headers and what it takes to change the size.
#[derive(Clone)]
pub struct Template {
    head: [u8; HEAD],
    headers: u8,
    link: u8,
    l4: u8,
    net: Net,
    sum: Sum,
    /// Payload octets that the headers are right for.
    built: u32,
    /// Where the flow's payload starts in the store.
    payload_at: u32,
    /// The rule that is the first to match; none for `others`.
    pub rule: Option<u32>,
}

impl Template {
    /// The template of a frame of `shape` and `key` with `built` octets of payload from `payload_at`, an even
    /// offset.
    pub fn new(shape: &Shape, key: &Key, store: &Payloads, payload_at: usize, built: usize) -> Self {
        let frame = build(shape, key, store.slice(payload_at, built));
        let mut head = [0; HEAD];
        let headers = shape.headers();
        head[..headers].copy_from_slice(&frame[..headers]);
        let l4 = (shape.link() + shape.ip()) as u8;
        let sum = match (shape.transport, checksum_offset(shape.transport)) {
            _ if shape.fragment == fragment::LATER => Sum::None,
            (Transport::Sctp, _) => Sum::Crc32c { at: l4 + 8 },
            (transport, Some(at)) => Sum::Internet {
                at: l4 + at as u8,
                pseudo: shape.net == Net::V6 || transport != Transport::Icmp,
                length_at: (transport == Transport::Udp).then_some(l4 + 4),
                never_zero: never_zero(transport),
            },
            (_, None) => Sum::None,
        };
        Self {
            head,
            headers: headers as u8,
            link: shape.link() as u8,
            l4,
            net: shape.net,
            sum,
            built: built as u32,
            payload_at: payload_at as u32,
            rule: None,
        }
    }

    /// Reads a byte of each line of the cache that it fills, so that these are there when it is written.
    #[inline]
    pub fn touch(&self) {
        black_box((self.head[0], self.head[64], self.built));
    }

    /// Payload octets that the headers are right for as they are.
    pub fn built(&self) -> usize {
        self.built as usize
    }

    /// Octets before the IP header.
    pub fn link(&self) -> usize {
        self.link.into()
    }

    /// Octets of all headers.
    pub fn headers(&self) -> usize {
        usize::from(self.headers)
    }

    /// What `layer` counts of this template's frame with `payload` octets of payload.
    pub fn bytes_at(&self, layer: Layer, payload: usize) -> u64 {
        layer.bytes_of_frame((self.headers() + payload) as u64, self.link.into(), self.headers.into())
    }

    /// Writes the frame with `len` octets of payload.
    #[inline]
    pub fn write(&self, store: &Payloads, len: usize, slot: &mut Slot) {
        let headers = self.headers();
        let at = self.payload_at as usize;
        let buffer = slot.buffer(headers + len);
        // a copy of known size is a few vector moves; what is too much is overwritten at once
        buffer[..HEAD].copy_from_slice(&self.head);
        buffer[headers..headers + len].copy_from_slice(store.slice(at, len));
        if len != self.built() {
            self.resize(store, len, buffer);
        }
    }

    /// Mends lengths and checksums of a frame that got `len` octets of payload instead of `built`.
    fn resize(&self, store: &Payloads, len: usize, b: &mut [u8]) {
        let link = usize::from(self.link);
        match self.net {
            Net::V4 => {
                let (old, new) = self.change_length(b, link + 2, len);
                let sum = Change::of(get16(b, link + 10)).word(old, new).checksum();
                put16(b, link + 10, sum);
            }
            Net::V6 => {
                self.change_length(b, link + 4, len);
            }
            Net::Other => {}
        }
        match self.sum {
            Sum::None => {}
            Sum::Internet { at, pseudo, length_at, never_zero } => {
                let at = usize::from(at);
                let header = self.headers() - usize::from(self.l4);
                let (old, new) = ((header + self.built()) as u16, (header + len) as u16);
                let start = self.payload_at as usize;
                let mut change =
                    Change::of(get16(b, at)).word(store.sum(start, self.built()), store.sum(start, len));
                if pseudo {
                    change = change.word(old, new);
                }
                if let Some(length_at) = length_at {
                    change = change.word(old, new);
                    put16(b, length_at.into(), new);
                }
                let sum = change.checksum();
                put16(b, at, if sum == 0 && never_zero { 0xffff } else { sum });
            }
            Sum::Crc32c { at } => {
                let at = usize::from(at);
                b[at..at + 4].fill(0);
                let crc = crc32c(b[usize::from(self.l4)..self.headers() + len].iter().copied());
                b[at..at + 4].copy_from_slice(&crc.to_le_bytes());
            }
        }
    }

    fn change_length(&self, b: &mut [u8], at: usize, len: usize) -> (u16, u16) {
        let old = get16(b, at);
        let new = (usize::from(old) - self.built() + len) as u16;
        put16(b, at, new);
        (old, new)
    }
}

#[inline]
fn get16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

#[inline]
fn put16(b: &mut [u8], at: usize, value: u16) {
    b[at..at + 2].copy_from_slice(&value.to_be_bytes());
}
