//! The memory of the program during a run.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

/// Samples of the rows written so far and the anonymous memory in MB.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<(usize, u64)>);

impl Memory {
    /// Samples `child` ten times per second until it ends. Linux only; elsewhere there are no
    /// samples.
    pub(crate) fn watch(child: &mut Child, out: &Path) -> Self {
        let mut samples = Vec::new();
        while let Ok(None) = child.try_wait() {
            let lines = fs::read(out)
                .map_or(0, |bytes| bytes.iter().filter(|&&byte| byte == b'\n').count());
            if let Some(own) = anonymous(child.id()) {
                samples.push((lines, own));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Memory(samples)
    }

    /// The largest sample with `from` to `to` rows.
    fn most(&self, from: usize, to: usize) -> u64 {
        let within = self.0.iter().filter(|(lines, _)| (from..to).contains(lines));
        within.map(|(_, own)| *own).max().unwrap_or_default()
    }
}

impl fmt::Display for Memory {
    /// The largest sample in each tenth of the run.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().map(|(lines, _)| *lines).max().unwrap_or_default();
        write!(out, "MB by tenths of {all}:")?;
        (0..10).try_for_each(|n| write!(out, " {}", self.most(all * n / 10, all * (n + 1) / 10)))
    }
}

/// RssAnon of a process in MB.
fn anonymous(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kb| kb / 1000)
}
