//! What may be asked of a search, and what may not.

use crate::{Error, Result};

/// When a beam search has seen enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// When the best sequence that goes on, were it to end now, would fall
    /// behind all that have ended: transformers' `False`.
    #[default]
    Likely,
    /// When as many sequences as beams have ended: transformers' `True`.
    Full,
    /// When no sequence that goes on can come in any more: `"never"`.
    Never,
}

/// Drawing tokens by chance instead of taking the likeliest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by: below 1 sharper, above 1 flatter.
    pub temperature: f32,
    /// Draws from the likeliest tokens that together have at least this
    /// probability; 1 draws from all.
    pub top_p: f32,
    /// The same seed draws the same captions; an image's draws depend on its
    /// number.
    pub seed: u64,
    /// The number of the batch's first image: who counts on from batch to batch
    /// gets the same captions whatever a batch's size.
    pub first: usize,
}

/// How a caption is searched for. Lengths count generated tokens, the
/// end-of-sequence token included.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Sequences kept side by side; 1 is greedy.
    pub num_beams: usize,
    /// Most tokens of a caption.
    pub max_new_tokens: usize,
    /// Tokens before a caption may end.
    pub min_new_tokens: usize,
    /// With beams: a sequence's log-probability is divided by its length to
    /// this power. Above 0 favours long captions, below 0 short ones.
    pub length_penalty: f32,
    /// With beams: when to stop.
    pub early_stopping: EarlyStopping,
    /// No run of so many tokens comes twice, the prompt's included; 0 allows
    /// all.
    pub no_repeat_ngram_size: usize,
    /// The score of a token that was there already, prompt included, is divided
    /// by this where positive and multiplied where negative; 1 does nothing
    /// (Keskar et al., arXiv 1909.05858).
    pub repetition_penalty: f32,
    /// Draws tokens instead of taking the likeliest; not together with beams.
    pub sampling: Option<Sampling>,
    /// Words that the caption goes on from, such as "a photo of"; empty for
    /// none. They are not part of the caption.
    pub prompt: String,
}

impl Default for Generation {
    /// Greedy, 5 to 20 tokens.
    fn default() -> Self {
        Generation {
            num_beams: 1,
            max_new_tokens: 20,
            min_new_tokens: 5,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::Likely,
            no_repeat_ngram_size: 0,
            repetition_penalty: 1.0,
            sampling: None,
            prompt: String::new(),
        }
    }
}

impl Generation {
    /// Holds the options against a language model of `vocab` tokens, `ends` of
    /// which end a caption, and of `positions`, `prompt` of which are taken.
    ///
    /// # Errors
    /// [`Error::Generation`] for the first option that is out of range.
    pub(super) fn check(
        &self,
        vocab: usize,
        ends: usize,
        positions: usize,
        prompt: usize,
    ) -> Result<()> {
        let beams = vocab / ends.saturating_add(1).max(2);
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
    match holds {
        true => Ok(()),
        false => Err(Error::Generation { option, expected: expected(), found: found.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_out_of_range_is_named() {
        let sampling =
            |temperature, top_p| Some(Sampling { temperature, top_p, seed: 0, first: 0 });
        let with = |change: &dyn Fn(&mut Generation)| {
            let mut options = Generation::default();
            change(&mut options);
            options.check(100, 1, 64, 40).unwrap_err().to_string()
        };
        for (change, message) in [
            ((|o| o.num_beams = 0) as fn(&mut Generation), "num_beams is 0, expected 1 to 50"),
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
    fn a_prompt_that_leaves_no_room_is_told() {
        let error = Generation::default().check(100, 1, 64, 64).unwrap_err().to_string();
        assert_eq!(error, "max_new_tokens is 20, expected a prompt shorter than 64 tokens");
        assert!(Generation::default().check(100, 1, 64, 44).is_ok());
    }
}
