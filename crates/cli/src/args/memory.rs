//! The options of `prompt` that trade memory for results.

use std::num::NonZeroUsize;

use clap::Args as Group;
use interrogate::prompt::Mode;
use interrogate::prompt::modes::PromptOptions;

/// Chain candidates and chunk size under `--low-memory`, as
/// `Config.apply_low_vram_defaults` of clip-interrogator 0.6.0 sets them.
const LOW: usize = 1024;

/// How much of the tables is used at once.
#[derive(Debug, Group)]
#[command(next_help_heading = "Prompt")]
pub(crate) struct Memory {
    /// Number of labels that a chain chooses from (best, negative).
    /// [default: 2048; with --low-memory 1024; with SigLIP and the starter
    /// 128]
    #[arg(long, value_name = "N")]
    pub(crate) chain_candidates: Option<NonZeroUsize>,
    /// Number of rows that clip-interrogator ranks at once, which its ranking by quota
    /// depends on. [default: 2048; with --low-memory 1024]
    #[arg(long, value_name = "N", requires = "compat")]
    pub(crate) chunk_size: Option<NonZeroUsize>,
    /// Use clip-interrogator's settings for little memory: --chain-candidates 1024,
    /// --chunk-size 1024 and, with --caption-model, --two-pass. Its caption model is
    /// blip-base.
    #[arg(long)]
    pub(crate) low_memory: bool,
}

impl Memory {
    /// Returns the defaults of `mode` with these options. `candidates` is the default of the model,
    /// if it has its own.
    pub(crate) fn options(&self, mode: Mode, candidates: Option<usize>) -> PromptOptions {
        let defaults = PromptOptions::new(mode);
        let number = |typed: Option<NonZeroUsize>, default| match typed {
            Some(typed) => typed.get(),
            None if self.low_memory => LOW,
            None => default,
        };
        PromptOptions {
            candidates: match (self.chain_candidates, candidates) {
                (None, Some(candidates)) => candidates,
                (typed, _) => number(typed, defaults.candidates),
            },
            chunk_size: number(self.chunk_size, defaults.chunk_size),
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_memory_changes_the_defaults_and_no_typed_number() {
        let plain = Memory { chain_candidates: None, chunk_size: None, low_memory: false };
        assert_eq!(plain.options(Mode::Best, None), PromptOptions::new(Mode::Best));
        assert_eq!(plain.options(Mode::Best, Some(128)).candidates, 128);
        let low = Memory { chain_candidates: NonZeroUsize::new(300), low_memory: true, ..plain };
        let options = low.options(Mode::Best, Some(128));
        assert_eq!((options.candidates, options.chunk_size), (300, 1024));
    }
}
