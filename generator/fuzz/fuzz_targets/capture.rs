//! Any bytes are read as a capture; its packets are mapped into a lab, which changes nothing but addresses, and checksums
//! that were to be filled in.
#![no_main]

use csn::{Field, Range, Value, ValueSet, packet};
use generator::recorded::{Networks, Rewrite, Seen, reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut frames = Vec::new();
    let mut seen = Seen::default();
    let _ = reader::read(data, "fuzz", |p| {
        assert!(p.bytes.len() <= p.length as usize);
        let key = packet::parse(p.bytes, None);
        [Field::SrcIp, Field::DstIp].into_iter().filter_map(|f| key.get(f)).for_each(|v| seen.add(v));
        frames.push(p.bytes.to_vec());
    });
    let four = Range::prefix(Value::v4([10, 0, 0, 0].into()), 8);
    let six = Range::prefix(Value::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into()), 32);
    let networks = Networks::of(&ValueSet::from_ranges([four, six])).expect("one prefix of each family");
    let Ok(addresses) = seen.map(&networks) else { return };
    let rewrite = Rewrite { macs: None, addresses };
    for mut frame in frames {
        let before = packet::parse(&frame, None);
        let length = frame.len();
        rewrite.apply(&mut frame);
        assert_eq!(frame.len(), length);
        let after = packet::parse(&frame, None);
        for field in Field::ALL {
            let (old, new) = (before.get(field), after.get(field));
            if field.is_address() {
                assert_eq!(old.map(|v| v.family), new.map(|v| v.family), "{field}");
            } else {
                assert_eq!(old, new, "{field}");
            }
        }
    }
});
