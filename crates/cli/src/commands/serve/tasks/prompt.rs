//! Prompts.

use std::ops::ControlFlow;
use std::sync::Arc;

use interrogate::encoder::TextEncoder;
use interrogate::prompt::modes::PromptOptions;
use interrogate::{Interrogation, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::clip::Clip;
use super::super::problem::Problem;
use super::super::upload::Bounded;
use super::{Images, OnStep, Row, check_count, check_text, row_json};
use crate::args::Mode;
use crate::commands::prompt::{self, PromptForm as Form};

/// The options of `/v1/prompt`.
#[derive(Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Prompt {
    /// How the prompt is built.
    pub(in super::super) mode: Mode,
    /// Caption that every prompt begins with; "" for none. The default is that of the caption
    /// model, if the server has one.
    pub(in super::super) caption: Option<String>,
    /// Maximum number of flavors, phrases of a chain included. The default is 3; fast, best,
    /// negative: 32.
    pub(in super::super) max_flavors: Option<usize>,
    /// Number of phrases that a chain adds even if they do not raise its score.
    pub(in super::super) min_flavors: usize,
    /// Number of labels that a chain chooses from. The default is the program's.
    pub(in super::super) chain_candidates: Option<usize>,
    /// Lowest cosine of a label in the prompt. The default is the model's.
    pub(in super::super) min_score: Option<f32>,
    /// Use the labels of these tables only.
    pub(in super::super) tables: Bounded<String, 64>,
    /// Leave out these tables.
    pub(in super::super) without: Bounded<String, 64>,
    /// Text that every prompt begins with.
    pub(in super::super) prefix: String,
    /// Text that every prompt ends with.
    pub(in super::super) suffix: String,
    /// Maximum number of tokens.
    pub(in super::super) max_tokens: Option<usize>,
    /// Write labels with weights.
    pub(in super::super) weights: bool,
    /// Text between the parts of a prompt.
    pub(in super::super) separator: Option<String>,
    /// Form of a seed prompt: text with {caption}, {medium}, {movement}, {flavors} or another
    /// table's name in braces.
    pub(in super::super) template: Option<String>,
}

impl Default for Prompt {
    fn default() -> Self {
        Prompt {
            mode: Mode::default(),
            caption: None,
            max_flavors: None,
            min_flavors: 8,
            chain_candidates: None,
            min_score: None,
            tables: Bounded::default(),
            without: Bounded::default(),
            prefix: String::new(),
            suffix: String::new(),
            max_tokens: None,
            weights: false,
            separator: None,
            template: None,
        }
    }
}

impl Prompt {
    pub(super) fn check(&self, clip: &Clip) -> Result<(), Problem> {
        check_count("max_flavors", self.max_flavors.unwrap_or_default(), 0)?;
        check_count("min_flavors", self.min_flavors, 0)?;
        if let Some(count @ (0 | 16_385..)) = self.chain_candidates {
            let expected = format!("chain_candidates: expected 1 to 16384, found {count}");
            return Err(Problem::unprocessable(expected));
        }
        for (name, text) in [
            ("caption", self.caption.as_deref()),
            ("prefix", Some(&*self.prefix)),
            ("suffix", Some(&*self.suffix)),
            ("separator", self.separator.as_deref()),
            ("template", self.template.as_deref()),
        ] {
            check_text(name, text.unwrap_or_default())?;
        }
        // As in the program.
        let beside = [
            ("separator", self.separator.is_some()),
            ("tables", !self.tables.0.is_empty()),
            ("weights", self.weights),
        ];
        if let Some((name, _)) =
            beside.iter().find(|(_, is_set)| *is_set && self.template.is_some())
        {
            return Err(Problem::unprocessable(format!("template cannot be used with {name}")));
        }
        if let Some(message) = self.form().mismatch(self.mode.library()) {
            return Err(
                Problem::unprocessable(message).with_hint("leave out the template or the mode")
            );
        }
        Ok(self.interrogation(clip, None).map(drop)?)
    }

    /// Whether the caption model, if there is one, captions the images.
    pub(in super::super) fn needs_caption(&self) -> bool {
        self.caption.is_none() && self.mode != Mode::Negative
    }

    pub(super) fn rows(
        &self,
        clip: &Clip,
        images: &Images<'_>,
        on_step: &mut OnStep<'_>,
    ) -> Result<Vec<Row>> {
        let mode = self.mode.library();
        let encoder = mode.scores_texts().then(|| clip.texts()).transpose()?;
        let interrogation = self.interrogation(clip, encoder)?;
        let own = self.caption.as_deref().filter(|caption| !caption.is_empty());
        let captions: Vec<_> = images.captions.iter().map(|caption| own.or(*caption)).collect();
        let on_step = |_, step: interrogate::prompt::Step<'_>| -> ControlFlow<()> { on_step(step) };
        let prompts = interrogation.prompts(images.features, &captions, on_step)?;
        let style = self.form().style();
        let rows = images.names.iter().zip(&prompts).map(|(name, prompt)| {
            row_json(&prompt::Row::new(name, &style.write(prompt), mode, prompt))
        });
        rows.collect()
    }

    /// Returns what writes the prompts. Without `encoder` it cannot write chains.
    fn interrogation<'c>(
        &self,
        clip: &'c Clip,
        encoder: Option<Arc<dyn TextEncoder>>,
    ) -> Result<Interrogation<'c>> {
        let (counter, options) = (clip.counter.clone(), self.options(clip));
        self.form().apply(Interrogation::with_encoder(&clip.index, counter, encoder, options))
    }

    fn options(&self, clip: &Clip) -> PromptOptions {
        let mode = self.mode.library();
        let defaults = PromptOptions::new(mode);
        let candidates = self.chain_candidates.or(clip.model.chain_candidates());
        PromptOptions {
            max_flavors: self.max_flavors.unwrap_or(defaults.max_flavors),
            min_flavors: self.min_flavors,
            candidates: candidates.unwrap_or(defaults.candidates),
            min_score: self.min_score.or(clip.model.min_score()),
            ..defaults
        }
    }

    fn form(&self) -> Form<'_> {
        Form {
            tables: &self.tables.0,
            without: &self.without.0,
            max_tokens: self.max_tokens,
            template: self.template.as_deref(),
            prefix: &self.prefix,
            suffix: &self.suffix,
            weights: self.weights,
            separator: self.separator.as_deref(),
        }
    }
}
