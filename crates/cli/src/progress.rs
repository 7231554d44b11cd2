//! Progress of a run: images per second, time left, failures.

use std::time::{Duration, Instant};

use build_index::terminal::format::seconds;

use crate::logger::{Bar, Logger};

/// The shortest time between two lines in a log.
const PAUSE: Duration = Duration::from_secs(30);

/// Counts images and shows a bar on a terminal, else a line every [`PAUSE`].
pub(crate) struct Progress {
    logger: Logger,
    bar: Bar,
    /// Number of images, if it is known.
    total: Option<usize>,
    /// Images that an earlier run completed.
    skipped: usize,
    done: usize,
    failed: usize,
    started: Instant,
    /// When the last line was printed.
    printed: Instant,
}

impl Progress {
    /// Starts at `skipped` of `total` images. A bar is drawn only if `watched` and the
    /// logger is live.
    pub(crate) fn new(
        logger: &Logger,
        total: Option<usize>,
        skipped: usize,
        watched: bool,
    ) -> Self {
        let template = match total {
            Some(_) => "{bar:40} {pos}/{len} images, {msg}",
            None => "{spinner} {pos} images, {msg}",
        };
        let left = total.map(|total| total.saturating_sub(skipped) as u64);
        let bar =
            if watched { logger.bar(left.unwrap_or_default(), template) } else { Bar::hidden() };
        let now = Instant::now();
        Progress {
            logger: logger.clone(),
            bar,
            total,
            skipped,
            done: 0,
            failed: 0,
            started: now,
            printed: now,
        }
    }

    /// Adds `done` images that succeeded and `failed` that did not.
    pub(crate) fn step(&mut self, done: usize, failed: usize) {
        self.done += done;
        self.failed += failed;
        self.bar.set_position((self.done + self.failed) as u64);
        self.bar.set_message(self.pace(self.started.elapsed()));
        if !self.logger.is_live() && self.printed.elapsed() >= PAUSE {
            self.printed = Instant::now();
            let all = self.total.map_or(String::new(), |total| format!("/{total}"));
            let so_far = self.skipped + self.done + self.failed;
            let pace = self.pace(self.started.elapsed());
            self.logger.note(format_args!("{so_far}{all} images, {pace}"));
        }
    }

    /// Removes the bar, and returns a line with the totals.
    pub(crate) fn finish(&self) -> String {
        self.bar.finish_and_clear();
        let spent = self.started.elapsed();
        let images = self.done + self.failed;
        let s = if images == 1 { "" } else { "s" };
        format!("{images} image{s} in {:.1} s: {}", spent.as_secs_f64(), rate(images, spent))
    }

    /// Formats `12.1 images/s, 3 min 4 s left, 2 failed`.
    fn pace(&self, spent: Duration) -> String {
        let images = self.done + self.failed;
        let mut pace = rate(images, spent);
        if let Some(total) = self.total
            && images > 0
        {
            let left = total.saturating_sub(self.skipped + images) as f64;
            let left = left * spent.as_secs_f64() / images as f64;
            pace += &format!(", {} left", seconds(left.ceil() as u64));
        }
        if self.failed > 0 {
            pace += &format!(", {} failed", self.failed);
        }
        pace
    }
}

fn rate(images: usize, spent: Duration) -> String {
    format!("{:.1} images/s", images as f64 / spent.as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_images_do_not_count_as_speed() {
        let mut progress = Progress::new(&Logger::new(true), Some(100), 40, false);
        progress.step(18, 2);
        let pace = progress.pace(Duration::from_secs(10));
        assert_eq!(pace, "2.0 images/s, 20 s left, 2 failed");
    }

    #[test]
    fn unknown_total_gives_no_time_left() {
        let mut progress = Progress::new(&Logger::new(true), None, 0, false);
        progress.step(5, 0);
        assert_eq!(progress.pace(Duration::from_secs(10)), "0.5 images/s");
    }
}
