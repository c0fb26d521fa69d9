//! Suricata, reading a capture file: its alerts, by the number of the rule.

use crate::agree::{Engine, Job, backend};
use crate::network::installed;
use crate::tcpdump::{Folder, write_capture};
use csn::Field;
use csn::backends::Backend;
use std::collections::HashMap;
use std::process::Command;

/// The alerts of Suricata.
pub struct Suricata;

impl Engine for Suricata {
    fn name(&self) -> String {
        "suricata".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("suricata")
    }

    fn fields(&self) -> Vec<Field> {
        use Field::*;
        vec![SrcIp, DstIp, Proto, Ttl, SrcPort, DstPort, TcpFlags, IcmpType, IcmpCode]
    }

    fn missing(&self) -> Option<String> {
        // Debian 12 has it among its backports
        installed("suricata", "-t bookworm-backports suricata")
    }

    /// Its decoder refuses ICMP of the other IP version, octets behind "no next header", ESP headers that are cut short,
    /// and transport headers that the length of the IP packet or their own contradicts; it looks into packets within packets.
    fn unseen(&self, frame: &[u8]) -> bool {
        let key = csn::packet::parse(frame, None);
        let number = |f| key.get(f).map_or(0, |v| v.bits);
        let Some(family) = key.get(Field::SrcIp).map(|v| v.family) else { return false };
        let header = if family == 4 { 20 } else { 40 };
        let room = number(Field::Length).saturating_sub(header);
        let tag = if key.get(Field::Vlan).is_some() { 4 } else { 0 };
        let at =
            |place: usize| u128::from(frame.get(14 + tag + header as usize + place).copied().unwrap_or(0));
        match (family, number(Field::Proto)) {
            (6, 1 | 59) | (4, 58) | (_, 4 | 41 | 47 | 50) => true,
            (_, 6) => !(20..=room).contains(&(at(12) >> 4 << 2)),
            (_, 17) => !(8..=room).contains(&(at(4) << 8 | at(5))),
            (_, 132) => room < 12,
            (_, 1 | 58) => room < 8,
            _ => false,
        }
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let folder = Folder::new();
        let at = |name: &str| folder.0.join(name).display().to_string();
        write_capture(&folder.0.join("all.pcap"), &job.frames);
        std::fs::write(at("csn.rules"), &job.made.artefact).expect("the rules can be written");
        for name in ["classification", "reference", "threshold"] {
            std::fs::write(at(name), "").expect("the settings can be written");
        }
        let settings = SETTINGS.replace("FOLDER", &folder.0.display().to_string());
        std::fs::write(at("suricata.yaml"), settings).expect("the settings can be written");
        let answer = Command::new("suricata")
            .args(["-c", &at("suricata.yaml"), "-r", &at("all.pcap"), "-S", &at("csn.rules"), "-l", &at("")])
            .args(["-k", "none", "--runmode", "single"])
            .output()
            .expect("suricata can be run");
        let log = String::from_utf8_lossy(&[answer.stderr, answer.stdout].concat()).into_owned();
        assert!(answer.status.success() && !log.contains("Error: detect"), "{log}");
        let classes: HashMap<&str, usize> =
            job.made.labels.iter().map(|(label, class)| (label.as_str(), class.index())).collect();
        let mut out = vec![Some(0); job.rules.classes.len()];
        out[0] = None;
        let events = std::fs::read_to_string(at("eve.json")).expect("there are events");
        for event in events.lines().filter(|e| e.contains("\"event_type\":\"alert\"")) {
            if event.contains("\"tunnel\":{") {
                continue;
            }
            let (_, rest) = event.split_once("\"signature_id\":").expect("an alert has a number");
            let number = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
            let class = classes[number];
            out[class] = out[class].map(|n| n + 1);
        }
        out
    }
}

const SETTINGS: &str = "%YAML 1.1
---
packet-alert-max: 1
classification-file: FOLDER/classification
reference-config-file: FOLDER/reference
threshold-file: FOLDER/threshold
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types: [alert]
stream:
  midstream: true
  checksum-validation: no
vlan:
  use-for-tracking: false
";
