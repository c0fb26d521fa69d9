//! iptables: the counters of chains in the table raw, for packets that a host takes in at a veth pair.

use crate::agree::{Engine, Job, backend};
use crate::network::{Network, RECEIVER_MAC, installed, repair, run, run_with};
use crate::nftables::send;
use csn::Field;
use csn::backends::{Backend, Options};

/// One of the forms of the back end, in a namespace of the test's own.
pub struct Iptables {
    form: &'static str,
    network: Option<Network>,
}

impl Iptables {
    /// Rules in this form.
    pub fn new(form: &'static str) -> Self {
        Self { form, network: None }
    }
}

impl Engine for Iptables {
    fn name(&self) -> String {
        format!("iptables ({})", self.form)
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("iptables")
    }

    fn options(&self) -> Options {
        let form = self.backend().forms().iter().copied().find(|f| f.name == self.form);
        assert!(form.is_some(), "the form exists");
        Options { form, ..Options::default() }
    }

    /// All but those that the back end never says.
    fn fields(&self) -> Vec<Field> {
        let never = [Field::Interface, Field::DstMac, Field::Vlan, Field::Mpls];
        let v4 = self.form == "v4";
        let said = |f: &Field| !(never.contains(f) || v4 && *f == Field::FlowLabel);
        Field::ALL.into_iter().filter(said).collect()
    }

    /// A rule can become many.
    fn most_rules(&self) -> usize {
        30
    }

    fn missing(&self) -> Option<String> {
        Network::missing().or_else(|| installed("iptables-restore", "iptables"))
    }

    /// Addressed to the host, and with a right checksum.
    fn prepare(&self, frame: &mut Vec<u8>) {
        if frame.len() >= 14 {
            frame[..6].copy_from_slice(&RECEIVER_MAC);
            repair(frame);
        }
    }

    /// The kernel drops IPv6 packets from multicast addresses, to multicast addresses of no scope, and those that name
    /// the loopback address; and such with a hop-by-hop header that has anything but the padding that frames are drawn
    /// with.
    fn unseen(&self, frame: &[u8]) -> bool {
        if frame[12..14] != [0x86, 0xdd] || frame.len() < 54 {
            return false;
        }
        let (source, destination) = (&frame[22..38], &frame[38..54]);
        let loopback = |a: &[u8]| a[..15] == [0; 15] && a[15] == 1;
        let padding = |h: Option<&[u8]>| h.is_some_and(|h| h[1..] == [0, 1, 4, 0, 0, 0, 0]);
        source[0] == 0xff
            || destination[0] == 0xff && destination[1] & 0xf <= 1
            || loopback(source)
            || loopback(destination)
            || frame[20] == 0 && !padding(frame.get(54..62))
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules: _, made, frames, .. } = job;
        let network = self.network.get_or_insert_with(|| Network::new().expect("a namespace can be made"));
        let program = if self.form == "v6" { "ip6tables" } else { "iptables" };
        run_with(&format!("{program}-restore"), &made.artefact);
        send(network, frames);
        let saved = run(&format!("{program}-save -c -t raw"));
        made.labels.iter().map(|(label, _)| packets(&saved, label)).collect()
    }
}

/// The packets of the one rule of a chain: `[packets:octets] -A chain -j ACCEPT`.
fn packets(saved: &str, chain: &str) -> Option<u64> {
    let start = format!("-A {chain} ");
    let line =
        saved.lines().find(|l| l.split_once("] ").is_some_and(|(_, rule)| rule.starts_with(&start)))?;
    line.strip_prefix('[')?.split_once(':')?.0.parse().ok()
}
