//! A meter that these tests bring along: a packet socket and the oracle.

use csn::{Counts, MeterSpec, RuleSet};
use harness::lab::{Helper, METER_INTERFACE};
use meters::{Admission, Job, Meter, MeterError, OptionDoc, Readout, Running, Wire};
use std::io::{BufRead, Write};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

/// Tells the process of the meter what to do.
const RULES: &str = "CSNBENCH_TEST_RULES";

/// Counts by the oracle, and can be made to go wrong.
pub struct Oracle;

/// The table of meters of these tests.
pub static TABLE: &[&dyn Meter] = &[&Oracle];

impl Meter for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn summary(&self) -> &'static str {
        "a packet socket and the oracle"
    }

    fn options(&self) -> &'static [OptionDoc] {
        &[]
    }

    fn version(&self) -> Result<String, MeterError> {
        Ok("1".into())
    }

    fn check(&self, _: &MeterSpec, _: &RuleSet) -> Result<(), MeterError> {
        Ok(())
    }

    fn admission(&self, _: &MeterSpec, rules: &RuleSet, _: usize) -> Result<Admission, MeterError> {
        Ok(Admission::all(rules))
    }

    fn start(&self, job: &Job<'_>) -> Result<Box<dyn Running>, MeterError> {
        let failed = |e: std::io::Error| MeterError::Failed { meter: "oracle".into(), reason: e.to_string() };
        let rules = job.folder.join("rules.json");
        let text = serde_json::to_string(&job.rules.first(job.loaded)).unwrap();
        std::fs::write(&rules, text).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "oracle::the_process_of_the_meter", "--ignored", "--nocapture", "-q"])
            .env(RULES, &rules)
            .env("CSNBENCH_TEST_FAULT", job.spec.option("fault").unwrap_or(""));
        Helper::pipes(&mut command);
        let child = job.launch.spawn(command).map_err(failed)?;
        let mut helper = Helper::new(child, Duration::from_secs(5)).map_err(failed)?;
        skip_chatter(&mut helper);
        let more = if job.spec.option("fault") == Some("more") { 100 } else { 0 };
        Ok(Box::new(Counting(helper, more)))
    }
}

/// The test runner of the process says something first: what is wanted is a number.
fn skip_chatter(helper: &mut Helper) {
    while helper.receive::<u32>(Duration::from_secs(10), &mut || Ok(())).is_err_and(|e| {
        assert_eq!(e.kind(), std::io::ErrorKind::Other, "{e}");
        true
    }) {}
}

struct Counting(Helper, u32);

impl Running for Counting {
    fn pids(&self) -> Vec<u32> {
        vec![self.0.pid()]
    }

    fn stop(mut self: Box<Self>, wire: &dyn Wire) -> Result<Readout, MeterError> {
        let failed = |e: std::io::Error| MeterError::Failed { meter: "oracle".into(), reason: e.to_string() };
        // ARP frames, which are no part of the load and are counted as others
        wire.send(&[&[0xff; 12][..], &[8, 6], &[0; 46]].concat(), self.1).map_err(failed)?;
        self.0.send(&"stop").map_err(failed)?;
        self.0.receive(Duration::from_secs(10), &mut || Ok(())).map_err(failed)
    }
}

#[test]
#[ignore = "started by other tests, as the process of their meter"]
fn the_process_of_the_meter() {
    let Ok(path) = std::env::var(RULES) else { return };
    let fault = std::env::var("CSNBENCH_TEST_FAULT").unwrap();
    let rules: RuleSet = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let socket = tap();
    let (stopped, stop) = std::sync::mpsc::channel();
    println!("\n1");
    std::io::stdout().flush().unwrap();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().lines().next();
        let _ = stopped.send(());
    });
    if fault == "die" {
        std::thread::sleep(Duration::from_millis(50));
        std::process::exit(3);
    }
    let mut readout = Readout { classes: vec![Counts::default(); rules.classes.len()], ..Readout::default() };
    let mut frame = [0u8; 2048];
    while stop.try_recv().is_err() {
        while let Some(n) = receive(&socket, &mut frame) {
            let class = rules.classify(&csn::packet::parse(&frame[..n], None)).class;
            readout.classes[class.index()].add(n as u64);
            readout.received += 1;
        }
    }
    if fault == "swap" {
        readout.classes[0].packets += 1;
        readout.classes[1].packets -= 1;
    }
    println!("{}", serde_json::to_string(&readout).unwrap());
    std::io::stdout().flush().unwrap();
    std::process::exit(0);
}

/// A packet socket on the meter's interface, with a timeout.
fn tap() -> std::fs::File {
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: plain system calls on values that live through them.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        let room: libc::c_int = 32 << 20;
        let size = size_of::<libc::c_int>() as u32;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, (&raw const room).cast(), size);
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, (&raw const room).cast(), size);
        let wait = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
        let size = size_of::<libc::timeval>() as u32;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const wait).cast(), size);
        let mut to: libc::sockaddr_ll = std::mem::zeroed();
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_protocol = protocol;
        let name = std::ffi::CString::new(METER_INTERFACE).unwrap();
        to.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
        let size = size_of::<libc::sockaddr_ll>() as u32;
        assert_eq!(libc::bind(fd, (&raw const to).cast(), size), 0, "{}", std::io::Error::last_os_error());
        std::os::fd::FromRawFd::from_raw_fd(fd)
    }
}

fn receive(socket: &std::fs::File, frame: &mut [u8]) -> Option<usize> {
    // SAFETY: the buffer is valid for its length.
    let n = unsafe { libc::recv(socket.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
    usize::try_from(n).ok()
}
