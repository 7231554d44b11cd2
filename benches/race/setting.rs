//! Settings and memory of this process.

use serde_json::{Value, json};

use crate::Result;

/// Threads, ranking kernel and version.
pub(crate) fn setting() -> Value {
    json!({
        "threads": rayon::current_num_threads(),
        "ranking kernel": interrogate::rank::kernel(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Peak resident set and private memory now, in bytes, as Linux counts them.
pub(crate) fn memory() -> Result<Value> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    };
    Ok(json!({ "peak": bytes("VmHWM:"), "anon": bytes("RssAnon:") }))
}
