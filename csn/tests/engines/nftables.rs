//! nftables: the counters of a table at the ingress of a veth pair.

use crate::agree::{Engine, Job, backend};
use crate::network::{Network, RECEIVER, installed, run, run_with};
use csn::backends::{Backend, Options};
use csn::imports;
use csn::sample::{Frames, Random, rule_set};
use csn::{Field, FrameKinds, RuleSet, packet};

/// One of the forms of the back end, in a namespace of the test's own.
pub struct Nftables {
    form: &'static str,
    network: Option<Network>,
}

impl Nftables {
    /// Rules in this form.
    pub fn new(form: &'static str) -> Self {
        Self { form, network: None }
    }
}

impl Engine for Nftables {
    fn name(&self) -> String {
        format!("nftables ({})", self.form)
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("nftables")
    }

    fn options(&self) -> Options {
        let form = self.backend().forms().iter().copied().find(|f| f.name == self.form);
        assert!(form.is_some(), "the form exists");
        Options { form, interface: RECEIVER.into(), ..Options::default() }
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn missing(&self) -> Option<String> {
        Network::missing().or_else(|| installed("nft", "nftables"))
    }

    /// The kernel drops tagged frames with less than two octets behind the tag, which no Ethernet frame is.
    fn unseen(&self, frame: &[u8]) -> bool {
        frame.len() < 20 && [[0x81, 0x00], [0x88, 0xa8]].iter().any(|t| frame[12..14] == *t)
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules: _, made, frames, .. } = job;
        let network = self.network.get_or_insert_with(|| Network::new().expect("a namespace can be made"));
        run("nft flush ruleset");
        load(self.form, &made.artefact);
        send(network, frames);
        let counted = counters();
        let packets = |label: &String| counted.iter().find(|(name, _)| name == label).map(|(_, n)| *n);
        made.labels.iter().map(|(label, _)| packets(label)).collect()
    }
}

/// Sends the frames, never more at a time than the kernel's queue of received frames holds (1,000 as it comes).
pub fn send(network: &Network, frames: &[Vec<u8>]) {
    frames.chunks(500).for_each(|some| network.send(some));
}

/// Loads a table.
pub fn load(form: &str, artefact: &str) {
    run_with(if form == "json" { "nft -j -f -" } else { "nft -f -" }, artefact);
}

/// The packets of every named counter.
fn counters() -> Vec<(String, u64)> {
    let listed: serde_json::Value =
        serde_json::from_str(&run("nft -j list counters table netdev csn")).expect("nft prints JSON");
    let objects = listed["nftables"].as_array().expect("a list");
    let counter = |o: &serde_json::Value| {
        let counter = o.get("counter")?;
        Some((counter["name"].as_str()?.to_owned(), counter["packets"].as_u64()?))
    };
    objects.iter().filter_map(counter).collect()
}

/// What nft lists of a table reads as the rules that the table was made of.
pub fn listings_read_back() {
    if let Some(reason) = Nftables::new("json").missing() {
        println!("skipped: listings of nftables: {reason}");
        return;
    }
    let _network = Network::new().expect("a namespace can be made");
    let import = imports::by_name("nftables").expect("the import exists");
    let classbench = imports::by_name("classbench").expect("the import exists");
    let mut sets: Vec<RuleSet> =
        (0..40).map(|seed| rule_set(&mut Random::new(seed), 1 + seed as usize, &Field::ALL[1..])).collect();
    sets.push(classbench.parse(include_str!("../../testdata/classbench/fw1_1k")).rules);
    let mut count = 0;
    for rules in &sets {
        let json = Nftables::new("json").options();
        let made = backend("nftables").emit(rules, &json);
        // what is left of them as the import says it
        let told = import.parse(&made.artefact);
        assert!(told.diagnostics.iter().all(|d| d.code == "W503"), "{:?}", told.diagnostics);
        count += told.rules.rules.len();
        for form in ["ordered", "json", "map"] {
            let made = backend("nftables").emit(&told.rules, &Nftables::new(form).options());
            run("nft flush ruleset");
            load(form, &made.artefact);
            let listed = run("nft -j list ruleset");
            let read = import.parse(&listed);
            if let Some(d) = read.diagnostics.first() {
                println!("{}", &listed[d.span.start as usize..d.span.end as usize]);
            }
            assert_eq!(read.diagnostics, [], "{form}: {}", made.artefact);
            if form == "map" {
                classify_alike(&told.rules, &read.rules, made.outside_kinds());
            } else {
                assert_eq!(read.rules.without_places(), told.rules.without_places(), "{}", made.artefact);
            }
        }
    }
    println!("nftables: {count} rules of {} listings read back", 3 * sets.len());
}

/// Maps leave the order of rules that have no packet in common to nft.
fn classify_alike(a: &RuleSet, b: &RuleSet, outside: FrameKinds) {
    let mut random = Random::new(1);
    for _ in 0..300 {
        let frame = Frames::new(a).draw(&mut random).bytes;
        if FrameKinds::of(&frame, None).intersects(outside) {
            continue;
        }
        let key = packet::parse(&frame, None);
        let rule = |rules: &RuleSet| rules.classify(&key).rule.map(|r| rules.rules[r].tests.clone());
        let class = |rules: &RuleSet| rules.label(rules.classify(&key).class);
        assert!(class(a) == class(b) || rule(a) == rule(b), "{key}");
    }
}
