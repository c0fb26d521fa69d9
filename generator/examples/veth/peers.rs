//! Other generators, as people run them.

use super::{Outcome, job, support};
use csn::{Nanos, RateSpec};
use generator::job::Amount;
use generator::{Pace, Plan, send, tx};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// A generator that can be started on an interface, and what it needs to be there.
pub struct Peer {
    pub name: String,
    pub program: &'static str,
    pub package: &'static str,
    pub args: Vec<String>,
    /// Deleted when it is not needed any more.
    _file: NamedTempFile,
}

impl Peer {
    /// Whether it is installed; else the reason is printed.
    pub fn is_there(&self) -> bool {
        let there =
            Command::new(self.program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if let Err(e) = &there {
            println!("  skipped: {}: {e} (apt-get install {})", self.name, self.package);
        }
        there.is_ok()
    }

    pub fn start(&self) -> Outcome<Running> {
        // should this measurement be killed, they end all the same
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60", "taskset", "-c", "0", self.program]).args(&self.args);
        // a group of its own: trafgen sends from a child, which must end with it
        let command = command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Running(command.spawn()?))
    }

    /// Packets per second that arrive, in the middle of a run.
    pub fn rate(&self, seconds: f64) -> Outcome<f64> {
        let running = self.start()?;
        std::thread::sleep(Duration::from_millis(500));
        let (before, start) = (support::received(support::FAR), Instant::now());
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let rate = (support::received(support::FAR) - before) as f64 / start.elapsed().as_secs_f64();
        drop(running);
        Ok(rate)
    }
}

/// Ends with this value.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

fn args(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// trafgen with a hundred of our frames, written out; `extra` says how fast.
pub fn trafgen(bytes: u32, extra: &str) -> Outcome<Peer> {
    let mut file = NamedTempFile::new()?;
    for frame in Plan::new(&job(bytes, 100, RateSpec::Max, Amount::Packets(100)))?.frames() {
        let bytes: Vec<_> = frame.bytes.iter().map(|b| format!("{b:#04x}")).collect();
        writeln!(file, "{{ {} }}", bytes.join(", "))?;
    }
    let mut args = args(&format!("--cpus 1 --dev {} {extra} --conf", support::NEAR));
    args.push(file.path().display().to_string());
    let name = format!("trafgen {extra}").trim().into();
    Ok(Peer { name, program: "trafgen", package: "netsniff-ng", args, _file: file })
}

/// tcpreplay, which keeps a capture of a hundred of our frames in memory; `extra` says how fast.
pub fn tcpreplay(bytes: u32, extra: &str) -> Outcome<Peer> {
    let file = NamedTempFile::with_suffix(".pcap")?;
    let job = job(bytes, 100, RateSpec::Max, Amount::Packets(100));
    let mut capture = tx::open_pcap(file.reopen()?)?;
    send(&mut Plan::new(&job)?, &mut capture, Pace::Virtual, &AtomicBool::new(false))?;
    let mut args = args(&format!("-K {extra} --loop=0 -i {}", support::NEAR));
    args.push(file.path().display().to_string());
    let name = format!("tcpreplay {extra}");
    Ok(Peer { name, program: "tcpreplay", package: "tcpreplay", args, _file: file })
}

/// MGEN with precise timing, which sends UDP to the far end's address.
pub fn mgen(pps: f64, time: Nanos) -> Outcome<Peer> {
    for line in [
        format!("addr replace 10.9.9.1/24 dev {}", support::NEAR),
        format!("neigh replace 10.9.9.2 lladdr 02:00:00:00:00:02 dev {}", support::NEAR),
    ] {
        Command::new("ip").args(line.split(' ')).status()?;
    }
    let mut file = NamedTempFile::new()?;
    writeln!(file, "0.0 ON 1 UDP SRC 5001 DST 10.9.9.2/5000 PERIODIC [{pps} 18]")?;
    writeln!(file, "{:.1} OFF 1", time.as_secs_f64())?;
    let mut args = args("precise on input");
    args.push(file.path().display().to_string());
    Ok(Peer { name: "mgen precise on".into(), program: "mgen", package: "mgen", args, _file: file })
}
