//! The progress of a chain (`--mode best` and `negative`).

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use interrogate::prompt::Step;

use crate::interrupt;
use crate::logger::{Bar, Logger};

/// The time between two lines if no bar is shown.
const INTERVAL: Duration = Duration::from_secs(30);

/// Shows the steps of a chain, and breaks it off on an interrupt.
pub(super) struct ChainProgress<'a> {
    logger: &'a Logger,
    bar: RefCell<Option<Bar>>,
    last_line: RefCell<Instant>,
}

impl<'a> ChainProgress<'a> {
    pub(super) fn new(logger: &'a Logger) -> Self {
        let last_line = RefCell::new(Instant::now());
        ChainProgress { logger, bar: RefCell::new(None), last_line }
    }

    /// Shows `step`. Breaks if the run is interrupted.
    pub(super) fn step(&self, step: Step<'_>) -> ControlFlow<()> {
        if interrupt::interrupted() {
            return ControlFlow::Break(());
        }
        let mut bar = self.bar.borrow_mut();
        let new = || self.logger.bar(step.steps as u64, "{bar:20} {pos}/{len} phrases, {wide_msg}");
        let bar = bar.get_or_insert_with(new);
        bar.set_position(step.step as u64);
        bar.set_message(message(&step));
        let mut last_line = self.last_line.borrow_mut();
        if !self.logger.is_live() && last_line.elapsed() >= INTERVAL {
            *last_line = Instant::now();
            let Step { step: done, steps, .. } = step;
            self.logger.note(format_args!("{done}/{steps} phrases, {}", message(&step)));
        }
        ControlFlow::Continue(())
    }

    /// Removes the bar.
    pub(super) fn end(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}

/// `128/2048 tried, 0.2541 a cat`; without the prompt as long as no prompt has a score.
fn message(step: &Step<'_>) -> String {
    let tried = format!("{}/{} tried", step.scored, step.candidates);
    if step.score.is_finite() {
        format!("{tried}, {:.4} {}", step.score, crate::escape::line(step.prompt))
    } else {
        tried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_without_a_score_counts_candidates() {
        let step = Step {
            step: 1,
            steps: 32,
            scored: 128,
            candidates: 2048,
            prompt: "a\ncat",
            score: 0.25,
        };
        assert_eq!(message(&step), "128/2048 tried, 0.2500 a\\ncat");
        assert_eq!(message(&Step { score: f32::NAN, ..step }), "128/2048 tried");
    }
}
