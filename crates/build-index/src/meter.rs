//! How far a build has come, as a bar on a terminal or as plain lines.
//!
//! It turns [`Progress`] into words. Where they go, and whether anything does,
//! is the caller's choice: the module never takes a terminal by itself.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Progress;
use crate::talk::seconds;

/// How long plain lines keep quiet between two.
const PAUSE: Duration = Duration::from_secs(5);

/// Shows progress.
pub struct Meter<'a> {
    show: Show<'a>,
    /// When the labels of this build began to be encoded, and how many tokens
    /// and labels were done by then.
    start: Option<(Instant, usize, usize)>,
}

enum Show<'a> {
    Nothing,
    Bar(ProgressBar),
    Lines { out: Box<dyn Write + 'a>, last: Option<Instant> },
}

impl<'a> Meter<'a> {
    /// Shows nothing.
    pub fn quiet() -> Self {
        Meter { show: Show::Nothing, start: None }
    }

    /// A bar on `target`, for a terminal.
    pub fn bar(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        // A template without a mistake, which the tests parse.
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Meter { show: Show::Bar(bar), start: None }
    }

    /// Plain lines on `out`, one every few seconds, for a log.
    pub fn lines(out: impl Write + 'a) -> Self {
        Meter { show: Show::Lines { out: Box::new(out), last: None }, start: None }
    }

    /// Takes the newest progress.
    pub fn update(&mut self, progress: Progress) {
        let (done, total, message) = self.describe(progress);
        match &mut self.show {
            Show::Nothing => {}
            Show::Bar(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(message);
            }
            Show::Lines { out, last } => {
                let now = Instant::now();
                if done == total || last.is_none_or(|last| now - last >= PAUSE) {
                    // Who does not listen is not told.
                    let _ = writeln!(out, "{done} of {total} {message}");
                    *last = Some(now);
                }
            }
        }
    }

    /// Takes the bar away, so that what is printed next stands alone.
    pub fn finish(self) {
        if let Show::Bar(bar) = self.show {
            bar.finish_and_clear();
        }
    }

    fn describe(&mut self, progress: Progress) -> (usize, usize, String) {
        match progress {
            Progress::Tokenizing { labels, total } => (labels, total, "labels tokenized".into()),
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

/// `, 293 labels/s, 5 min 40 s left`; nothing before the first block is done.
///
/// The time left goes by tokens: short labels come first, so that the labels a
/// second fall while the tokens a second stay.
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
    use super::*;

    fn encoding(labels: usize) -> Progress {
        Progress::Encoding { labels, total: 10, tokens: labels * 4, total_tokens: 40 }
    }

    #[test]
    fn the_time_left_goes_by_tokens() {
        let elapsed = Duration::from_secs(10);
        assert_eq!(pace(elapsed, 1000, 2000, 8000), ", 100 labels/s, 30 s left");
        assert_eq!(pace(elapsed, 0, 0, 8000), "");
        assert_eq!(pace(Duration::ZERO, 1, 1, 1), "");
    }

    #[test]
    fn lines_come_at_the_beginning_and_at_the_end_and_not_in_between() {
        let mut out = Vec::new();
        let mut meter = Meter::lines(&mut out);
        (0..=10).for_each(|labels| meter.update(encoding(labels)));
        meter.finish();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0], "0 of 10 labels encoded");
        assert!(lines[1].starts_with("10 of 10 labels encoded, "), "{text}");
        assert!(lines[1].ends_with(" labels/s, 0 s left"), "{text}");
    }

    #[test]
    fn the_bar_s_template_parses() {
        assert!(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}").is_ok());
        let mut meter = Meter::bar(ProgressDrawTarget::hidden());
        meter.update(encoding(3));
        let Show::Bar(bar) = &meter.show else { panic!("a bar was asked for") };
        assert_eq!((bar.position(), bar.length()), (3, Some(10)));
    }
}
