//! Oracle, interpreted classic BPF and classic BPF in the kernel agree on random rule sets and frames.
//!
//! `CSNBENCH_SETS` says how many rule sets are tried; 1,000 where it is not set.

use csn::backends::{Bpf, Compiled, Form, Options};
use csn::cbpf::{Ancillary, Instruction, Interpreter};
use csn::sample::{Frames, Random, is_edge, rule_set};
use csn::{Field, Key, RuleSet, backends::Backend, packet};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

const FRAMES: usize = 1000;
const RULES: usize = 200;

fn sets() -> u64 {
    std::env::var("CSNBENCH_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)
}

/// A filter and the rules that it stands for: those that the back end declares as lost are left out.
fn filter(rules: &RuleSet, options: &Options) -> (Vec<Instruction>, RuleSet) {
    let made = Bpf.emit(rules, options);
    let Compiled::Bpf(program) = made.program else { panic!("not a filter") };
    let mut kept = rules.clone();
    let mut place = 0;
    kept.rules.retain(|_| {
        place += 1;
        made.losses.iter().all(|l| l.rule != place - 1)
    });
    (program, kept)
}

/// A socket whose datagrams the kernel runs through a filter.
struct Kernel {
    sender: UnixDatagram,
    receiver: UnixDatagram,
}

impl Kernel {
    fn new() -> std::io::Result<Self> {
        let (sender, receiver) = UnixDatagram::pair()?;
        receiver.set_nonblocking(true)?;
        Ok(Self { sender, receiver })
    }

    fn attach(&self, program: &[Instruction]) -> std::io::Result<()> {
        let mut instructions = program.to_vec();
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: instructions.as_mut_ptr().cast::<libc::sock_filter>(),
        };
        // SAFETY: `Instruction` has the layout of `sock_filter`, `filter` points to `len` of them, and both outlive
        // the call, which copies them.
        let failed = unsafe {
            libc::setsockopt(
                self.receiver.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const filter).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        if failed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }

    fn accepts(&self, frame: &[u8]) -> bool {
        self.sender.send(frame).expect("a datagram fits into the socket");
        let mut buffer = [0; 4096];
        match self.receiver.recv(&mut buffer) {
            Ok(n) => {
                assert_eq!(n, frame.len(), "the whole packet is kept");
                true
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => false,
            Err(e) => panic!("{e}"),
        }
    }
}

fn random_options(random: &mut Random, form: Form) -> Options {
    Options { form: Some(form), invert: random.chance(25), ..Options::default() }
}

#[test]
fn filters_agree_with_the_oracle_in_the_interpreter_and_in_the_kernel() {
    let kernel = match Kernel::new() {
        Ok(kernel) => Some(kernel),
        Err(e) => {
            println!("skipped in the kernel: no socket pair ({e})");
            None
        }
    };
    let (mut edges, mut matched, mut shortened, mut refused) = (0, 0, 0, 0);
    for seed in 0..sets() {
        let mut random = Random::new(seed);
        let count = 1 + random.below(RULES);
        let rules = rule_set(&mut random, count, &Field::ALL[1..]);
        let frames: Vec<Vec<u8>> = {
            let frames = Frames::new(&rules);
            (0..FRAMES).map(|_| frames.draw(&mut random).bytes).collect()
        };
        let keys: Vec<Key> = frames.iter().map(|f| packet::parse(f, None)).collect();
        edges += keys.iter().filter(|k| is_edge(&rules, k)).count();
        for form in [Bpf::LINEAR, Bpf::TREE] {
            let options = random_options(&mut random, form);
            let (program, kept) = filter(&rules, &options);
            shortened += usize::from(kept.rules.len() < rules.rules.len());
            let machine = Interpreter::new(&program).unwrap_or_else(|e| panic!("set {seed}: {e}"));
            let attached = kernel.as_ref().filter(|k| match k.attach(&program) {
                Ok(()) => true,
                Err(e) if e.raw_os_error() == Some(libc::ENOMEM) => {
                    refused += 1;
                    false
                }
                Err(e) => panic!("set {seed}: the kernel refuses {} instructions: {e}", program.len()),
            });
            for (frame, key) in frames.iter().zip(&keys) {
                let hit = kept.rules.iter().any(|r| r.matches(key));
                matched += usize::from(hit);
                let wanted = hit != options.invert;
                let explain =
                    || format!("set {seed}, {form:?}, invert {}: {key}\n{frame:02x?}", options.invert);
                let seen = machine.run(frame, &Ancillary::default());
                assert_eq!(seen, if wanted { options.accept } else { 0 }, "{}", explain());
                if let Some(kernel) = attached {
                    assert_eq!(kernel.accepts(frame), wanted, "in the kernel: {}", explain());
                }
            }
        }
    }
    let all = sets() as usize * FRAMES;
    println!(
        "{all} frames, {edges} at edges, {matched} of {} matched; of {} filters {shortened} were too long, \
         {refused} needed more memory than the kernel grants",
        2 * all,
        2 * sets()
    );
    assert!(2 * edges >= all, "only {edges} of {all} frames lie at an edge or an overlap");
    assert!(10 * matched >= 2 * all && 10 * matched <= 18 * all, "{matched} of {} match", 2 * all);
    assert!(50 * (shortened + refused) <= 2 * sets() as usize, "{shortened} too long, {refused} refused");
}

#[test]
fn live_filters_know_tag_and_interface() {
    for seed in 0..sets().min(200) {
        let mut random = Random::new(seed ^ 0x5eed);
        let count = 1 + random.below(30);
        let rules = rule_set(&mut random, count, &Field::ALL);
        let options = Options { live: true, ..random_options(&mut random, Bpf::LINEAR) };
        let (program, kept) = filter(&rules, &options);
        let machine = Interpreter::new(&program).unwrap_or_else(|e| panic!("set {seed}: {e}"));
        let frames = Frames::new(&rules);
        let interfaces: Vec<u32> = rules
            .rules
            .iter()
            .filter_map(|r| Some(r.test(Field::Interface)?.nth(0)?.bits as u32))
            .chain([random.bits() as u32])
            .collect();
        for _ in 0..200 {
            let frame = frames.draw(&mut random).bytes;
            let beside = Ancillary {
                interface: *random.pick(&interfaces),
                tag: random.chance(40).then(|| random.bits() as u16),
            };
            let mut key = packet::parse(&frame, beside.tag);
            key.set_number(Field::Interface, u128::from(beside.interface));
            let wanted = kept.rules.iter().any(|r| r.matches(&key)) != options.invert;
            let seen = machine.run(&frame, &beside) != 0;
            assert_eq!(seen, wanted, "set {seed}: {key}\n{beside:?} {frame:02x?}");
        }
    }
}

#[test]
fn every_cut_of_a_frame_is_seen_alike() {
    for seed in 0..sets().min(100) {
        let mut random = Random::new(seed ^ 0xc0de);
        let count = 1 + random.below(4);
        let rules = rule_set(&mut random, count, &Field::ALL[1..]);
        for invert in [false, true] {
            let (program, kept) = filter(&rules, &Options { invert, ..Options::default() });
            let machine = Interpreter::new(&program).unwrap();
            for _ in 0..10 {
                let frame = Frames::new(&rules).draw_whole(&mut random).bytes;
                for len in 0..=frame.len() {
                    let key = packet::parse(&frame[..len], None);
                    let wanted = kept.rules.iter().any(|r| r.matches(&key)) != invert;
                    let seen = machine.run(&frame[..len], &Ancillary::default()) != 0;
                    assert_eq!(
                        seen, wanted,
                        "set {seed}, {len} octets, invert {invert}: {key}\n{frame:02x?}"
                    );
                }
            }
        }
    }
}
