//! Checks the processor, the devices and the memory.

use std::thread::available_parallelism;

use build_index::terminal::format::bytes;
use build_index::terminal::version::kernels;
use interrogate::Device;

use super::Finding;

/// Returns what the kernels can use on this machine.
pub(super) fn check() -> Vec<Finding> {
    let kind = "machine";
    let threads = available_parallelism().map_or(1, usize::from);
    let features = features();
    let known =
        if features.is_empty() { "no extension that is used".into() } else { features.join(", ") };
    let mut found = vec![
        Finding::ready(kind, "threads", threads.to_string()),
        Finding::ready(kind, "processor", format!("{}: {known}", std::env::consts::ARCH)),
        Finding::ready(kind, "kernels", kernels()),
    ];
    found.push(devices());
    if let Some((total, free)) = memory() {
        let (total, free) = (bytes(total), bytes(free));
        found.push(Finding::ready(kind, "memory", format!("{free} free of {total}")));
    }
    found
}

/// The values of `--device` in this build. No driver is loaded.
fn devices() -> Finding {
    let built: Vec<&str> = Device::built().collect();
    Finding::ready("machine", "devices", format!("this build computes on {}", built.join(", ")))
}

/// The processor extensions that the kernels can use and that this processor has.
fn features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ];
    #[cfg(target_arch = "aarch64")]
    let all = [("dotprod", std::arch::is_aarch64_feature_detected!("dotprod"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let all: [(&str, bool); 0] = [];
    all.into_iter().filter(|(_, detected)| *detected).map(|(name, _)| name).collect()
}

/// Total and free memory in bytes; `None` without /proc/meminfo.
fn memory() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let read = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some((read("MemTotal:")?, read("MemAvailable:")?))
}
