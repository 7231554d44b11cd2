//! The program's own memory over the course of a run.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

/// Anonymous memory in MB beside the answers that were written by then.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<(usize, u64)>);

impl Memory {
    /// Looks at `child` ten times a second until it ends. Linux alone: elsewhere
    /// it sees nothing.
    pub(crate) fn watch(child: &mut Child, answers: &Path) -> Self {
        let mut seen = Vec::new();
        while let Ok(None) = child.try_wait() {
            let lines = fs::read(answers)
                .map_or(0, |answers| answers.iter().filter(|&&byte| byte == b'\n').count());
            if let Some(own) = anonymous(child.id()) {
                seen.push((lines, own));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Memory(seen)
    }

    /// The most while `from` to `to` images were answered.
    fn most(&self, from: usize, to: usize) -> u64 {
        let within = self.0.iter().filter(|(lines, _)| (from..to).contains(lines));
        within.map(|(_, own)| *own).max().unwrap_or_default()
    }
}

impl fmt::Display for Memory {
    /// The most in each tenth of the run.
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
