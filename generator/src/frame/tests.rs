//! Frames against the parser that everyone shares, and edits against building anew.

use super::*;
use crate::dist::Rng;
use crate::tx::Slot;
use csn::packet::{fragment, parse};
use csn::{Field, Key, Value};
use rand::{Rng as _, RngExt, SeedableRng};

/// Any key that a frame of the shape can have, the length aside.
fn any_key(shape: &Shape, rng: &mut Rng) -> Key {
    let mut key = Key::new();
    for field in Field::ALL {
        let Some(domain) = shape.domain(field) else { continue };
        let n = rng.random_range(0..domain.len());
        key.set(field, domain.nth(n).unwrap());
    }
    if let Some(tos) = key.get(Field::Tos) {
        key.set_number(Field::Dscp, tos.bits >> 2);
    }
    key
}

#[test]
fn every_shape_reads_back_as_the_key_it_was_made_from() {
    let mut rng = Rng::seed_from_u64(1);
    for shape in Shape::all() {
        for payload in [0, 1, 30, 1001] {
            let mut key = any_key(&shape, &mut rng);
            if key.get(Field::Length).is_some() {
                key.set_number(Field::Length, (shape.headers() - shape.link() + payload) as u128);
            }
            let frame = build(&shape, &key, &vec![0x5a; payload]);
            assert_eq!(parse(&frame, None), key, "{shape:?}");
            assert_eq!(frame.len(), shape.headers() + payload);
        }
    }
}

#[test]
fn an_edited_frame_is_the_frame_built_anew() {
    let mut rng = Rng::seed_from_u64(2);
    let mut bytes = vec![0; 4000];
    rng.fill_bytes(&mut bytes);
    let store = Payloads::new(bytes.clone());
    let mut slot = Slot::alone(2000);
    for shape in Shape::all() {
        let key = any_key(&shape, &mut rng);
        for built in [0, 7, 100] {
            let at = rng.random_range(0..1000) * 2;
            let template = Template::new(&shape, &key, &store, at, built);
            for len in [0, 1, 2, 7, 99, 100, 1472] {
                template.write(&store, len, &mut slot);
                assert_eq!(
                    slot.frame(),
                    build(&shape, &key, &bytes[at..at + len]),
                    "{shape:?} {built} {len}"
                );
            }
        }
    }
}

/// The one's complement sum of what a transport checksum covers, checksum included: all ones where it is right.
fn transport_sum(shape: &Shape, frame: &[u8]) -> u16 {
    let (ip, l4) = (&frame[shape.link()..], &frame[shape.link() + shape.ip()..]);
    let words = |b: &[u8]| -> u64 {
        b.chunks(2).map(|w| u64::from(w[0]) << 8 | w.get(1).map_or(0, |x| u64::from(*x))).sum()
    };
    let (addresses, proto) = match shape.net {
        Net::V4 => (&ip[12..20], ip[9]),
        _ => (&ip[8..40], if shape.fragment == fragment::NO { ip[6] } else { ip[40] }),
    };
    let pseudo = if shape.net == Net::V4 && shape.transport == Transport::Icmp {
        0
    } else {
        words(addresses) + u64::from(proto) + l4.len() as u64
    };
    fold(words(l4) + pseudo)
}

#[test]
fn checksums_are_right_by_the_receiver_s_arithmetic() {
    let mut rng = Rng::seed_from_u64(3);
    for shape in Shape::all() {
        let mut payload = vec![0; 33];
        rng.fill_bytes(&mut payload);
        let frame = build(&shape, &any_key(&shape, &mut rng), &payload);
        if shape.net == Net::V4 {
            let header = &frame[shape.link()..shape.link() + 20];
            let sum = header.chunks(2).map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum();
            assert_eq!(fold(sum), 0xffff, "{shape:?}");
        }
        let summed = !matches!(shape.transport, Transport::Sctp | Transport::Rest);
        if shape.transport_header() > 0 && summed {
            assert_eq!(transport_sum(&shape, &frame), 0xffff, "{shape:?}");
        }
    }
}

#[test]
fn an_echo_reply_of_zeros_can_change_its_size() {
    let shape = *Shape::all().iter().find(|s| s.net == Net::V4 && s.transport == Transport::Icmp).unwrap();
    let mut key = Key::new();
    for field in [Field::SrcIp, Field::DstIp] {
        key.set(field, Value::v4([192, 0, 2, 1].into()));
    }
    key.set_number(Field::Proto, 1);
    let mut slot = Slot::alone(200);
    let template = Template::new(&shape, &key, &Payloads::new(vec![0; 100]), 0, 10);
    template.write(&Payloads::new(vec![0; 100]), 33, &mut slot);
    assert_eq!(slot.frame(), build(&shape, &key, &[0; 33]));
    assert_eq!(transport_sum(&shape, slot.frame()), 0xffff);
}

#[test]
fn a_known_packet_comes_out_to_the_byte() {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut key = Key::new();
    key.set(Field::SrcIp, Value::v4([192, 0, 2, 1].into()));
    key.set(Field::DstIp, Value::v4([198, 51, 100, 2].into()));
    for (field, n) in [(Field::Proto, 17), (Field::Ttl, 64), (Field::SrcPort, 1234), (Field::DstPort, 2000)] {
        key.set_number(field, n);
    }
    let udp = Shape::all()[0];
    let expected = "4500001d0000400040114e99c0000201c633640204d207d00009c60241";
    assert_eq!(hex(&build(&udp, &key, b"A")[14..]), expected);
    // the sum of this one is zero, which UDP writes as 0xffff
    key.set_number(Field::SrcPort, 51924);
    assert_eq!(hex(&build(&udp, &key, b"A")[34..]), "cad407d00009ffff41");
}
