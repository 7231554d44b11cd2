//! What this process takes of memory, as Linux counts it.

use serde_json::{Map, Value};

/// Megabytes: all that is resident, of that its own and the pages of files, and the most
/// that was ever resident. Empty elsewhere than on Linux.
pub(crate) fn now() -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut told = Map::new();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let kilobytes = value.trim().strip_suffix(" kB").and_then(|n| n.trim().parse::<u64>().ok());
        let said = match name {
            "VmRSS" => "resident MB",
            "RssAnon" => "own MB",
            "RssFile" => "of files MB",
            "VmHWM" => "most MB",
            _ => continue,
        };
        told.insert(said.to_owned(), kilobytes.map(|n| n / 1000).into());
    }
    Value::Object(told)
}
