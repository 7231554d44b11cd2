//! Checks the processor, the devices and the memory.

use std::thread::available_parallelism;

use build_index::terminal::format::bytes;
use interrogate::Device;
use interrogate::Precision;

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

/// The kernels that the library selects on this processor.
fn kernels() -> String {
    let (f32, bf16) = (Precision::F32.kernel(), Precision::Bf16.kernel());
    let codes = interrogate::rank::codes::kernel();
    format!("products {f32}, in bf16 {bf16}, codes {codes}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_those_of_the_library() {
        let found = kernels();
        let names = ["portable", "avx2", "avx512", "avx512bf16", "amx"];
        let f32 = found.strip_prefix("products ").and_then(|rest| rest.split_once(", in bf16 "));
        let (f32, rest) = f32.expect("products come first");
        let (bf16, codes) = rest.split_once(", codes ").expect("codes come last");
        assert!(names.contains(&f32) && names.contains(&bf16), "{found}");
        assert_eq!(codes, interrogate::rank::codes::kernel());
        // Kernels for bf16 pairs are for bf16 only; those for tiles, for bf16 or both.
        assert!(f32 != "avx512bf16" && (f32 != "amx" || bf16 == "amx"), "{found}");
    }
}
