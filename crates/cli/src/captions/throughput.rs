//! The speed of captioning: images and tokens a second.

use std::time::{Duration, Instant};

use interrogate::caption::Progress;

use crate::logger::{Bar, Logger};

/// Counts captions and tokens of all batches, and shows a bar during each batch.
pub(super) struct Throughput {
    logger: Logger,
    total: Progress,
    elapsed: Duration,
    batch: Option<Batch>,
}

struct Batch {
    started: Instant,
    progress: Progress,
    bar: Bar,
}

const NONE: Progress = Progress { images: 0, tokens: 0 };

impl Throughput {
    pub(super) fn new(logger: &Logger) -> Self {
        Throughput { logger: logger.clone(), total: NONE, elapsed: Duration::ZERO, batch: None }
    }

    /// Starts a batch of `images` images.
    pub(super) fn start(&mut self, images: usize) {
        let bar = match images {
            0 => Bar::hidden(),
            _ => self.logger.bar(images as u64, "{pos}/{len} of these captions, {msg}"),
        };
        self.batch = Some(Batch { started: Instant::now(), progress: NONE, bar });
    }

    /// Shows the progress of the batch.
    pub(super) fn step(&mut self, progress: Progress) {
        if let Some(batch) = &mut self.batch {
            batch.progress = progress;
            batch.bar.set_position(progress.images as u64);
            batch.bar.set_message(rates(progress, batch.started.elapsed()));
        }
    }

    /// Ends the batch and adds its progress to the totals; of a failed batch that is the
    /// part before the failure.
    pub(super) fn stop(&mut self) {
        if let Some(Batch { started, progress, bar }) = self.batch.take() {
            bar.finish_and_clear();
            self.total.images += progress.images;
            self.total.tokens += progress.tokens;
            self.elapsed += started.elapsed();
        }
    }

    /// Logs the totals, if there was any caption.
    pub(super) fn log(&self, logger: &Logger) {
        let Progress { images, tokens } = self.total;
        if images > 0 {
            let seconds = self.elapsed.as_secs_f64();
            let rates = rates(self.total, self.elapsed);
            logger.note(format_args!(
                "captions: {images} images, {tokens} tokens in {seconds:.1} s: {rates}"
            ));
        }
    }
}

fn rates(progress: Progress, elapsed: Duration) -> String {
    let per_second = |count: usize| count as f64 / elapsed.as_secs_f64().max(1e-9);
    let (images, tokens) = (per_second(progress.images), per_second(progress.tokens));
    format!("{images:.2} images/s, {tokens:.1} tokens/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counts_per_second() {
        let progress = Progress { images: 3, tokens: 50 };
        assert_eq!(rates(progress, Duration::from_secs(4)), "0.75 images/s, 12.5 tokens/s");
    }

    #[test]
    fn totals_are_sums_over_batches() {
        let mut throughput = Throughput::new(&Logger::new(true));
        for tokens in [4, 6] {
            throughput.start(2);
            throughput.step(Progress { images: 1, tokens: 3 });
            throughput.step(Progress { images: 2, tokens });
            throughput.stop();
        }
        assert_eq!(throughput.total, Progress { images: 4, tokens: 10 });
        assert!(throughput.batch.is_none());
    }
}
