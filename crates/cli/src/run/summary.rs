//! The notes at the end of a run, and how to continue it.

use super::Run;
use crate::args::Form;
use crate::interrupt;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::Sidecars;

impl Run {
    /// Logs what was done, and how to continue if the run was interrupted.
    pub(super) fn log_summary(
        &self,
        logger: &Logger,
        speed: &str,
        outcome: Outcome,
        sidecars: &Sidecars,
    ) {
        let Outcome { done, failed, interrupted } = outcome;
        if failed > 0 {
            let before = match self.resumed.failed() {
                0 => String::new(),
                before => {
                    format!(", {before} of them in earlier runs: --retry-failed tries them again")
                }
            };
            logger.note(format_args!("{failed} of {} images failed{before}", done + failed));
        }
        if let Some(summary) = sidecars.summary() {
            logger.note(summary);
        }
        if let Some(path) = &self.target.path {
            let before = self.resumed.done() + self.resumed.failed();
            let before =
                if before > 0 { format!(", {before} in earlier runs") } else { String::new() };
            logger.note(format_args!("{}: {speed}{before}", path.display()));
        }
        self.log_skipped(logger);
        if interrupted {
            logger.lines(self.interrupted());
        }
    }

    /// Logs the files of folders and archives that are not images.
    pub(crate) fn log_skipped(&self, logger: &Logger) {
        if let Some(skipped) = self.source.skipped() {
            logger.note(skipped);
        }
    }

    /// Returns the message of an interrupted run: how to continue it.
    pub(super) fn interrupted(&self) -> String {
        let how = match (&self.target.path, self.target.form) {
            (Some(_), Form::Jsonl | Form::Csv) => {
                format!("continue with\n  {}", interrupt::command_with("--resume"))
            }
            _ if self.target.is_shard() => {
                "run the same command again: finished shards are kept".to_owned()
            }
            (Some(_), form) if form.is_whole() => {
                format!(
                    "a {} file is written at the end only, and no result was kept; a run into .jsonl or .csv can be resumed",
                    form.name()
                )
            }
            _ if self.skip_beside.is_some() => {
                format!("continue with\n  {}", interrupt::command_with(""))
            }
            _ => "a run with -o answers.jsonl can be resumed".into(),
        };
        format!("interrupted: {how}")
    }
}
