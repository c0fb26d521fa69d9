//! Facts about the machine that a reader of results must know, and warnings about what makes them doubtful.

use crate::lab;
use reports::record::Host;
use std::collections::BTreeMap;
use std::fs;

/// Above this load average per CPU other work takes part in the measurement.
const LOAD_PER_CPU: f64 = 0.5;

/// What can be found out about this machine now.
pub fn facts() -> Host {
    use sysinfo::System;
    let memory = System::new().map(|mut system| {
        system.refresh_memory();
        system.total_memory()
    });
    let load = System::load_average().map(|l| [l.one, l.five, l.fifteen]);
    let cpus = lab::allowed_cpus().len().max(1) as u32;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut host = Host {
        system: System::long_os_version().unwrap_or_default(),
        kernel: System::kernel_version().unwrap_or_default(),
        cpu: cpu_model(&cpuinfo),
        cpus,
        memory: memory.unwrap_or_default(),
        virtualised: hypervisor(&cpuinfo),
        clock: setting("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .unwrap_or_default(),
        load: load.unwrap_or_default(),
        facts: other_facts(),
        warnings: vec![],
    };
    host.warnings = warnings(&host);
    host
}

/// A setting of the kernel, without the end of the line.
fn setting(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|s| s.trim().to_string()).filter(|s| !s.is_empty())
}

/// The model as `/proc/cpuinfo` has it: under one of several names, as the architecture goes.
fn cpu_model(cpuinfo: &str) -> String {
    let value = |name: &str| {
        cpuinfo
            .lines()
            .find_map(|l| l.split_once(':').filter(|(k, _)| k.trim() == name).map(|(_, v)| v.trim()))
    };
    ["model name", "Model", "cpu model", "cpu"]
        .into_iter()
        .find_map(value)
        .map_or_else(|| std::env::consts::ARCH.to_string(), str::to_string)
}

/// What the hypervisor calls itself in the processor's identification, under a name that people know.
#[cfg(target_arch = "x86_64")]
fn signature() -> Option<String> {
    let leaf = std::arch::x86_64::__cpuid(0x4000_0000);
    let octets: Vec<u8> = [leaf.ebx, leaf.ecx, leaf.edx].into_iter().flat_map(u32::to_le_bytes).collect();
    let name = String::from_utf8(octets).ok()?;
    let name = name.trim_end_matches('\0').trim();
    let known = [
        ("KVMKVMKVM", "KVM"),
        ("Microsoft Hv", "Hyper-V"),
        ("VMwareVMware", "VMware"),
        ("XenVMMXenVMM", "Xen"),
        ("TCGTCGTCGTCG", "QEMU without acceleration"),
    ];
    let known = known.into_iter().find(|(signature, _)| *signature == name).map(|(_, known)| known);
    (!name.is_empty()).then(|| known.unwrap_or(name).to_string())
}

#[cfg(not(target_arch = "x86_64"))]
fn signature() -> Option<String> {
    None
}

/// The hypervisor or container, where there are signs of one.
fn hypervisor(cpuinfo: &str) -> Option<String> {
    let flagged = cpuinfo.lines().any(|l| l.starts_with("flags") && l.split(' ').any(|f| f == "hypervisor"));
    let named = setting("/sys/hypervisor/type")
        .or_else(|| setting("/sys/class/dmi/id/sys_vendor").filter(|_| flagged));
    named.or_else(|| flagged.then(|| signature().unwrap_or_else(|| "unknown hypervisor".into())))
}

/// Settings that bear on packet rates.
fn other_facts() -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for (name, path) in [
        ("frequency governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        ("turbo off", "/sys/devices/system/cpu/intel_pstate/no_turbo"),
        ("BPF JIT", "/proc/sys/net/core/bpf_jit_enable"),
        ("receive backlog (packets)", "/proc/sys/net/core/netdev_max_backlog"),
        ("isolated CPUs", "/sys/devices/system/cpu/isolated"),
        ("SMT", "/sys/devices/system/cpu/smt/control"),
        ("scheduler autogroups", "/proc/sys/kernel/sched_autogroup_enabled"),
        ("architecture", "/proc/sys/kernel/arch"),
    ] {
        if let Some(value) = setting(path) {
            facts.insert(name.into(), value);
        }
    }
    facts
}

/// What a reader must know before believing a number.
fn warnings(host: &Host) -> Vec<String> {
    let mut out = vec![];
    if host.cpus < 2 {
        out.push("one CPU: generator and meter take time from each other".into());
    }
    let per_cpu = host.load[0] / f64::from(host.cpus.max(1));
    if per_cpu > LOAD_PER_CPU {
        out.push(format!(
            "other work: the load average is {:.1} on {} CPUs at the start; end other programs before measuring",
            host.load[0], host.cpus
        ));
    }
    if let Some(hypervisor) = &host.virtualised {
        out.push(format!(
            "virtual machine ({hypervisor}): neighbours take time that is not always shown as stolen; compare \
             only what was measured in one run"
        ));
    }
    if let Some(governor) = host.facts.get("frequency governor").filter(|g| *g != "performance") {
        out.push(format!(
            "CPU frequency follows the load (governor {governor}): sudo cpupower frequency-set -g performance"
        ));
    }
    if matches!(host.clock.as_str(), "hpet" | "acpi_pm" | "jiffies") {
        out.push(format!("slow clock source {}: reading the time costs microseconds", host.clock));
    }
    if host.facts.get("BPF JIT").is_some_and(|v| v == "0") {
        out.push("the BPF JIT is off: filters in the kernel are interpreted; sudo sysctl net.core.bpf_jit_enable=1".into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_facts() {
        let host = facts();
        assert!(
            host.cpus > 0 && host.memory > 0 && !host.cpu.is_empty() && !host.kernel.is_empty(),
            "{host:?}"
        );
    }

    #[test]
    fn load_one_cpu_and_a_lazy_governor_are_warned_of() {
        let mut host = Host { cpus: 4, load: [1.0, 0.0, 0.0], ..Host::default() };
        assert!(warnings(&host).is_empty());
        host.load[0] = 3.0;
        host.facts.insert("frequency governor".into(), "powersave".into());
        assert_eq!(warnings(&host).len(), 2);
        host.cpus = 1;
        assert!(warnings(&host)[0].contains("one CPU"));
    }

    #[test]
    fn hypervisors_show_in_the_flags() {
        assert!(hypervisor("flags\t\t: fpu hypervisor sse\n").is_some());
    }
}
