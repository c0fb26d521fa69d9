//! A frame of a flow that is written again and again: headers are copied; where size, sequence number or signature
//! change, lengths and checksums follow by arithmetic.

use super::build::{ACK, build, checksum_offset, never_zero};
use super::checksum::{Change, crc32c, fold};
use super::shape::{Net, Shape, Transport};
use super::tunnel;
use crate::signature::{self, Signature};
use crate::tx::Slot;
use csn::packet::fragment;
use csn::{Key, Layer};
use std::hint::black_box;

/// The room for usual headers: a tag, a label, IPv6 with a fragment header and TCP are 90 octets.
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
    /// What the headers have beyond [`HEAD`].
    more: Box<[u8]>,
    headers: u8,
    link: u8,
    l4: u8,
    net: Net,
    sum: Sum,
    /// Where the inner IP header of a tunnel starts.
    inner: Option<u8>,
    /// Whether there are sequence numbers of TCP.
    tcp: bool,
    /// Whether packets are fragments, each of a datagram of its own.
    fragment: bool,
    /// What the next packet is signed with, its time aside.
    signature: Option<Signature>,
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
        let near = headers.min(HEAD);
        head[..near].copy_from_slice(&frame[..near]);
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
        let inner = shape
            .around
            .tunnel
            .map(|t| (shape.link() + shape.ip() + shape.transport_header() + tunnel::before_inner(t)) as u8);
        Self {
            head,
            more: frame[near..headers].into(),
            headers: headers as u8,
            link: shape.link() as u8,
            l4,
            net: shape.net,
            sum,
            inner,
            tcp: shape.transport == Transport::Tcp && shape.fragment != fragment::LATER,
            fragment: shape.fragment != fragment::NO,
            signature: None,
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

    /// Signs every packet, as the flow's next from 0 on. Payloads are then at least [`signature::OCTETS`] long.
    pub fn sign(&mut self, store: &Payloads, class: u16, flow: u32) {
        self.signature = Some(Signature { class, flow, sequence: 0, time: 0 });
        // all signatures have one sum, which takes the place of that of the bytes below: from here on no checksum
        // needs to know
        let below = store.sum(self.payload_at as usize, signature::OCTETS);
        let mut headers: Vec<u8> = self.head.iter().chain(&self.more).copied().collect();
        self.mend(Change::none().word(below, signature::SUM), self.built(), &mut headers);
        self.head.copy_from_slice(&headers[..HEAD]);
        self.more.copy_from_slice(&headers[HEAD..]);
    }

    /// Writes the flow's next frame with `len` octets of payload, stamped with the slot's time where it is signed.
    #[inline]
    pub fn write(&mut self, store: &Payloads, len: usize, slot: &mut Slot) {
        let headers = self.headers();
        let at = self.payload_at as usize;
        let time = slot.stamp.0;
        let buffer = slot.buffer(headers + len);
        // a copy of known size is a few vector moves; what is too much is overwritten at once
        buffer[..HEAD].copy_from_slice(&self.head);
        if headers > HEAD {
            buffer[HEAD..headers].copy_from_slice(&self.more);
        }
        buffer[headers..headers + len].copy_from_slice(store.slice(at, len));
        if len != self.built() {
            let (old, new) = (store.sum(at, self.built()), store.sum(at, len));
            self.mend(Change::none().word(old, new), len, buffer);
            self.protect(len, buffer);
        }
        if let Some(signature) = &mut self.signature {
            signature.time = time;
            signature.write(&mut buffer[headers..headers + len]);
            signature.sequence = signature.sequence.wrapping_add(1);
            self.protect(len, buffer);
        }
        if self.fragment {
            self.next_datagram();
        }
        if self.tcp {
            let end = self.sequence_end(len);
            self.put_number(4, end);
        }
    }

    /// Gives the next packet the next identification: fragments that share one are pieces of one datagram.
    fn next_datagram(&mut self) {
        let ip = usize::from(self.link);
        match self.net {
            Net::V4 => {
                let old = self.word(ip + 4);
                let new = old.wrapping_add(1);
                let sum = Change::of(self.word(ip + 10)).word(old, new).checksum();
                self.put_word(ip + 4, new);
                self.put_word(ip + 10, sum);
            }
            // the low half of 32 bits: behind next header, reserved octet, offset and the high half
            Net::V6 => self.put_word(ip + 46, self.word(ip + 46).wrapping_add(1)),
            Net::Other => {}
        }
    }

    /// A word of the headers, at an even offset.
    fn word(&self, at: usize) -> u16 {
        if at < HEAD { get16(&self.head, at) } else { get16(&self.more, at - HEAD) }
    }

    fn put_word(&mut self, at: usize, value: u16) {
        if at < HEAD { put16(&mut self.head, at, value) } else { put16(&mut self.more, at - HEAD, value) }
    }

    /// The sequence number behind the last packet that was written; none where there is no TCP.
    pub fn sequence(&self) -> Option<u32> {
        self.tcp.then(|| self.number(4))
    }

    /// Acknowledges, from the next packet on, what came the other way before `sequence`.
    pub fn acknowledge(&mut self, sequence: u32) {
        if self.tcp && self.flags() & ACK != 0 {
            self.put_number(8, sequence);
        }
    }

    /// The sequence number behind a packet with so many octets of payload: SYN and FIN count as one (RFC 9293).
    fn sequence_end(&self, len: usize) -> u32 {
        let flags = self.flags();
        let counted = len as u32 + u32::from(flags & 2 != 0) + u32::from(flags & 1 != 0);
        self.number(4).wrapping_add(counted)
    }

    /// The flags of the TCP header.
    fn flags(&self) -> u8 {
        self.word(usize::from(self.l4) + 12) as u8
    }

    fn number(&self, at: usize) -> u32 {
        let at = usize::from(self.l4) + at;
        u32::from(self.word(at)) << 16 | u32::from(self.word(at + 2))
    }

    /// Changes a number of the TCP header, and the checksum with it.
    fn put_number(&mut self, at: usize, value: u32) {
        let old = self.number(at);
        let l4 = usize::from(self.l4);
        let sum = Change::of(self.word(l4 + 16))
            .word((old >> 16) as u16, (value >> 16) as u16)
            .word(old as u16, value as u16)
            .checksum();
        self.put_word(l4 + at, (value >> 16) as u16);
        self.put_word(l4 + at + 2, value as u16);
        self.put_word(l4 + 16, sum);
    }

    /// Writes the checksum that does not follow from changes.
    fn protect(&self, len: usize, b: &mut [u8]) {
        if let Sum::Crc32c { at } = self.sum {
            let at = usize::from(at);
            b[at..at + 4].fill(0);
            let crc = crc32c(b[usize::from(self.l4)..self.headers() + len].iter().copied());
            b[at..at + 4].copy_from_slice(&crc.to_le_bytes());
        }
    }

    /// Mends lengths and checksums of headers that get `len` octets of payload instead of `built`, and a payload that
    /// differs by `changes`.
    fn mend(&self, changes: Change, len: usize, b: &mut [u8]) {
        let link = usize::from(self.link);
        let changes = self.mend_inner(changes, len, b);
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
            // the length of SCTP's chunk; the checksum itself follows in `protect`
            Sum::Crc32c { at } => drop(self.change_length(b, usize::from(at) + 6, len)),
            Sum::Internet { at, pseudo, length_at, never_zero } => {
                let at = usize::from(at);
                let header = self.headers() - usize::from(self.l4);
                let (old, new) = ((header + self.built()) as u16, (header + len) as u16);
                let mut change = Change::of(get16(b, at)).all(changes);
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
        }
    }

    /// Mends the headers inside of a tunnel, and answers all that changes for the headers outside.
    fn mend_inner(&self, changes: Change, len: usize, b: &mut [u8]) -> Change {
        let Some(ip) = self.inner.map(usize::from) else { return changes };
        let udp = ip + 20;
        let before = (get16(b, udp + 6), get16(b, ip + 10));
        let (old, new) = self.change_length(b, udp + 4, len);
        // the length counts in the header and in the pseudo header
        let sum = Change::of(before.0).all(changes).word(old, new).word(old, new).checksum();
        put16(b, udp + 6, if sum == 0 { 0xffff } else { sum });
        let changes = changes.word(old, new).word(before.0, get16(b, udp + 6));
        let (old, new) = self.change_length(b, ip + 2, len);
        put16(b, ip + 10, Change::of(before.1).word(old, new).checksum());
        changes.word(old, new).word(before.1, get16(b, ip + 10))
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
