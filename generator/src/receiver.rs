//! What signed packets tell where they arrive: loss, order, duplicates and latency, per flow and per class.

use crate::signature::Signature;
use csn::{Counts, Nanos};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, HashMap};

/// How far behind the newest packet of its flow a packet is still known from a duplicate of it.
pub const WINDOW: u64 = 256;
const WORDS: usize = (WINDOW / 64) as usize;
/// Latencies above are recorded as this: half the turn of a signature's clock.
const LONGEST: u64 = 550_000_000_000;

/// One direction of a flow, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The number of the class.
    pub class: u16,
    /// The number of the flow.
    pub flow: u32,
    /// All packets, duplicates included.
    pub counts: Counts,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets that came behind a later one (RFC 4737, type-P-reordered).
    pub reordered: u64,
    /// Packets so far behind the newest ([`WINDOW`]) that nobody can say whether they came before.
    pub stale: u64,
    /// The highest sequence number; they start at 0.
    highest: u64,
    /// Different packets.
    distinct: u64,
    /// Which of the newest came; the bit of a packet is its number modulo [`WINDOW`].
    seen: [u64; WORDS],
}

impl Flow {
    fn new(class: u16, flow: u32) -> Self {
        Self {
            class,
            flow,
            counts: Counts::default(),
            duplicates: 0,
            reordered: 0,
            stale: 0,
            highest: 0,
            distinct: 0,
            seen: [0; WORDS],
        }
    }

    /// Packets that did not come, up to the last one that did. What is missing behind that only the sender knows.
    pub fn lost(&self) -> u64 {
        (self.highest + 1).saturating_sub(self.distinct + self.stale)
    }

    fn place(sequence: u64) -> (usize, u64) {
        let bit = sequence % WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn take(&mut self, sequence: u32, length: u64) {
        let first = self.counts.packets == 0;
        self.counts.add(length);
        // numbers have 32 bits: what is far below the highest has turned over
        let ahead = i64::from(sequence.wrapping_sub(self.highest as u32) as i32);
        if first || ahead > 0 {
            let from = if first { 0 } else { self.highest + 1 };
            self.highest = if first { sequence.into() } else { self.highest + ahead as u64 };
            for skipped in from.max(self.highest.saturating_sub(WINDOW - 1))..self.highest {
                let (word, bit) = Self::place(skipped);
                self.seen[word] &= !bit;
            }
        } else if ahead.unsigned_abs() >= WINDOW || ahead.unsigned_abs() > self.highest {
            self.stale += 1;
            return;
        }
        let (word, bit) = Self::place(self.highest.wrapping_add_signed(ahead.min(0)));
        let newest = first || ahead > 0;
        if !newest && self.seen[word] & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.distinct += 1;
        self.reordered += u64::from(!newest);
    }
}

/// What arrived of a class.
#[derive(Clone, Debug)]
pub struct Class {
    /// All packets, duplicates included.
    pub counts: Counts,
    /// Flows, each direction by itself.
    pub flows: u64,
    /// Packets that did not come, as [`Flow::lost`].
    pub lost: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets that came behind a later one.
    pub reordered: u64,
    /// Packets too far behind to be told.
    pub stale: u64,
    /// From sending to receiving, in nanoseconds.
    pub latency: Histogram<u64>,
    /// Packets that arrived before they were sent: the clocks differ.
    pub early: u64,
}

impl Class {
    fn new() -> Self {
        // bounds that hold, so that recording never allocates
        let latency = Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are valid");
        let counts = Counts::default();
        Self { counts, flows: 0, lost: 0, duplicates: 0, reordered: 0, stale: 0, latency, early: 0 }
    }
}

/// Takes packets in, one by one.
#[derive(Debug, Default)]
pub struct Receiver {
    flows: HashMap<(u16, u32), Flow>,
    latencies: HashMap<u16, (Histogram<u64>, u64)>,
    /// Packets without a signature.
    pub unsigned: Counts,
}

impl Receiver {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A frame of `length` octets, of which `bytes` were captured at `time`, since 1970.
    #[inline]
    pub fn take(&mut self, bytes: &[u8], length: u32, time: Nanos) {
        let Some(signature) = Signature::find(bytes) else {
            self.unsigned.add(length.into());
            return;
        };
        let (class, flow) = (signature.class, signature.flow);
        let place = self.flows.entry((class, flow)).or_insert_with(|| Flow::new(class, flow));
        place.take(signature.sequence, length.into());
        let (latency, early) = self.latencies.entry(class).or_insert_with(|| (Class::new().latency, 0));
        match u64::try_from(signature.latency(time)) {
            Ok(nanos) => latency.saturating_record(nanos),
            Err(_) => *early += 1,
        }
    }

    /// Every flow, by class and number.
    pub fn flows(&self) -> Vec<&Flow> {
        let mut flows: Vec<&Flow> = self.flows.values().collect();
        flows.sort_by_key(|f| (f.class, f.flow));
        flows
    }

    /// Every class by its number.
    pub fn classes(&self) -> BTreeMap<u16, Class> {
        let mut out: BTreeMap<u16, Class> = BTreeMap::new();
        for flow in self.flows.values() {
            let class = out.entry(flow.class).or_insert_with(Class::new);
            class.counts += flow.counts;
            class.flows += 1;
            class.lost += flow.lost();
            class.duplicates += flow.duplicates;
            class.reordered += flow.reordered;
            class.stale += flow.stale;
        }
        for (number, (latency, early)) in &self.latencies {
            if let Some(class) = out.get_mut(number) {
                class.latency = latency.clone();
                class.early = *early;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Rng;
    use crate::signature::OCTETS;
    use rand::SeedableRng;
    use rand::seq::SliceRandom;

    fn receive(sequences: impl IntoIterator<Item = u32>) -> Flow {
        let mut receiver = Receiver::new();
        for sequence in sequences {
            let mut frame = [0; 42 + OCTETS];
            Signature { class: 3, flow: 5, sequence, time: 1_000 }.write(&mut frame[42..]);
            receiver.take(&frame, 60, Nanos(1_250));
        }
        let classes = receiver.classes();
        let latency = &classes[&3].latency;
        assert_eq!((latency.max(), latency.min(), latency.len()), (250, 250, classes[&3].counts.packets));
        receiver.flows()[0].clone()
    }

    fn told(flow: &Flow) -> [u64; 5] {
        [flow.counts.packets, flow.lost(), flow.duplicates, flow.reordered, flow.stale]
    }

    #[test]
    fn a_flow_in_order_lacks_nothing() {
        assert_eq!(told(&receive(0..10_000)), [10_000, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_missing_doubled_and_exchanged_is_told_apart() {
        // 0 and 4 are lost, 2 comes twice, 7 comes behind 8
        assert_eq!(told(&receive([1, 2, 2, 3, 5, 6, 8, 7, 9])), [9, 2, 1, 1, 0]);
        // a late packet that came before is a duplicate, not reordered
        assert_eq!(told(&receive([0, 1, 2, 3, 1])), [5, 0, 1, 0, 0]);
        assert_eq!(told(&receive([5, 5])), [2, 5, 1, 0, 0]);
        assert_eq!(told(&receive([300, 0, 299])), [3, 298, 0, 1, 1]);
        // a gap wider than the window forgets what was before it
        assert_eq!(told(&receive([0, 1, 1000, 999, 999])), [5, 997, 1, 1, 0]);
    }

    #[test]
    fn numbers_turn_over() {
        let near_the_end: Vec<u32> = (0..2100u32).map(|i| (i << 21).wrapping_add(i)).collect();
        let flow = receive(near_the_end);
        assert_eq!((flow.reordered, flow.duplicates, flow.stale), (0, 0, 0));
        assert_eq!(flow.lost(), (2099u64 << 21) + 2099 + 1 - 2100);
    }

    #[test]
    fn shuffled_blocks_are_reordered_and_nothing_is_lost() {
        let mut numbers: Vec<u32> = (0..5_000).collect();
        let mut rng = Rng::seed_from_u64(1);
        numbers.chunks_mut(100).for_each(|c| c.shuffle(&mut rng));
        let mut highest = None;
        let behind = numbers.iter().filter(|n| {
            let late = highest > Some(**n);
            highest = highest.max(Some(**n));
            late
        });
        let expected = behind.count() as u64;
        assert_eq!(told(&receive(numbers)), [5_000, 0, 0, expected, 0]);
    }

    #[test]
    fn packets_without_a_signature_are_counted_by_themselves() {
        let mut receiver = Receiver::new();
        receiver.take(&[0; 60], 1500, Nanos(0));
        assert_eq!(receiver.unsigned, Counts { packets: 1, bytes: 1500 });
        assert!(receiver.flows().is_empty());
    }
}
