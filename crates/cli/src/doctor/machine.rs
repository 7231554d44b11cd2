//! The processor and the memory.

use std::thread::available_parallelism;

use build_index::talk::bytes;
use interrogate::Device;

use super::Finding;

/// What the kernels find here.
pub(super) fn look() -> Vec<Finding> {
    let kind = "machine";
    let threads = available_parallelism().map_or(1, usize::from);
    let features = features();
    let known =
        if features.is_empty() { "no extension that is used".into() } else { features.join(", ") };
    let mut found = vec![
        Finding::ready(kind, "threads", threads.to_string()),
        Finding::ready(kind, "processor", format!("{}: {known}", std::env::consts::ARCH)),
        Finding::ready(kind, "kernels", kernels(&features)),
    ];
    found.push(devices());
    if let Some((total, free)) = memory() {
        let (total, free) = (bytes(total), bytes(free));
        found.push(Finding::ready(kind, "memory", format!("{free} free of {total}")));
    }
    found
}

/// What `--device` takes in this build. None is started: a driver is asked when it is
/// needed.
fn devices() -> Finding {
    let built: Vec<&str> = Device::built().collect();
    Finding::ready("machine", "devices", format!("this build computes on {}", built.join(", ")))
}

/// The extensions that kernels are written for and that are here.
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
    all.into_iter().filter(|(_, here)| *here).map(|(name, _)| name).collect()
}

/// What runs on them, in words.
fn kernels(features: &[&str]) -> String {
    let has = |all: &[&str]| all.iter().all(|name| features.contains(name));
    let products = match () {
        () if has(&["avx512f", "avx512bw"]) => "AVX-512",
        () if has(&["avx2", "fma", "f16c"]) => "AVX2",
        () => "portable",
    };
    let codes = match () {
        () if has(&["avx512bw", "avx512vnni"]) => "AVX-512 VNNI",
        () if has(&["avx2", "avxvnni"]) => "AVX-VNNI",
        () if has(&["avx2"]) => "AVX2",
        () if has(&["dotprod"]) => "dotprod",
        () => "portable",
    };
    let half = if has(&["avx512bf16"]) { "in hardware" } else { "widened to f32" };
    format!("products {products}, codes {codes}, bf16 {half}")
}

/// Bytes of memory, and those that are free, where /proc/meminfo tells.
fn memory() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let read = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some((read("MemTotal:")?, read("MemAvailable:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_kernel_that_runs_is_named() {
        assert_eq!(kernels(&[]), "products portable, codes portable, bf16 widened to f32");
        let avx2 = ["avx2", "fma", "f16c"];
        assert_eq!(kernels(&avx2), "products AVX2, codes AVX2, bf16 widened to f32");
        let all = [&avx2[..], &["avx512f", "avx512bw", "avx512vnni", "avx512bf16"]].concat();
        assert_eq!(kernels(&all), "products AVX-512, codes AVX-512 VNNI, bf16 in hardware");
    }
}
