//! Progress of a build.

use std::time::{Duration, Instant};

use super::Logger;
use super::format::seconds;
use super::logger::Bar;
use crate::Progress;

/// The shortest time between two lines in a log.
const PAUSE: Duration = Duration::from_secs(5);

/// The bar's template, which a test parses.
const TEMPLATE: &str = "{wide_bar} {pos}/{len} {msg}";

/// Shows [`Progress`]: a bar on a terminal, else a line every few seconds.
#[derive(Debug)]
pub struct BuildProgress {
    logger: Logger,
    bar: Bar,
    /// When the last line was printed.
    printed: Option<Instant>,
    /// When encoding started, and how many tokens and labels were done by then.
    start: Option<(Instant, usize, usize)>,
}

impl BuildProgress {
    /// Shows progress by `logger`.
    pub fn new(logger: &Logger) -> Self {
        let bar = logger.bar(0, TEMPLATE);
        BuildProgress { logger: logger.clone(), bar, printed: None, start: None }
    }

    /// Shows the newest progress.
    pub fn update(&mut self, progress: Progress) {
        let (done, total, message) = self.describe(progress);
        if self.logger.is_live() {
            self.bar.set_len(total as u64);
            self.bar.set_position(done as u64);
            self.bar.set_message(message);
            return;
        }
        let now = Instant::now();
        if done == total || self.printed.is_none_or(|printed| now - printed >= PAUSE) {
            self.logger.note(format_args!("{done} of {total} {message}"));
            self.printed = Some(now);
        }
    }

    /// Removes the bar.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    /// The number done, the total, and the message.
    fn describe(&mut self, progress: Progress) -> (usize, usize, String) {
        match progress {
            Progress::Tokenizing { labels, total } => (labels, total, "labels tokenized".into()),
            Progress::Checking { rows, total } => (rows, total, "rows checked".into()),
            Progress::Writing { rows, total } => (rows, total, "rows written".into()),
            Progress::Encoding { labels, total, tokens, total_tokens } => {
                let now = Instant::now();
                let (start, before, labels_before) =
                    *self.start.get_or_insert((now, tokens, labels));
                let (tokens, all) = (tokens - before, total_tokens - before);
                let pace = pace(now - start, labels - labels_before, tokens, all);
                (labels, total, format!("labels encoded{pace}"))
            }
        }
    }
}

/// `, 293 labels/s, 5 min 40 s left`; empty before the first block is done.
///
/// The time left follows from tokens: short labels come first, so labels per second
/// fall while tokens per second stay.
fn pace(elapsed: Duration, labels: usize, tokens: usize, total_tokens: usize) -> String {
    let elapsed = elapsed.as_secs_f64();
    if tokens == 0 || elapsed == 0.0 {
        return String::new();
    }
    let rate = labels as f64 / elapsed;
    let left = elapsed * total_tokens.saturating_sub(tokens) as f64 / tokens as f64;
    format!(", {rate:.0} labels/s, {} left", seconds(left.ceil() as u64))
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    #[test]
    fn time_left_follows_from_tokens() {
        let elapsed = Duration::from_secs(10);
        assert_eq!(pace(elapsed, 1000, 2000, 8000), ", 100 labels/s, 30 s left");
        assert_eq!(pace(elapsed, 0, 0, 8000), "");
        assert_eq!(pace(Duration::ZERO, 1, 1, 1), "");
    }

    #[test]
    fn lines_are_printed_at_the_start_and_the_end() {
        let logger = Logger::in_memory(false);
        let mut progress = BuildProgress::new(&logger);
        for labels in 0..=10 {
            let tokens = labels * 4;
            progress.update(Progress::Encoding { labels, total: 10, tokens, total_tokens: 40 });
        }
        progress.finish();
        let text = logger.messages();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0], "0 of 10 labels encoded");
        assert!(lines[1].starts_with("10 of 10 labels encoded, "), "{text}");
        assert!(lines[1].ends_with(" labels/s, 0 s left"), "{text}");
    }

    #[test]
    fn template_parses() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
