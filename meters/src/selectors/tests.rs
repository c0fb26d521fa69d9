use super::*;
use csn::{MeterSpec, Nanos, Span};

fn selection(text: &str, seed: u64) -> Selection {
    let options = vec![("select".into(), text.into()), ("select-seed".into(), seed.to_string())];
    let spec = MeterSpec { name: "x".into(), options, span: Span::default() };
    Selection::parse(&spec).unwrap_or_else(|e| panic!("{e}")).unwrap()
}

/// A UDP packet over IPv4 with that identification; payload of 8 octets that the numbers give.
fn frame(id: u16, payload: u64) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 36];
    f.extend(id.to_be_bytes());
    f.extend([0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, 4, 210, 7, 208, 0, 16, 0, 0]);
    f.extend(payload.to_be_bytes());
    f
}

fn over(bytes: &[u8], time: Nanos) -> Frame<'_> {
    Frame { bytes, length: bytes.len() as u32, tag: None, time }
}

/// Which of `n` packets, a microsecond apart, are taken.
fn taken(selection: &mut Selection, n: u64) -> Vec<bool> {
    let bytes = frame(1, 1);
    (0..n).map(|i| selection.take(&over(&bytes, Nanos(5_000 + 1_000 * i)))).collect()
}

/// The statistic of Pearson's test, for equal expectations.
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum()
}

/// A bound that a chi-square variable passes once in some ten million times: mean and six standard deviations.
fn bound(degrees: usize) -> f64 {
    let d = degrees as f64;
    d + 6.0 * (2.0 * d).sqrt()
}

#[test]
fn hashes_are_those_of_other_implementations() {
    // those of Digest::JHash 0.10, which is Jenkins' function too
    assert_eq!(bob(b"hello world", 0), 0x1aa9_19e6);
    assert_eq!(bob(b"The quick brown fox jumps over the lazy dog", 0), 0xfc15_58de);
    assert_ne!(bob(b"hello world", 1), bob(b"hello world", 0));
    // the check value that is published for CRC-32
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    // IPSX is linear over exclusive or, and 16 bits of these shifts
    assert_eq!(ipsx([1 << 8, 0, 0, 0]), 1 << 4);
    assert_eq!(ipsx([0, 1, 0, 0]), 1 << 8);
    assert_eq!(ipsx([0, 0, 1, 0]), 1 << 6 | 1 << 10 | 1 << 14);
    let (a, b) = ([0x1234_5678, 0x0a00_0001, 7, 9], [0x8765_4321, 0xc0a8_0001, 1, 0xffff_ffff]);
    let both = [0, 1, 2, 3].map(|i| a[i] ^ b[i]);
    assert_eq!(ipsx(both), ipsx(a) ^ ipsx(b));
}

#[test]
fn systematic_selection_is_exact() {
    let taken_at: Vec<_> = taken(&mut selection("count(2, 3)", 1), 12);
    let at: Vec<_> = taken_at.iter().enumerate().filter(|(_, t)| **t).map(|(i, _)| i).collect();
    assert_eq!(at, [0, 1, 5, 6, 10, 11]);
    // open for 3 us, closed for 7, packets a microsecond apart, from the first on
    let open = taken(&mut selection("time(3 us, 7 us)", 1), 1_000);
    assert!(open.iter().enumerate().all(|(i, t)| *t == (i % 10 < 3)));
    assert_eq!(taken(&mut selection("count(1, 0)", 1), 9), [true; 9]);
}

#[test]
fn n_of_n_takes_exactly_n_and_every_place_alike() {
    let all = taken(&mut selection("random(3, 10)", 1), 100_000);
    let mut places = [0u64; 10];
    for block in all.chunks(10) {
        assert_eq!(block.iter().filter(|t| **t).count(), 3);
        block.iter().zip(&mut places).for_each(|(t, p)| *p += u64::from(*t));
    }
    let statistic = chi_square(&places);
    assert!(statistic < bound(9), "{statistic} of {places:?}");
}

#[test]
fn uniform_selection_attains_its_rate_and_its_gaps_are_geometric() {
    for (seed, p) in [(1, 0.5), (2, 0.1), (3, 0.01)] {
        let n = 200_000u64;
        let mut s = selection(&format!("uniform({p})"), seed);
        let all = taken(&mut s, n);
        let selected = s.report().selected();
        let sigma = (n as f64 * p * (1.0 - p)).sqrt();
        assert!((selected as f64 - n as f64 * p).abs() < 5.0 * sigma, "p = {p}: {selected} of {n}");
        // gaps against the geometric distribution: the largest distance of the two (Kolmogorov, Smirnov)
        let at: Vec<_> = all.iter().enumerate().filter(|(_, t)| **t).map(|(i, _)| i).collect();
        let mut gaps: Vec<_> = at.windows(2).map(|w| w[1] - w[0]).collect();
        gaps.sort_unstable();
        let longest = gaps[gaps.len() - 1];
        let distance = (1..=longest).map(|g| {
            let seen = gaps.partition_point(|x| *x <= g) as f64 / gaps.len() as f64;
            (seen - (1.0 - (1.0 - p).powi(g as i32))).abs()
        });
        let worst = distance.fold(0.0, f64::max);
        assert!(worst < 2.5 / (gaps.len() as f64).sqrt(), "p = {p}: {worst}");
        assert_eq!(all, taken(&mut selection(&format!("uniform({p})"), seed), n), "the seed decides");
    }
}

#[test]
fn larger_packets_are_likelier_in_proportion() {
    let mut s = selection("size(1000)", 1);
    let bytes = frame(1, 1);
    for length in [100u32, 250, 500, 1_000, 1_500] {
        let n = 50_000;
        let count = (0..n).filter(|_| s.take(&Frame { length, ..over(&bytes, Nanos(0)) })).count() as f64;
        let p = f64::from(length.min(1_000)) / 1_000.0;
        let sigma = (f64::from(n) * p * (1.0 - p)).sqrt();
        assert!((count - f64::from(n) * p).abs() <= 5.0 * sigma, "{length}: {count}");
    }
}

#[test]
fn hash_selection_attains_its_share_evenly() {
    for (text, payloads) in
        [("bob(0.1)", true), ("bob(0.1, 77)", true), ("crc(0.1)", true), ("ipsx(0.1)", false)]
    {
        let mut s = selection(text, 1);
        let n = 100_000u64;
        let mut buckets = [0u64; 20];
        for i in 0..n {
            // identifications count up as real ones do; where they run over, other payloads go on
            let bytes =
                frame(i as u16, if payloads { i.wrapping_mul(0x9e37_79b9_7f4a_7c15) } else { i << 32 });
            if s.take(&over(&bytes, Nanos(0))) {
                buckets[(i * 20 / n) as usize] += 1;
            }
        }
        let share = s.report().selected() as f64 / n as f64;
        assert!((share - 0.1).abs() < 0.01, "{text}: {share}");
        if text.starts_with("bob") {
            assert!(chi_square(&buckets) < bound(19), "{text}: {buckets:?}");
        }
    }
}

#[test]
fn two_meters_on_the_way_select_the_same_packets() {
    for text in ["bob(0.2, 5)", "crc(0.2)", "ipsx(0.2)"] {
        let (mut here, mut there) = (selection(text, 1), selection(text, 2));
        let mut selected = 0;
        for i in 0..5_000u64 {
            let sent = frame(i as u16, i.wrapping_mul(0x2545_f491_4f6c_dd1d));
            // behind a router: another link, a tag, one hop less, another checksum and class
            let mut later = sent.clone();
            later[..12].copy_from_slice(&[6, 0, 0, 0, 0, 9, 6, 0, 0, 0, 0, 8]);
            later[15] = 0xb8;
            later[22] = 63;
            later[24..26].copy_from_slice(&[0xab, 0xcd]);
            later.splice(12..12, [0x81, 0, 0, 7]);
            let first = here.take(&over(&sent, Nanos(0)));
            assert_eq!(first, there.take(&over(&later, Nanos(9))), "{text}: packet {i}");
            selected += u32::from(first);
        }
        assert!((700..1_300).contains(&selected), "{text}: {selected}");
    }
}

#[test]
fn selectors_in_a_row_see_what_the_one_before_lets_through() {
    let mut s = selection("match(proto = udp, dstport = {2000, 2001}) | count(1, 4)", 1);
    let mut other = frame(1, 1);
    other[36..38].copy_from_slice(&53u16.to_be_bytes());
    let udp = frame(1, 1);
    for i in 0..100 {
        s.take(&over(if i % 2 == 0 { &udp } else { &other }, Nanos(0)));
    }
    let report = s.report();
    assert_eq!((report.observed, report.selectors[0].selected, report.selected()), (100, 50, 10));
    assert_eq!(report.selectors.iter().map(|s| s.algorithm).collect::<Vec<_>>(), [Some(5), Some(1)]);
    let shown = report.to_string();
    assert!(shown.contains("selected 50 of 100") && shown.contains("attained rate 0.200000"), "{shown}");
}

#[test]
fn what_is_wrong_is_named() {
    for text in [
        "",
        "count",
        "count()",
        "count(0, 9)",
        "count(1, 2, 3)",
        "random(4, 3)",
        "uniform(0)",
        "uniform(1.5)",
        "time(3, 4)",
        "time(0 us, 4 us)",
        "bob(2)",
        "bob(0.1, x)",
        "bob(0.1, 0, 0, 999)",
        "fnv(0.1)",
        "match(dstport = )",
        "count(1, 9) |",
        "match(colour = red)",
    ] {
        let spec = MeterSpec {
            name: "x".into(),
            options: vec![("select".into(), text.into())],
            span: Span::default(),
        };
        match Selection::parse(&spec) {
            Err(crate::MeterError::Option { option, .. }) => assert_eq!(option, "select", "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}
