//! Any frames go through the receiver; a signature that is found can be written again as it was.
#![no_main]

use csn::Nanos;
use generator::receiver::Receiver;
use generator::signature::{OCTETS, Signature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u64, Vec<(u16, u32, u32)>, &[u8])| {
    let (time, packets, noise) = data;
    let mut receiver = Receiver::new();
    if let Some(found) = Signature::find(noise) {
        let mut again = [0; OCTETS];
        found.write(&mut again);
        assert_eq!(Signature::read(&again), Some(found));
    }
    receiver.take(noise, noise.len() as u32, Nanos(time));
    let count = packets.len() as u64;
    for (class, flow, sequence) in packets {
        let mut frame = [0; 14 + OCTETS];
        Signature { class, flow: flow & 0xff_ffff, sequence, time: time & 0xff_ffff_ffff }.write(&mut frame[14..]);
        receiver.take(&frame, 32, Nanos(time));
    }
    let told: u64 = receiver.classes().values().map(|c| c.counts.packets).sum();
    assert_eq!(told + receiver.unsigned.packets, count + 1);
    for flow in receiver.flows() {
        assert!(flow.duplicates + flow.stale + flow.reordered <= flow.counts.packets);
        let _ = flow.lost();
    }
});
