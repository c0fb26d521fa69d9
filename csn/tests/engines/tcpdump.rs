//! tcpdump: libpcap's own compiler and filter, over a capture file.

use crate::agree::{Engine, Job, backend};
use crate::network::installed;
use csn::Field;
use csn::backends::Backend;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The filter of tcpdump.
pub struct Tcpdump;

impl Engine for Tcpdump {
    fn name(&self) -> String {
        "tcpdump".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("tcpdump")
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn most_rules(&self) -> usize {
        20
    }

    /// libpcap needs minutes for expressions of a thousand terms.
    fn most_classbench_rules(&self) -> usize {
        100
    }

    fn missing(&self) -> Option<String> {
        installed("tcpdump", "tcpdump")
    }

    fn tells_classes_apart(&self) -> bool {
        false
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { made, frames, .. } = job;
        let folder = Folder::new();
        let (all, passed) = (folder.0.join("all.pcap"), folder.0.join("passed.pcap"));
        write_capture(&all, frames);
        let expression = made.artefact.trim();
        let mut filter = Command::new("tcpdump");
        // as root it would give up the right to write into the folder
        filter.args(["-Z", "root", "-r"]).arg(&all).arg("-w").arg(&passed);
        if expression.len() > 20_000 {
            // the optimiser takes minutes for long expressions
            filter.arg("-O");
        }
        let text = folder.0.join("expression");
        std::fs::write(&text, expression).expect("the expression can be written");
        let answer = filter.arg("-F").arg(text).output().expect("tcpdump can be run");
        assert!(answer.status.success(), "{expression}\n{}", String::from_utf8_lossy(&answer.stderr));
        let accepted = count_capture(&passed);
        vec![Some(frames.len() as u64 - accepted), Some(accepted)]
    }
}

/// A folder that goes when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new folder.
    pub fn new() -> Self {
        let name = format!("csn-engines-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
        std::fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a capture file (pcap, Ethernet), a microsecond between frames.
pub fn write_capture(path: &Path, frames: &[Vec<u8>]) {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(65_535u32.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    for (i, frame) in frames.iter().enumerate() {
        let length = (frame.len() as u32).to_le_bytes();
        let time = [(1 + i as u32 / 1_000_000).to_le_bytes(), (i as u32 % 1_000_000).to_le_bytes()];
        out.extend(time.concat());
        out.extend(length);
        out.extend(length);
        out.extend(frame);
    }
    std::fs::write(path, out).expect("the capture can be written");
}

/// The frames of a capture file as [`write_capture`] writes them.
pub fn count_capture(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("the capture can be read");
    let mut rest = bytes.get(24..).expect("it has a header");
    let mut count = 0;
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_le_bytes(length.try_into().expect("four octets")) as usize;
        rest = rest.get(16 + length..).expect("it is whole");
        count += 1;
    }
    count
}
