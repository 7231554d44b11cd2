//! The prompt to write for every image, built from the options.

use build_index::Duplicates;
use interrogate::Interrogation;
use interrogate::index::Index;
use interrogate::models::Model;
use interrogate::prompt::modes::PromptOptions;
use interrogate::prompt::{Deny, Mode, Pick, Prompt, Style};

use super::chain_progress::ChainProgress;
use super::encode::Encoded;
use super::form::Form;
use crate::args;
use crate::commands::lists;
use crate::commands::report::CardResult;
use crate::error::CliError;
use crate::logger::Logger;
use crate::report::Thumbnail;

/// Labels of each table on a card of the report, if the prompt takes fewer.
const REPORT_LABELS: usize = 5;

/// The tables, mode and form of the prompts of a run.
pub(super) struct PromptPlan<'a> {
    interrogation: Interrogation<'a>,
    style: Style,
}

/// A prompt, and what a report shows beside it.
pub(super) struct WrittenPrompt<'a> {
    pub(super) prompt: Prompt<'a>,
    /// The prompt as it is written.
    pub(super) text: String,
    pub(super) thumbnail: Option<Thumbnail>,
    /// The best labels of each table; empty without a report.
    pub(super) picks: Vec<Pick<'a>>,
}

impl WrittenPrompt<'_> {
    /// Returns what the card of a report shows.
    pub(super) fn card(&self) -> CardResult<'_> {
        CardResult {
            caption: self.prompt.caption.as_deref(),
            prompt: Some(&self.text),
            thumbnail: self.thumbnail.as_ref(),
            picks: &self.picks,
        }
    }
}

impl<'a> PromptPlan<'a> {
    /// Reads the files that the options name, and encodes the labels of `--list`.
    pub(super) fn open(
        args: &args::Prompt,
        model: &Model,
        index: &'a Index,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        let (mode, control, memory) = (args.mode.library(), &args.control, &args.memory);
        let form = Form {
            tables: &control.tables,
            without: &control.without,
            max_tokens: control.max_tokens,
            template: control.template.as_deref(),
            prefix: &control.prefix,
            suffix: &control.suffix,
            weights: control.weights,
            separator: control.separator.as_deref(),
        };
        if let Some(message) = form.mismatch(mode) {
            let hint = "leave out --template or --mode".to_owned();
            return Err(CliError::Arguments { message, hint });
        }
        let options = PromptOptions {
            max_flavors: args.max_flavors.unwrap_or(mode.max_flavors()),
            min_flavors: args.min_flavors,
            min_score: args.min_score.or(model.min_score()),
            compat: control.compat,
            ..memory.options(mode, model.chain_candidates())
        };
        let mut interrogation = Interrogation::new(index, model, options)?;
        let duplicates =
            if control.keep_duplicates { Duplicates::Keep } else { Duplicates::LeaveOut };
        for table in lists::encode(&control.list, duplicates, model, logger)? {
            interrogation = interrogation.with(table);
        }
        if let Some(path) = &control.deny {
            interrogation = interrogation.denying(Deny::open(path)?);
        }
        let Style { replacements, escape_parens, .. } = args.wording.style();
        let style = Style { replacements, escape_parens, ..form.style() };
        Ok(PromptPlan { interrogation: form.apply(interrogation)?, style })
    }

    pub(super) fn mode(&self) -> Mode {
        self.interrogation.options().mode
    }

    /// Writes one prompt for each of `images`, in order, with the labels that a report
    /// shows if `for_report`. Shows the steps of a chain on `chain`.
    ///
    /// # Errors
    /// [`interrogate::Error::Interrupted`] if the run is interrupted in a chain, and those
    /// of [`Interrogation::prompts`].
    pub(super) fn write(
        &self,
        images: Vec<Encoded>,
        for_report: bool,
        chain: &ChainProgress<'_>,
    ) -> interrogate::Result<Vec<WrittenPrompt<'_>>> {
        let (mut features, mut captions, mut thumbnails) = (Vec::new(), Vec::new(), Vec::new());
        for image in images {
            features.push(image.features);
            captions.push(image.caption);
            thumbnails.push(image.thumbnail);
        }
        let captions: Vec<_> = captions.iter().map(Option::as_deref).collect();
        let prompts = self.interrogation.prompts(&features, &captions, |_, step| chain.step(step));
        chain.end();
        let prompts = prompts?;
        let picks = if for_report {
            self.interrogation.picks(&features, REPORT_LABELS)?
        } else {
            vec![Vec::new(); prompts.len()]
        };
        let written = prompts.into_iter().zip(thumbnails).zip(picks);
        let written = written.map(|((prompt, thumbnail), picks)| WrittenPrompt {
            text: self.style.write(&prompt),
            prompt,
            thumbnail,
            picks,
        });
        Ok(written.collect())
    }

    /// Returns the note on an empty prompt of the image `name`.
    pub(super) fn empty_note(&self, name: &str) -> String {
        match self.interrogation.options().min_score {
            Some(least) => {
                format!("{name}: no label reaches {least}; --min-score 0 shows what there is")
            }
            None => format!("{name}: an empty prompt"),
        }
    }
}
