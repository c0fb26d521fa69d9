//! The built-in meters beside the oracle: random rule sets and frames, from capture files; the RTFM meter through its
//! rule back end, its text, the engine and the flow table besides.
//!
//! `CSNBENCH_SETS` is the number of rule sets (1,000 unless told otherwise, of 1,000 frames each).

use csn::sample::{Frames, Random, is_edge, rule_set};
use csn::{Counts, Field, MeterSpec, Nanos, RuleSet, Span};
use meters::builtin::Off;
use meters::builtin::rtfm::{Classes, Engine, FlowTable, Matching, emit};
use meters::builtin::{BUILTINS, Builtin, RECEIVE, Rules, Session, Source, find, timing};
use meters::capture::Frame;
use meters::{MeterError, Readout, Tells};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const FRAMES: usize = 1000;

fn spec(options: &[(&str, &str)]) -> MeterSpec {
    let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    MeterSpec { name: "x".into(), options, span: Span::default() }
}

fn rtfm() -> &'static dyn Builtin {
    find("rtfm").unwrap()
}

fn sets() -> u64 {
    std::env::var("CSNBENCH_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)
}

/// Fields of frames alone: the interface comes with the source.
fn fields() -> Vec<Field> {
    Field::ALL.into_iter().filter(|f| *f != Field::Interface).collect()
}

fn draw(seed: u64) -> (RuleSet, Vec<Vec<u8>>) {
    let mut random = Random::new(seed);
    let count = 1 + random.below(200);
    let rules = rule_set(&mut random, count, &fields());
    let frames = Frames::new(&rules);
    // what is shorter than a link header the kernel's test runs do not take
    let drawn = std::iter::repeat_with(|| frames.draw(&mut random).bytes).filter(|f| f.len() >= 14);
    let bytes = drawn.take(FRAMES).collect();
    (rules, bytes)
}

fn expected(rules: &RuleSet, frames: &[Vec<u8>]) -> Vec<Counts> {
    let mut out = vec![Counts::default(); rules.classes.len()];
    for f in frames {
        let class = rules.classify(&csn::packet::parse(f, None)).class;
        out[class.index()].add(f.len() as u64);
    }
    out
}

#[test]
fn every_class_counts_what_the_oracle_says() {
    let mut edges = 0u64;
    let mut matched = 0u64;
    for seed in 0..sets() {
        let (rules, frames) = draw(seed);
        let file = emit(&spec(&[]), &rules, rules.rules.len()).unwrap_or_else(|e| panic!("{e}"));
        let text = csn::rtfm::Program::parse(&file.text).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(text, file.program, "the text means what the program does");
        let engine = Engine::new(&text).unwrap_or_else(|e| panic!("{e:?}"));
        let table = FlowTable::new(100_000, Nanos::from_secs(600));
        let mut matching = Matching::new(vec![engine], table, None);
        for (i, bytes) in frames.iter().enumerate() {
            let time = Nanos(i as u64 * 1000);
            let frame = Frame { bytes, length: bytes.len() as u32, tag: None, time };
            matching.packet(&frame, &mut Off);
            edges += u64::from(is_edge(&rules, &csn::packet::parse(bytes, None)));
        }
        let classes = Classes { count: rules.classes.len(), labels: file.labels };
        let counts = classes.counts(&matching);
        let expected = expected(&rules, &frames);
        assert_eq!(counts, expected, "seed {seed}");
        matched += expected[1..].iter().map(|c| c.packets).sum::<u64>();
    }
    let all = sets() * FRAMES as u64;
    assert!(edges * 2 >= all, "only {edges} of {all} frames lie at edges");
    assert!(matched * 5 >= all, "only {matched} of {all} frames are matched at all");
}

fn write_pcap(path: &Path, frames: &[Vec<u8>]) {
    let mut out = std::fs::File::create(path).unwrap();
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (i, f) in frames.iter().enumerate() {
        for word in [1_000 + i as u32 / 100, i as u32 % 100 * 10_000, f.len() as u32, f.len() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(f);
    }
    out.write_all(&bytes).unwrap();
}

fn write_pcapng(path: &Path, frames: &[Vec<u8>]) {
    use pcap_file::DataLink;
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
    let mut out = PcapNgWriter::new(std::fs::File::create(path).unwrap()).unwrap();
    out.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 262_144)).unwrap();
    for (i, f) in frames.iter().enumerate() {
        out.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: std::time::Duration::from_millis(i as u64),
            original_len: f.len() as u32,
            data: f.as_slice().into(),
            options: vec![],
        })
        .unwrap();
    }
}

fn session(path: &Path, rules: Rules, options: &[(&str, &str)]) -> Session {
    Session {
        source: Source::Capture(path.into()),
        rules,
        options: spec(options),
        filter: None,
        flow_data: None,
        details: false,
        control: false,
        time: None,
        stop: Arc::default(),
    }
}

/// Options without which a meter could not count: flows that tell what rules test.
fn needed(meter: &dyn Builtin, rules: &RuleSet) -> Vec<(&'static str, String)> {
    // rules for both directions test those of the other side as well
    let fields: Vec<_> =
        rules.fields().into_iter().flat_map(|f| [f, f.reversed()]).map(Field::name).collect();
    let takes = meter.options().iter().any(|o| o.name == "attributes");
    if takes { vec![("attributes", fields.join(", "))] } else { vec![] }
}

/// Runs a meter on a capture, with these options and those that it needs. None where it can't run here.
fn metered(
    meter: &dyn Builtin,
    path: &Path,
    (rules, loaded): (&RuleSet, usize),
    options: &[(&str, &str)],
) -> Option<Readout> {
    if let Err(e) = meter.version() {
        println!("skipped: {e}");
        return None;
    }
    let needed = needed(meter, rules);
    let mut all: Vec<(&str, &str)> = needed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    all.extend(options);
    let rules = Rules::Csn { ruleset: rules.clone(), loaded };
    match meter.run(session(path, rules, &all)) {
        Ok(readout) => Some(readout),
        // a meter whose structure would be too large says so; the tests have smaller rule sets besides
        Err(MeterError::Loss { rule, .. }) if rule > SMALL => None,
        Err(e) => panic!("{}: {e}", meter.name()),
    }
}

/// Rules that every meter can take.
const SMALL: usize = 25;

/// What a meter must count: classes, or all packets as one where it tells none apart.
fn told(meter: &dyn Builtin, expected: &[Counts]) -> Vec<Counts> {
    if meter.tells_classes() != Tells::Nothing {
        return expected.to_vec();
    }
    let mut out = vec![Counts::default(); expected.len()];
    expected.iter().for_each(|c| out[0] += *c);
    out
}

#[test]
fn every_meter_counts_a_capture_file_as_the_oracle_does() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..sets().div_ceil(10) {
        let (rules, frames) = draw(0x2000 + seed);
        let path = folder.path().join("x.pcap");
        write_pcap(&path, &frames);
        let all = rules.rules.len();
        for loaded in [all, all / 2, all.min(SMALL), 0] {
            let oracle = expected(&rules.first(loaded), &frames);
            for meter in BUILTINS {
                let name = meter.name();
                let Some(readout) = metered(*meter, &path, (&rules, loaded), &[]) else { continue };
                assert_eq!(readout.received, FRAMES as u64, "{name}, seed {seed}");
                assert_eq!(readout.ignored, 0, "{name}, seed {seed}");
                assert_eq!(readout.classes, told(*meter, &oracle), "{name}, seed {seed}, {loaded} rules");
            }
        }
    }
}

#[test]
fn every_meter_counts_as_well_with_filters_and_while_its_elements_are_timed() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, meter) in (0..10).flat_map(|seed| BUILTINS.iter().map(move |m| (seed, m))) {
        let (rules, frames) = draw(0x1000 + seed);
        let path = folder.path().join("x.pcap");
        if seed % 2 == 0 {
            write_pcap(&path, &frames)
        } else {
            write_pcapng(&path, &frames)
        }
        let loaded = (rules.rules.len() / 2).min(SMALL);
        let run = |options: &[(&str, &str)]| metered(*meter, &path, (&rules, loaded), options);
        let Some(timed) = run(&[("timing", "on")]) else { continue };
        let oracle = expected(&rules.first(loaded), &frames);
        assert_eq!(timed.classes, told(*meter, &oracle));
        let (whole, elements) = timed.elements.split_last().unwrap();
        assert_eq!((whole.name.as_str(), elements[0].name.as_str()), (timing::WHOLE, RECEIVE));
        let halves = |e: &meters::meter::ElementTimes| e.count + whole.count == FRAMES as u64 && e.count > 0;
        assert!(elements.iter().all(halves), "{:?}", timed.elements);
        let mut inside = oracle;
        inside[0] = Counts::default();
        let takes_filter = meter.options().iter().any(|o| o.name == "prefilter");
        for form in ["linear", "tree"].into_iter().filter(|_| takes_filter) {
            let Some(filtered) = run(&[("prefilter", "bpf"), ("form", form)]) else { continue };
            assert_eq!(filtered.classes, told(*meter, &inside), "{}, seed {seed}", meter.name());
            assert_eq!(filtered.admitted, Some(filtered.received));
        }
    }
}

#[test]
fn flow_data_are_written_in_the_rules_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    let mut frame = vec![0u8; 60];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[23] = 17;
    frame[26..30].copy_from_slice(&[10, 0, 0, 1]);
    frame[30..34].copy_from_slice(&[10, 0, 0, 2]);
    let mut back = frame.clone();
    back[26..34].rotate_left(4);
    write_pcap(&path, &[frame.clone(), back, frame]);
    let rules = "SET 7 RULES
        Null & 0 = 0: GotoAct, Next;
        SourcePeerAddress & 255.255.255.255 = 0: PushPktToAct, Next;
        DestPeerAddress & 255.255.255.0 = 0: PushPktToAct, Next;
        Null & 0 = 0: Count, 0;
        FORMAT FlowRuleSet FlowIndex \": \" SourcePeerAddress DestPeerAddress DestPeerMask \" \" ToPDUs FromPDUs;
        STATISTICS";
    let data = folder.path().join("flows");
    let mut session = session(&path, Rules::Texts(vec![rules.into()]), &[]);
    session.flow_data = Some(data.clone());
    let readout = rtfm().run(session).unwrap();
    let text = std::fs::read_to_string(data).unwrap();
    assert_eq!((readout.received, readout.classes.len(), readout.flows), (3, 0, 2), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "#Ruleset: 7");
    assert!(lines.contains(&"7 1: 10.0.0.1 10.0.0.0 255.255.255.0 2 0"), "{text}");
    assert!(lines.last().unwrap().starts_with("#Stats: active=2 "), "{text}");
}

#[test]
fn what_is_wrong_is_told_with_its_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let run = |session: Session| rtfm().run(session).unwrap_err().to_string();
    let rules = || Rules::Texts(vec!["SET 2 RULES Null & 0 = 0: Count, 0;".into()]);
    let missing = run(session(&path, rules(), &[]));
    assert!(missing.contains("read") && missing.contains("x"), "{missing}");
    std::fs::write(&path, b"not a capture at all, but long enough for a header").unwrap();
    let broken = run(session(&path, rules(), &[]));
    assert!(broken.contains("not a pcap or pcapng file"), "{broken}");
    write_pcap(&path, &[vec![0; 60]]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let cut = run(session(&path, rules(), &[]));
    assert!(cut.contains("behind packet 0"), "{cut}");
    let mut other_link = whole.clone();
    other_link[20] = 101;
    std::fs::write(&path, &other_link).unwrap();
    let link = run(session(&path, rules(), &[]));
    assert!(link.contains("only Ethernet"), "{link}");
    std::fs::write(&path, &whole).unwrap();
    let text = run(session(&path, Rules::Texts(vec!["SET 2 RULES Null & 0 = 0: Goto, 7;".into()]), &[]));
    assert!(text.contains("rule"), "{text}");
    let twice = Rules::Texts(vec!["SET 2 RULES Null & 0 = 0: Count, 0;".into(); 2]);
    assert!(run(session(&path, twice, &[])).contains("own number"));
    let mut nowhere = session(&path, rules(), &[]);
    nowhere.source = Source::Interface("no-such-if0".into());
    let nowhere = run(nowhere);
    assert!(nowhere.contains("no-such-if0") && nowhere.contains("lo"), "{nowhere}");
}
