//! How fast captions come: images a second and tokens a second.

use std::time::{Duration, Instant};

use interrogate::caption::Progress;

use crate::logger::{Bar, Logger};

/// Counts over all batches, and the line that a person sees meanwhile.
pub(super) struct Pace {
    logger: Logger,
    done: Progress,
    spent: Duration,
    batch: Option<Batch>,
}

struct Batch {
    started: Instant,
    now: Progress,
    bar: Bar,
}

const NONE: Progress = Progress { images: 0, tokens: 0 };

impl Pace {
    pub(super) fn new(logger: &Logger) -> Self {
        Pace { logger: logger.clone(), done: NONE, spent: Duration::ZERO, batch: None }
    }

    /// A batch of so many `images` begins.
    pub(super) fn start(&mut self, images: usize) {
        let bar = match images {
            0 => Bar::hidden(),
            _ => self.logger.bar(images as u64, "{pos}/{len} of these captions, {msg}"),
        };
        self.batch = Some(Batch { started: Instant::now(), now: NONE, bar });
    }

    /// It has come so far.
    pub(super) fn step(&mut self, now: Progress) {
        if let Some(batch) = &mut self.batch {
            batch.now = now;
            batch.bar.set_position(now.images as u64);
            batch.bar.set_message(rates(now, batch.started.elapsed()));
        }
    }

    /// It has ended, well or not: what it gave counts where it ended well.
    pub(super) fn stop(&mut self) {
        if let Some(Batch { started, now, bar }) = self.batch.take() {
            bar.finish_and_clear();
            self.done.images += now.images;
            self.done.tokens += now.tokens;
            self.spent += started.elapsed();
        }
    }

    /// Says what there was, where there was anything.
    pub(super) fn finish(&self, logger: &Logger) {
        let Progress { images, tokens } = self.done;
        if images > 0 {
            let seconds = self.spent.as_secs_f64();
            let rates = rates(self.done, self.spent);
            logger.note(format_args!(
                "captions: {images} images, {tokens} tokens in {seconds:.1} s: {rates}"
            ));
        }
    }
}

fn rates(done: Progress, spent: Duration) -> String {
    let a_second = |count: usize| count as f64 / spent.as_secs_f64().max(1e-9);
    format!("{:.2} images/s, {:.1} tokens/s", a_second(done.images), a_second(done.tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counts_by_seconds() {
        let done = Progress { images: 3, tokens: 50 };
        assert_eq!(rates(done, Duration::from_secs(4)), "0.75 images/s, 12.5 tokens/s");
    }

    #[test]
    fn batches_add_up() {
        let mut pace = Pace::new(&Logger::new(true));
        for tokens in [4, 6] {
            pace.start(2);
            pace.step(Progress { images: 1, tokens: 3 });
            pace.step(Progress { images: 2, tokens });
            pace.stop();
        }
        assert_eq!(pace.done, Progress { images: 4, tokens: 10 });
        assert!(pace.batch.is_none());
    }
}
