//! How far a run has come: images a second, time left, failures.

use std::time::{Duration, Instant};

use build_index::terminal::format::seconds;

use crate::logger::{Bar, Logger};

/// Between two lines, where nobody watches a bar.
const PAUSE: Duration = Duration::from_secs(30);

/// Counts what is answered, and shows it.
pub(crate) struct Progress {
    logger: Logger,
    bar: Bar,
    /// How many images there are, where that is known.
    total: Option<usize>,
    /// Images that were left out, being answered before.
    skipped: usize,
    done: usize,
    failed: usize,
    started: Instant,
    said: Instant,
}

impl Progress {
    /// Of `total` images `skipped` are answered already. A bar is shown where
    /// `watched` and a person is looking, else a line now and then.
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
        let bar = match watched {
            true => logger.bar(left.unwrap_or_default(), template),
            false => Bar::hidden(),
        };
        let now = Instant::now();
        Progress {
            logger: logger.clone(),
            bar,
            total,
            skipped,
            done: 0,
            failed: 0,
            started: now,
            said: now,
        }
    }

    /// So many more are answered, and so many have failed.
    pub(crate) fn step(&mut self, done: usize, failed: usize) {
        self.done += done;
        self.failed += failed;
        self.bar.set_position((self.done + self.failed) as u64);
        self.bar.set_message(self.pace(self.started.elapsed()));
        if !self.logger.is_live() && self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            let all = self.total.map_or(String::new(), |total| format!("/{total}"));
            let so_far = self.skipped + self.done + self.failed;
            let pace = self.pace(self.started.elapsed());
            self.logger.note(format_args!("{so_far}{all} images, {pace}"));
        }
    }

    /// Takes the bar away, and says in a line what there was.
    pub(crate) fn finish(&self) -> String {
        self.bar.finish_and_clear();
        let spent = self.started.elapsed();
        let images = self.done + self.failed;
        let s = if images == 1 { "" } else { "s" };
        format!("{images} image{s} in {:.1} s: {}", spent.as_secs_f64(), rate(images, spent))
    }

    /// `12.1 images/s, 3 min 4 s left, 2 failed`.
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
    fn what_was_answered_before_does_not_count_as_speed() {
        let mut progress = Progress::new(&Logger::new(true), Some(100), 40, false);
        progress.step(18, 2);
        let pace = progress.pace(Duration::from_secs(10));
        assert_eq!(pace, "2.0 images/s, 20 s left, 2 failed");
    }

    #[test]
    fn of_an_unknown_number_none_are_left() {
        let mut progress = Progress::new(&Logger::new(true), None, 0, false);
        progress.step(5, 0);
        assert_eq!(progress.pace(Duration::from_secs(10)), "0.5 images/s");
    }
}
