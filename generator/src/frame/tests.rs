//! Frames against the parser that everyone shares, and edits against building anew.

use super::*;
use crate::dist::Rng;
use crate::signature::Signature;
use crate::tx::Slot;
use csn::mix::{Encapsulation, Tunnel};
use csn::packet::{fragment, parse};
use csn::{Field, Key, Value};
use rand::{Rng as _, RngExt, SeedableRng};

/// Every shape, plain and within encapsulations.
fn shapes() -> Vec<Shape> {
    let around = |inner_tag, labels, tunnel| Encapsulation { inner_tag, labels, tunnel };
    let mut out = Shape::all();
    for encapsulation in [
        around(Some(200), 0, None),
        around(None, 16, None),
        around(Some(7), 2, Some(Tunnel::Gre { key: None })),
        around(None, 0, Some(Tunnel::Gre { key: Some(0xdead_beef) })),
        around(None, 0, Some(Tunnel::Vxlan { vni: 42 })),
        around(Some(7), 16, Some(Tunnel::Vxlan { vni: 0xff_ffff })),
    ] {
        out.extend(Shape::within(encapsulation));
    }
    out
}

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
    for shape in shapes() {
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
    for shape in shapes() {
        let key = any_key(&shape, &mut rng);
        for built in [0, 7, 100] {
            let at = rng.random_range(0..1000) * 2;
            let template = Template::new(&shape, &key, &store, at, built);
            for len in [0, 1, 2, 7, 99, 100, 1472] {
                template.clone().write(&store, len, &mut slot);
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
fn a_signed_frame_has_right_checksums_and_counts_its_flow() {
    let mut rng = Rng::seed_from_u64(4);
    let mut bytes = vec![0; 4000];
    rng.fill_bytes(&mut bytes);
    let store = Payloads::new(bytes);
    let mut slot = Slot::alone(2000);
    for shape in shapes() {
        let mut template = Template::new(&shape, &any_key(&shape, &mut rng), &store, 24, 40);
        template.sign(&store, 9, 77);
        for (sequence, len) in [40, 18, 19, 40, 1000].into_iter().enumerate() {
            slot.stamp = csn::Nanos(5_000_000_000_000 + sequence as u64);
            template.write(&store, len, &mut slot);
            let signature = Signature::find(slot.frame()).unwrap();
            let told = (signature.class, signature.flow, signature.sequence);
            assert_eq!(told, (9, 77, sequence as u32), "{shape:?}");
            assert_eq!(signature.latency(csn::Nanos(5_000_000_000_100)), 100 - sequence as i64);
            assert_checksums(&shape, slot.frame());
        }
    }
}

#[test]
fn fragments_are_of_a_datagram_each() {
    let mut rng = Rng::seed_from_u64(6);
    let store = Payloads::new(vec![3; 200]);
    let mut slot = Slot::alone(400);
    for shape in shapes().iter().filter(|s| s.fragment != fragment::NO) {
        let mut template = Template::new(shape, &any_key(shape, &mut rng), &store, 0, 40);
        let at = shape.link() + if shape.net == Net::V4 { 4 } else { 46 };
        for id in 1..=3 {
            template.write(&store, 64, &mut slot);
            assert_eq!(slot.frame()[at..at + 2], [0, id], "{shape:?}");
            assert_checksums(shape, slot.frame());
        }
    }
}

#[test]
fn tcp_goes_on_where_it_ended_and_acknowledges_the_other_way() {
    let deep = Encapsulation { inner_tag: Some(3), labels: 16, tunnel: None };
    for shapes in [Shape::all(), Shape::within(deep)] {
        let tcp = shapes.iter().find(|s| s.transport == Transport::Tcp).unwrap();
        goes_on(tcp);
    }
}

fn goes_on(tcp: &Shape) {
    let mut key = any_key(tcp, &mut Rng::seed_from_u64(5));
    key.set_number(Field::TcpFlags, 0x18);
    let store = Payloads::new(vec![1; 2000]);
    let mut slot = Slot::alone(2000);
    let mut forth = Template::new(tcp, &key, &store, 0, 100);
    let mut back = Template::new(tcp, &key.reversed(), &store, 0, 100);
    let l4 = tcp.link() + tcp.ip();
    let number =
        |frame: &[u8], at: usize| u32::from_be_bytes(frame[l4 + at..l4 + at + 4].try_into().unwrap());
    // where each way ended so far
    let mut ends = [None, None];
    for len in [100, 0, 7, 1460, 100] {
        for way in [0, 1] {
            let (from, to) = if way == 0 { (&mut forth, &mut back) } else { (&mut back, &mut forth) };
            from.write(&store, len, &mut slot);
            assert_checksums(tcp, slot.frame());
            let sequence = number(slot.frame(), 4);
            assert_eq!(sequence, ends[way].unwrap_or(sequence));
            if let Some(other) = ends[1 - way] {
                assert_eq!(number(slot.frame(), 8), other);
            }
            ends[way] = Some(sequence.wrapping_add(len as u32));
            to.acknowledge(from.sequence().unwrap());
        }
    }
}

#[test]
fn checksums_are_right_by_the_receiver_s_arithmetic() {
    let mut rng = Rng::seed_from_u64(3);
    for shape in shapes() {
        let mut payload = vec![0; 33];
        rng.fill_bytes(&mut payload);
        assert_checksums(&shape, &build(&shape, &any_key(&shape, &mut rng), &payload));
    }
}

/// Every Internet checksum of the frame; those inside of a tunnel are of UDP over IPv4.
fn assert_checksums(shape: &Shape, frame: &[u8]) {
    if shape.net == Net::V4 {
        let header = &frame[shape.link()..shape.link() + 20];
        let sum = header.chunks(2).map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        assert_eq!(fold(sum), 0xffff, "{shape:?}");
    }
    let summed = !matches!(shape.transport, Transport::Sctp | Transport::Rest);
    if shape.transport_header() > 0 && summed {
        assert_eq!(transport_sum(shape, frame), 0xffff, "{shape:?}");
    }
    if shape.around.tunnel.is_some() {
        // 28 octets of headers end where the payload starts; what is before them does not matter
        let inner = Shape::all()[0];
        let inside = &frame[shape.headers() - inner.headers()..];
        assert_checksums(&inner, inside);
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
    let mut template = Template::new(&shape, &key, &Payloads::new(vec![0; 100]), 0, 10);
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
