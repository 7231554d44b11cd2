//! How far a chain of `prompt --mode best` or `negative` has come.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use interrogate::prompt::Step;

use crate::interrupt;
use crate::logger::{Bar, Logger};

/// Between two lines where no terminal shows a bar.
const PAUSE: Duration = Duration::from_secs(30);

/// Shows the steps of a chain, and ends it where the run is asked to stop.
pub(crate) struct ChainProgress<'a> {
    logger: &'a Logger,
    bar: RefCell<Option<Bar>>,
    said: RefCell<Instant>,
}

impl<'a> ChainProgress<'a> {
    pub(crate) fn new(logger: &'a Logger) -> Self {
        ChainProgress { logger, bar: RefCell::new(None), said: RefCell::new(Instant::now()) }
    }

    /// Shows `step`; breaks where the run is asked to stop.
    pub(crate) fn step(&self, step: Step<'_>) -> ControlFlow<()> {
        if interrupt::interrupted() {
            return ControlFlow::Break(());
        }
        let mut bar = self.bar.borrow_mut();
        let new = || self.logger.bar(step.steps as u64, "{bar:20} {pos}/{len} phrases, {wide_msg}");
        let bar = bar.get_or_insert_with(new);
        bar.set_position(step.step as u64);
        bar.set_message(scored(&step));
        let mut said = self.said.borrow_mut();
        if !self.logger.is_live() && said.elapsed() >= PAUSE {
            *said = Instant::now();
            let Step { step: done, steps, .. } = step;
            self.logger.note(format_args!("{done}/{steps} phrases, {}", scored(&step)));
        }
        ControlFlow::Continue(())
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}

/// `128/2048 tried, 0.2541 a cat`: a prompt without a score is left out.
fn scored(step: &Step<'_>) -> String {
    let tried = format!("{}/{} tried", step.scored, step.candidates);
    match step.score.is_finite() {
        true => format!("{tried}, {:.4} {}", step.score, crate::escape::line(step.prompt)),
        false => tried,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_without_a_score_says_how_many_were_tried() {
        let step = Step {
            step: 1,
            steps: 32,
            scored: 128,
            candidates: 2048,
            prompt: "a\ncat",
            score: 0.25,
        };
        assert_eq!(scored(&step), "128/2048 tried, 0.2500 a\\ncat");
        assert_eq!(scored(&Step { score: f32::NAN, ..step }), "128/2048 tried");
    }
}
