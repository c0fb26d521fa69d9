use super::*;

const NOW: Nanos = Nanos(1_700_000_000_000_000_000);

/// A message of IPFIX with these sets.
fn ipfix(sequence: u32, sets: &[(u16, &[u8])]) -> Vec<u8> {
    let mut m = vec![0, 10, 0, 0, 0, 0, 0, 9];
    m.extend(sequence.to_be_bytes());
    m.extend([0, 0, 0, 7]);
    for (id, body) in sets {
        m.extend(id.to_be_bytes());
        m.extend((body.len() as u16 + 4).to_be_bytes());
        m.extend(*body);
    }
    let length = (m.len() as u16).to_be_bytes();
    m[2..4].copy_from_slice(&length);
    m
}

/// Template 256: octetDeltaCount in 2 octets, selectorName of any length.
const NAMES: &[u8] = &[1, 0, 0, 2, 0, 1, 0, 2, 1, 79, 0xff, 0xff];
/// Template 300: packetDeltaCount in 1 octet.
const PACKETS: &[u8] = &[1, 44, 0, 1, 0, 2, 0, 1];

fn feed(session: &mut Session, message: &[u8], now: Nanos) -> Result<Vec<String>, Malformed> {
    let (header, body) = Header::read(message)?;
    let mut out = Vec::new();
    session.message(&header, body, now, &mut |record| {
        out.push(record.values().map(|(f, v)| format!("{f}={v}")).collect::<Vec<_>>().join(" "));
    })?;
    Ok(out)
}

fn session(reliable: bool) -> Session {
    Session::new(Limits::default(), reliable)
}

#[test]
fn records_of_any_length_are_read_and_padding_is_left_alone() {
    let mut s = session(false);
    let data = [1, 2, 3, b'a', b'b', b'c', 0, 5, 255, 0, 1, b'd', 0, 0];
    let records = feed(&mut s, &ipfix(0, &[(2, NAMES), (256, &data)]), NOW).unwrap();
    assert_eq!(records, ["octetDeltaCount=258 selectorName=abc", "octetDeltaCount=5 selectorName=d"]);
    assert_eq!((s.statistics().records, s.statistics().templates), (2, 1));
}

#[test]
fn data_before_their_template_wait_within_the_bound() {
    let mut s = session(false);
    assert!(feed(&mut s, &ipfix(0, &[(300, &[1, 2])]), NOW).unwrap().is_empty());
    assert_eq!((s.statistics().early, s.statistics().undecoded), (1, 1));
    let records = feed(&mut s, &ipfix(2, &[(2, PACKETS), (300, &[3])]), NOW).unwrap();
    assert_eq!(records, ["packetDeltaCount=1", "packetDeltaCount=2", "packetDeltaCount=3"]);
    assert_eq!((s.statistics().undecoded, s.statistics().lost, s.statistics().records), (0, 0, 3));
    let limits = Limits { waiting: 3 * (8 + size_of::<Waiting>()), ..Limits::default() };
    let mut s = Session::new(limits, false);
    for i in 0..100 {
        feed(&mut s, &ipfix(i, &[(300, &[i as u8; 8])]), NOW).unwrap();
        assert!(s.waiting_octets <= limits.waiting);
    }
    assert_eq!(s.waiting.len(), 3);
    assert_eq!(s.statistics().undecoded, 100);
    assert_eq!(feed(&mut s, &ipfix(9, &[(2, PACKETS)]), NOW).unwrap().len(), 24);
    assert_eq!((s.statistics().undecoded, s.waiting_octets), (97, 0));
}

#[test]
fn templates_are_withdrawn_over_tcp_only() {
    let withdrawal: &[u8] = &[1, 44, 0, 0];
    for (reliable, all, left) in [(true, false, 0), (true, true, 0), (false, false, 1), (false, true, 1)] {
        let mut s = session(reliable);
        feed(&mut s, &ipfix(0, &[(2, PACKETS)]), NOW).unwrap();
        let withdrawal = if all { &[0, 2, 0, 0] } else { withdrawal };
        feed(&mut s, &ipfix(0, &[(2, withdrawal)]), NOW).unwrap();
        assert_eq!(s.templates().count(), left, "reliable {reliable}, all {all}");
    }
    let mut s = session(true);
    feed(&mut s, &ipfix(0, &[(2, PACKETS)]), NOW).unwrap();
    feed(&mut s, &ipfix(0, &[(3, &[0, 3, 0, 0])]), NOW).unwrap();
    assert_eq!(s.templates().count(), 1, "options templates only were withdrawn");
    assert_eq!(s.fields, 1);
}

#[test]
fn over_udp_templates_are_replaced_and_forgotten() {
    let mut s = session(false);
    let wider: &[u8] = &[1, 44, 0, 1, 0, 2, 0, 2];
    feed(&mut s, &ipfix(0, &[(2, PACKETS)]), NOW).unwrap();
    feed(&mut s, &ipfix(0, &[(2, PACKETS)]), NOW).unwrap();
    assert_eq!(s.statistics().redefined, 0);
    let records = feed(&mut s, &ipfix(0, &[(2, wider), (300, &[1, 0])]), NOW).unwrap();
    assert_eq!((records, s.statistics().redefined), (vec!["packetDeltaCount=256".to_owned()], 1));
    let later = Nanos(NOW.0 + Limits::default().lifetime.0 + 1);
    assert!(feed(&mut s, &ipfix(1, &[(300, &[1, 0])]), later).unwrap().is_empty());
    assert_eq!((s.templates().count(), s.fields), (0, 0));
    let mut s = session(true);
    feed(&mut s, &ipfix(0, &[(2, PACKETS)]), NOW).unwrap();
    assert_eq!(feed(&mut s, &ipfix(1, &[(300, &[1])]), later).unwrap().len(), 1);
}

#[test]
fn templates_beyond_the_bounds_are_refused() {
    let limits = Limits { templates: 2, fields: 10, ..Limits::default() };
    let mut s = Session::new(limits, false);
    for id in 256..260u16 {
        let [a, b] = id.to_be_bytes();
        feed(&mut s, &ipfix(0, &[(2, &[a, b, 0, 1, 0, 2, 0, 1])]), NOW).unwrap();
    }
    assert_eq!((s.templates().count(), s.statistics().refused), (2, 2));
    let mut wide = vec![1, 0, 0, 11];
    (0..11).for_each(|_| wide.extend([0, 2, 0, 1]));
    feed(&mut s, &ipfix(0, &[(2, &wide)]), NOW).unwrap();
    assert_eq!((s.templates().count(), s.fields, s.statistics().refused), (1, 1, 3));
}

#[test]
fn what_cannot_be_is_refused_as_a_whole() {
    let mut s = session(false);
    // a template of no octets, of an id that is none, of more fields than there are, and options without scope
    for bad in [&[1, 0, 0, 1, 0, 2, 0, 0][..], &[0, 9, 0, 1, 0, 2, 0, 1], &[1, 0, 0, 2, 0, 2, 0, 1]] {
        assert!(feed(&mut s, &ipfix(0, &[(2, PACKETS), (2, bad)]), NOW).is_err(), "{bad:?}");
    }
    assert!(feed(&mut s, &ipfix(0, &[(3, &[1, 0, 0, 1, 0, 0, 0, 2, 0, 1])]), NOW).is_err());
    let mut empty = vec![1, 0, 0, 18, 0, 2, 0, 1];
    (0..17).for_each(|_| empty.extend([0, 1, 0, 0]));
    assert!(feed(&mut s, &ipfix(0, &[(2, &empty)]), NOW).is_err(), "records that cost nobody anything");
    assert_eq!((s.templates().count(), s.statistics().malformed), (0, 5));
    // a record that reaches behind its set ends it; those before count
    feed(&mut s, &ipfix(0, &[(2, NAMES)]), NOW).unwrap();
    let mut seen = 0;
    let message = ipfix(0, &[(256, &[0, 1, 1, b'a', 0, 1, 200, b'b'])]);
    let (header, body) = Header::read(&message).unwrap();
    assert!(s.message(&header, body, NOW, &mut |_| seen += 1).is_err());
    assert_eq!((seen, s.statistics().records, s.statistics().malformed), (1, 1, 6));
}

#[test]
fn options_of_netflow_9_have_scopes_of_their_own() {
    let mut m = vec![0, 9, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7];
    // options template 400: scope interface in 2 octets, samplingInterval in 4; then a record, padded
    m.extend([0, 1, 0, 20, 1, 144, 0, 4, 0, 4, 0, 2, 0, 2, 0, 34, 0, 4, 0, 0]);
    m.extend([1, 144, 0, 12, 0, 3, 0, 0, 0, 100, 0, 0]);
    let mut s = session(false);
    assert_eq!(feed(&mut s, &m, NOW).unwrap(), ["interface=3 samplingInterval=100"]);
    let mut flows = 0;
    let (header, body) = Header::read(&m).unwrap();
    s.message(&header, body, NOW, &mut |r| r.flows(&mut |_| flows += 1)).unwrap();
    assert_eq!((flows, s.statistics().options, s.statistics().late), (0, 2, 1));
}
