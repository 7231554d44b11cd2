//! The memory of this process, as Linux counts it.

use serde_json::{Map, Value};

/// Resident memory in megabytes: the total, the anonymous part, the part of files, and the
/// peak. Empty on systems other than Linux.
pub(crate) fn now() -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut fields = Map::new();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let kilobytes = value.trim().strip_suffix(" kB").and_then(|n| n.trim().parse::<u64>().ok());
        let key = match name {
            "VmRSS" => "resident MB",
            "RssAnon" => "own MB",
            "RssFile" => "of files MB",
            "VmHWM" => "most MB",
            _ => continue,
        };
        fields.insert(key.to_owned(), kilobytes.map(|n| n / 1000).into());
    }
    Value::Object(fields)
}
