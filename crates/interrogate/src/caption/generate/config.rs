//! The options of caption generation and their valid ranges.

use crate::error::CaptionError;
use crate::{Error, Result};

/// When a beam search stops, before the maximum length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// Stop when no live beam, at its current length, can beat the worst of `num_beams` finished
    /// hypotheses: transformers' `False`.
    #[default]
    Likely,
    /// Stop when `num_beams` hypotheses are finished: transformers' `True`.
    Full,
    /// Stop when no live beam can beat the worst finished hypothesis at any length:
    /// transformers' `"never"`.
    Never,
}

/// Samples tokens instead of choosing the most likely one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits: below 1 favors likely tokens, above 1 unlikely ones.
    pub temperature: f32,
    /// Samples only from the most likely tokens whose total probability reaches this; 1 samples
    /// from all.
    pub top_p: f32,
    /// The seed of the random numbers. They also depend on the image's index.
    pub seed: u64,
    /// The index of the batch's first image. Counting images across batches makes the captions
    /// independent of the batch size.
    pub first_image: usize,
}

/// What a caption tells, for Florence-2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaptionTask {
    /// A sentence: `<CAPTION>`.
    #[default]
    Caption,
    /// Some sentences: `<DETAILED_CAPTION>`.
    Detailed,
    /// A paragraph: `<MORE_DETAILED_CAPTION>`.
    MoreDetailed,
}

impl CaptionTask {
    /// All tasks.
    pub const ALL: [CaptionTask; 3] =
        [CaptionTask::Caption, CaptionTask::Detailed, CaptionTask::MoreDetailed];
}

impl std::fmt::Display for CaptionTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CaptionTask::Caption => "caption",
            CaptionTask::Detailed => "detailed",
            CaptionTask::MoreDetailed => "more-detailed",
        })
    }
}

/// The options of caption generation. Lengths count generated tokens, including the
/// end-of-sequence token.
///
/// ```
/// use interrogate::caption::{EarlyStopping, GenerationConfig};
///
/// let config = GenerationConfig {
///     num_beams: 3,
///     early_stopping: EarlyStopping::Full,
///     prompt: "a photo of".to_owned(),
///     ..GenerationConfig::default()
/// };
/// assert_eq!((config.min_new_tokens, config.max_new_tokens), (5, 20));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationConfig {
    /// Number of beams; 1 is greedy search.
    pub num_beams: usize,
    /// Maximum length of a caption.
    pub max_new_tokens: usize,
    /// Minimum number of tokens before the end of a caption.
    pub min_new_tokens: usize,
    /// With beams: a sequence's log-probability is divided by its length to this power. Above 0
    /// favors long captions, below 0 short ones.
    pub length_penalty: f32,
    /// With beams: when to stop.
    pub early_stopping: EarlyStopping,
    /// No n-gram of this size occurs twice, the prompt included; 0 allows all.
    pub no_repeat_ngram_size: usize,
    /// The score of a token that already occurs, the prompt included, is divided by this if
    /// positive and multiplied if negative; 1 has no effect (Keskar et al., arXiv 1909.05858).
    pub repetition_penalty: f32,
    /// Samples tokens instead of choosing the most likely one; not allowed with beams.
    pub sampling: Option<Sampling>,
    /// The text that the caption continues, such as "a photo of"; may be empty. It is not part
    /// of the caption.
    pub prompt: String,
    /// What a caption tells. Other models than Florence-2 have no task but the default.
    pub task: CaptionTask,
}

impl Default for GenerationConfig {
    /// Greedy search, 5 to 20 tokens.
    fn default() -> Self {
        GenerationConfig {
            num_beams: 1,
            max_new_tokens: 20,
            min_new_tokens: 5,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::Likely,
            no_repeat_ngram_size: 0,
            repetition_penalty: 1.0,
            sampling: None,
            prompt: String::new(),
            task: CaptionTask::default(),
        }
    }
}

impl GenerationConfig {
    /// Checks the options against a language model of `vocab` tokens, `eos` of which end a
    /// sequence, and of `positions`, `prompt` of which the prompt needs.
    ///
    /// # Errors
    /// [`CaptionError::Generation`] for the first option that is out of range.
    pub(super) fn check(
        &self,
        vocab: usize,
        eos: usize,
        positions: usize,
        prompt: usize,
    ) -> Result<()> {
        let beams = vocab / eos.saturating_add(1).max(2);
        require("num_beams", self.num_beams, (1..=beams).contains(&self.num_beams), || {
            format!("1 to {beams}")
        })?;
        let room = positions.saturating_sub(prompt);
        require(
            "max_new_tokens",
            self.max_new_tokens,
            (1..=room).contains(&self.max_new_tokens),
            || match room {
                0 => format!("a prompt shorter than {prompt} tokens"),
                _ => format!("1 to {room}"),
            },
        )?;
        let most = self.max_new_tokens;
        require("min_new_tokens", self.min_new_tokens, self.min_new_tokens <= most, || {
            format!("at most max_new_tokens, {most}")
        })?;
        let finite = || "a finite number".to_owned();
        let penalty = self.length_penalty;
        require("length_penalty", penalty, penalty.is_finite(), finite)?;
        let positive = |value: f32| value.is_finite() && value > 0.0;
        let above = || "a number above 0".to_owned();
        let penalty = self.repetition_penalty;
        require("repetition_penalty", penalty, positive(penalty), above)?;
        let Some(sampling) = self.sampling else { return Ok(()) };
        require(
            "sampling",
            format!("on with {} beams", self.num_beams),
            self.num_beams == 1,
            || "one beam, or no sampling".to_owned(),
        )?;
        require("temperature", sampling.temperature, positive(sampling.temperature), above)?;
        let top_p = sampling.top_p;
        require("top_p", top_p, top_p > 0.0 && top_p <= 1.0, || "above 0 and at most 1".to_owned())
    }
}

fn require(
    option: &'static str,
    found: impl ToString,
    holds: bool,
    expected: impl FnOnce() -> String,
) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Caption(CaptionError::Generation {
            option,
            expected: expected(),
            found: found.to_string(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_out_of_range_is_reported() {
        let sampling =
            |temperature, top_p| Some(Sampling { temperature, top_p, seed: 0, first_image: 0 });
        let with = |change: &dyn Fn(&mut GenerationConfig)| {
            let mut options = GenerationConfig::default();
            change(&mut options);
            options.check(100, 1, 64, 40).unwrap_err().to_string()
        };
        for (change, message) in [
            (
                (|o| o.num_beams = 0) as fn(&mut GenerationConfig),
                "num_beams is 0, expected 1 to 50",
            ),
            (|o| o.num_beams = 51, "num_beams is 51, expected 1 to 50"),
            (|o| o.max_new_tokens = 0, "max_new_tokens is 0, expected 1 to 24"),
            (|o| o.max_new_tokens = 25, "max_new_tokens is 25, expected 1 to 24"),
            (
                |o| o.min_new_tokens = 21,
                "min_new_tokens is 21, expected at most max_new_tokens, 20",
            ),
            (|o| o.length_penalty = f32::NAN, "length_penalty is NaN, expected a finite number"),
            (|o| o.repetition_penalty = 0.0, "repetition_penalty is 0, expected a number above 0"),
        ] {
            assert_eq!(with(&change), message);
        }
        let message = with(&|o| (o.sampling, o.num_beams) = (sampling(1.0, 1.0), 3));
        assert_eq!(message, "sampling is on with 3 beams, expected one beam, or no sampling");
        let message = with(&|o| o.sampling = sampling(-1.0, 1.0));
        assert_eq!(message, "temperature is -1, expected a number above 0");
        let message = with(&|o| o.sampling = sampling(1.0, 0.0));
        assert_eq!(message, "top_p is 0, expected above 0 and at most 1");
    }

    #[test]
    fn prompt_that_fills_all_positions_is_reported() {
        let error = GenerationConfig::default().check(100, 1, 64, 64).unwrap_err().to_string();
        assert_eq!(error, "max_new_tokens is 20, expected a prompt shorter than 64 tokens");
        assert!(GenerationConfig::default().check(100, 1, 64, 44).is_ok());
    }
}
