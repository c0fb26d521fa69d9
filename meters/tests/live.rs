//! The adapter and the meter's process on a live interface: a veth pair, or loopback where the command `ip` is missing,
//! in a user and network namespace of its own.
//!
//! The program runs itself again: entering a user namespace takes a process with one thread, which a test runner is
//! not; and the adapter starts a program that knows the verb `meter`, which this one does in its place.

use csn::backends::example_rules;
use csn::{Class, ClassId, MeterSpec, RuleSet, Span, Value, ValueSet};
use meters::builtin::{BUILTINS, Builtin, Rules, Session, Source};
use meters::{Job, Launch, Link, MeterError, Readout, Running, Tells, Wire};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// No generator: the meter of these tests does not ask for one.
struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: &[u8], _: u32) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// What the copy inside of the namespace is told by.
const INSIDE: &str = "CSNBENCH_LIVE_TEST";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "meter") {
        return as_meter(&args[1], &args[2..]);
    }
    if args.iter().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(INSIDE).is_some() {
        tests();
        return ExitCode::SUCCESS;
    }
    match inside() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            println!("skipped: no user and network namespace of its own: {reason}");
            ExitCode::SUCCESS
        }
    }
}

/// Runs this program again in its own namespaces.
fn inside() -> std::io::Result<bool> {
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let mut command = Command::new(std::env::current_exe()?);
    command.env(INSIDE, "1");
    // SAFETY: between fork and exec this makes system calls and writes small files, nothing that could wait for a
    // lock of another thread
    unsafe {
        command.pre_exec(move || {
            use nix::sched::{CloneFlags, unshare};
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
            std::fs::write("/proc/self/setgroups", "deny")?;
            std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
            std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
        });
    }
    Ok(command.status()?.success())
}

/// The meter, as the command line of the product starts it.
fn as_meter(name: &str, args: &[String]) -> ExitCode {
    let values = |name: &str| {
        let pairs = args.windows(2).filter(move |w| w[0] == name);
        pairs.map(|w| w[1].clone()).collect::<Vec<_>>()
    };
    let read = |path: &String| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let options =
        values("-O").iter().filter_map(|o| o.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect();
    let rules = match values("--rules").first() {
        Some(path) => {
            let ruleset = csn::compile(path, &read(path), &mut csn::NoLoader).scenario.rules;
            Rules::Csn { loaded: ruleset.rules.len(), ruleset }
        }
        None => Rules::Texts(values("--ruleset").iter().map(read).collect()),
    };
    let session = Session {
        source: Source::Interface(values("--interface").remove(0)),
        rules,
        options: MeterSpec { name: name.into(), options, span: Span::default() },
        filter: values("--filter").first().map(read),
        flow_data: None,
        details: false,
        control: args.iter().any(|a| a == "--control"),
        time: None,
        stop: Arc::default(),
    };
    match meters::builtin::find(name).map(|m| m.run(session)) {
        Some(Ok(_)) => ExitCode::SUCCESS,
        Some(Err(e)) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
        None => ExitCode::FAILURE,
    }
}

struct Here;

impl Launch for Here {
    fn spawn(&self, mut command: Command) -> std::io::Result<Child> {
        command.env_remove(INSIDE).spawn()
    }

    fn again(&self) -> std::io::Result<Box<dyn Launch>> {
        Ok(Box::new(Here))
    }
}

/// Where frames are sent, and where they come in.
static LINK: OnceLock<(&str, &str)> = OnceLock::new();

/// A veth pair without traffic of its own, else loopback.
fn link() -> (&'static str, &'static str) {
    *LINK.get_or_init(|| {
        let quiet = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        let made = Command::new("ip").args("link add va type veth peer name vb".split(' ')).status();
        let pair = match (quiet, made) {
            (Ok(()), Ok(status)) if status.success() => ("va", "vb"),
            _ => ("lo", "lo"),
        };
        up(pair.0);
        up(pair.1);
        pair
    })
}

fn tests() {
    println!("from {} to {}", link().0, link().1);
    counts_are_exact();
    println!("counts_are_exact ... ok");
    filters_admit_what_they_say();
    println!("filters_admit_what_they_say ... ok");
    drops_are_told();
    println!("drops_are_told ... ok");
    errors_reach_the_caller();
    println!("errors_reach_the_caller ... ok");
    rate();
}

/// Brings an interface up.
fn up(name: &str) {
    let socket = Socket::raw();
    // SAFETY: all-zero is a valid request
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: the request lives through the call
    let answer = unsafe { libc::ioctl(socket.0, libc::SIOCSIFFLAGS as _, &mut request) };
    assert_eq!(answer, 0, "{name}: {}", std::io::Error::last_os_error());
}

/// A packet socket that sends.
struct Socket(i32);

impl Socket {
    fn raw() -> Self {
        // SAFETY: takes no pointers
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        let on: libc::c_int = 1;
        // SAFETY: the pointer is to a value of the length that is given
        let answer = unsafe {
            let value = (&raw const on).cast();
            libc::setsockopt(fd, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, value, size_of_val(&on) as u32)
        };
        assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
        Self(fd)
    }

    /// Sends frames, many with one call. The answer is how many were sent.
    fn send(&self, frames: &[Vec<u8>]) -> usize {
        // SAFETY: all-zero is a valid address
        let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_ifindex = nix::net::if_::if_nametoindex(link().0).unwrap() as i32;
        let mut parts: Vec<libc::iovec> = frames
            .iter()
            .map(|f| libc::iovec { iov_base: f.as_ptr().cast_mut().cast(), iov_len: f.len() })
            .collect();
        let mut messages: Vec<libc::mmsghdr> = parts
            .iter_mut()
            .map(|part| {
                // SAFETY: all-zero is a valid message
                let mut m: libc::mmsghdr = unsafe { std::mem::zeroed() };
                m.msg_hdr.msg_name = (&raw mut to).cast();
                m.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
                m.msg_hdr.msg_iov = part;
                m.msg_hdr.msg_iovlen = 1;
                m
            })
            .collect();
        let mut sent = 0;
        while sent < messages.len() {
            let rest = &mut messages[sent..];
            // SAFETY: the messages, and what they point to, live through the call
            let n = unsafe { libc::sendmmsg(self.0, rest.as_mut_ptr(), rest.len() as u32, 0) };
            assert!(n > 0, "{}", std::io::Error::last_os_error());
            sent += n as usize;
        }
        sent
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours
        unsafe { libc::close(self.0) };
    }
}

fn frame(port: u16, size: usize) -> Vec<u8> {
    let mut f = vec![0u8; size];
    // for another host: the IP stack, which is not what is tested, leaves it alone
    f[0] = 2;
    f[12..14].copy_from_slice(&[8, 0]);
    f[14] = 0x45;
    f[16..18].copy_from_slice(&(size as u16 - 14).to_be_bytes());
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&[192, 168, 75, 106]);
    f[30..34].copy_from_slice(&[192, 168, 115, 204]);
    f[34..36].copy_from_slice(&1024u16.to_be_bytes());
    f[36..38].copy_from_slice(&port.to_be_bytes());
    f
}

/// As many classes, one rule each: UDP of one address pair to the ports from 2000.
fn by_port(rules: u32) -> RuleSet {
    let mut set = example_rules();
    let like = set.rules[0].clone();
    set.rules.clear();
    set.classes.truncate(1);
    for n in 0..rules {
        let mut rule = like.clone();
        rule.class = ClassId(n + 1);
        rule.tests[3].1 = ValueSet::single(Value::number(2000 + u128::from(n)));
        set.rules.push(rule);
        set.classes.push(Class { number: n + 1, name: None, span: Span::default() });
    }
    set
}

/// One trial of the meter `rtfm`.
fn trial(options: &[(&str, &str)], rules: &RuleSet, loaded: usize, send: impl FnOnce(u32)) -> Readout {
    trial_of("rtfm", options, rules, loaded, send)
}

/// One trial: start, send, stop.
fn trial_of(
    meter: &str,
    options: &[(&str, &str)],
    rules: &RuleSet,
    loaded: usize,
    send: impl FnOnce(u32),
) -> Readout {
    let folder = tempfile::tempdir().unwrap();
    start(meter, options, rules, loaded, folder.path(), link().1)
        .and_then(|running| {
            send(running.pids()[0]);
            running.stop(&Nobody)
        })
        .unwrap_or_else(|e| panic!("{e}"))
}

fn start(
    meter: &str,
    options: &[(&str, &str)],
    rules: &RuleSet,
    loaded: usize,
    folder: &std::path::Path,
    interface: &str,
) -> Result<Box<dyn Running>, MeterError> {
    let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let spec = MeterSpec { name: meter.into(), options, span: Span::default() };
    let program = std::env::current_exe().unwrap();
    let meter = meters::find(meter).unwrap();
    let link = Link { generator: [0; 6], meter: [0; 6], traffic: [[0; 6]; 2] };
    let program = &program;
    meter.start(&Job { spec: &spec, rules, loaded, interface, link, folder, program, launch: &Here })
}

/// Sends `each` packets to each of 101 ports, of which 100 have rules.
fn send_evenly(each: usize) {
    let socket = Socket::raw();
    let frames: Vec<_> = (0..101).map(|n| frame(2000 + n, 60)).collect();
    for _ in 0..each {
        assert_eq!(socket.send(&frames), frames.len());
    }
}

fn packets(readout: &Readout) -> Vec<u64> {
    readout.classes.iter().map(|c| c.packets).collect()
}

fn counts_are_exact() {
    BUILTINS.iter().for_each(|m| counts_of_one_are_exact(*m));
}

fn counts_of_one_are_exact(meter: &dyn Builtin) {
    if let Err(e) = meter.version() {
        println!("skipped: {e}");
        return;
    }
    let rules = by_port(100);
    let r = trial_of(meter.name(), &[], &rules, 60, |_| send_evenly(300));
    let class = |c| if c == 0 { 41 * 300 } else { 300 * u64::from(c <= 60) };
    let all = |c| if c == 0 { 101 * 300 } else { 0 };
    let expected: Vec<u64> =
        (0..101).map(|c| if meter.tells_classes() != Tells::Nothing { class(c) } else { all(c) }).collect();
    assert_eq!(packets(&r), expected, "{}", meter.name());
    assert_eq!((r.received, r.socket_drops, r.ignored), (101 * 300, 0, 0));
    assert!(r.classes.iter().all(|c| c.bytes == 60 * c.packets));
    // where the kernel meters there is no socket
    let Some(admitted) = r.admitted else { return };
    assert_eq!(admitted, 101 * 300);
    let split = r.split.unwrap();
    assert!(split.user > 0 && split.system > 0, "{split:?}");
    assert!(r.syscalls.is_some_and(|n| n > 0 && n < 2000), "{:?}", r.syscalls);
}

fn filters_admit_what_they_say() {
    let rules = by_port(100);
    let meter = meters::find("rtfm").unwrap();
    let cases: [&[(&str, &str)]; 5] = [
        &[("prefilter", "bpf")],
        &[("prefilter", "bpf"), ("form", "tree"), ("snaplen", "64")],
        &[("prefilter", "bpf"), ("drop", "rest")],
        &[("prefilter", "bpf"), ("drop", "76..100")],
        &[("snaplen", "40")],
    ];
    for options in cases {
        for loaded in [0usize, 30, 100] {
            let r = trial(options, &rules, loaded, |_| send_evenly(5));
            let spec = MeterSpec {
                name: "rtfm".into(),
                options: options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
                span: Span::default(),
            };
            let admitted = meter.admission(&spec, &rules, loaded).unwrap();
            let mut expected = vec![0u64; 101];
            for (rule, _) in admitted.rules.iter().enumerate().filter(|(_, in_)| **in_) {
                expected[if rule < loaded { rule + 1 } else { 0 }] += 5;
            }
            expected[0] += 5 * u64::from(admitted.others);
            assert_eq!(packets(&r), expected, "{options:?} with {loaded} rules");
            assert_eq!(r.admitted, Some(expected.iter().sum()), "{options:?} with {loaded} rules");
            assert!(r.classes.iter().all(|c| c.bytes == 60 * c.packets), "lengths are those before the cut");
        }
    }
}

/// A ring that is too small for what comes while the meter stands still: what is lost is told.
fn drops_are_told() {
    let rules = by_port(10);
    let r = trial(&[("buffer", "1"), ("block", "64")], &rules, 10, |pid| {
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::SIGSTOP).unwrap();
        send_evenly(300);
        nix::sys::signal::kill(pid, nix::sys::signal::SIGCONT).unwrap();
    });
    assert!(r.socket_drops > 0, "{} of 30300 received", r.received);
    assert_eq!(r.received + r.socket_drops, 101 * 300);
    assert_eq!(r.admitted, Some(101 * 300));
    assert_eq!(packets(&r).iter().sum::<u64>(), r.received);
}

fn errors_reach_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let message = match start("rtfm", &[], &by_port(1), 1, folder.path(), "nowhere0") {
        Ok(_) => panic!("a meter listens to an interface that is not there"),
        Err(e) => e.to_string(),
    };
    assert!(message.contains("nowhere0") && message.contains(link().1), "{message}");
}

/// Prints the highest rate at which two senders on this machine reach the meter, and what was lost.
fn rate() {
    let rules = by_port(100);
    let seconds: f64 = std::env::var("CSNBENCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(0.2);
    let sender = || {
        let socket = Socket::raw();
        let frames: Vec<_> = (0..1000).map(|n| frame(2000 + n * 37 % 100, 60)).collect();
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < seconds {
            socket.send(&frames);
        }
    };
    let mut took = Duration::ZERO;
    let r = trial(&[], &rules, 100, |_| {
        let start = Instant::now();
        std::thread::scope(|s| (0..2).for_each(|_| drop(s.spawn(sender))));
        took = start.elapsed();
    });
    let offered = r.admitted.unwrap_or(0);
    let split = r.split.unwrap_or_default();
    println!(
        "rate: {:.0} packets/s offered, {} of {offered} dropped; per packet {:.0} ns user, {:.1} ns system; {} system calls",
        offered as f64 / took.as_secs_f64(),
        r.socket_drops,
        split.user as f64 / r.received.max(1) as f64,
        split.system as f64 / r.received.max(1) as f64,
        r.syscalls.unwrap_or(0)
    );
    assert_eq!(r.received + r.socket_drops, offered);
}
