//! From what was typed to what every image is asked.

use build_index::Dictionary;
use interrogate::Interrogation;
use interrogate::index::{CustomTable, Index};
use interrogate::models::Model;
use interrogate::prompt::modes::PromptOptions;
use interrogate::prompt::{Deny, Mode, Prompt, weighted};

use crate::args::{self, OwnList};
use crate::error::CliError;
use crate::logger::Logger;

/// What is asked of every image, and how its prompt is written.
pub(crate) struct Asked<'a> {
    pub(crate) interrogation: Interrogation<'a>,
    weights: bool,
}

impl<'a> Asked<'a> {
    /// Reads the lists that were named, and encodes those of one's own.
    pub(crate) fn open(
        args: &args::Prompt,
        model: &Model,
        index: &'a Index,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        let (mode, control) = (mode(args.mode), &args.control);
        if control.template.is_some() && mode != Mode::Seed {
            return Err(CliError::Ambiguous {
                message: format!("a template is for seed prompts, not for {}", mode.name()),
                hint: "leave out --template or --mode".to_owned(),
            });
        }
        let asking = PromptOptions {
            max_flavors: args.max_flavors.unwrap_or(mode.max_flavors()),
            min_flavors: args.min_flavors,
            min_score: args.min_score.or(model.min_score()),
            compat: control.compat,
            ..PromptOptions::new(mode)
        };
        let mut interrogation = Interrogation::new(index, model, asking)?;
        for table in lists(&control.list, model, logger)? {
            interrogation = interrogation.with(table);
        }
        interrogation = interrogation.without(&control.without)?;
        if !control.tables.is_empty() {
            interrogation = interrogation.only(&control.tables)?;
        }
        if let Some(path) = &control.deny {
            interrogation = interrogation.denying(Deny::open(path)?);
        }
        if let Some(tokens) = control.max_tokens {
            interrogation = interrogation.within(tokens);
        }
        if let Some(template) = &control.template {
            interrogation = interrogation.with_template(template.parse()?)?;
        }
        let interrogation = interrogation.between(&control.prefix, &control.suffix);
        Ok(Asked { interrogation, weights: control.weights && control.template.is_none() })
    }

    /// The prompt as it is to be written.
    pub(crate) fn text(&self, prompt: &Prompt<'_>) -> String {
        if self.weights { weighted(&prompt.parts) } else { prompt.text.clone() }
    }
}

fn mode(typed: args::Mode) -> Mode {
    match typed {
        args::Mode::Seed => Mode::Seed,
        args::Mode::Classic => Mode::Classic,
        args::Mode::Fast => Mode::Fast,
        args::Mode::Best => Mode::Best,
        args::Mode::Negative => Mode::Negative,
        args::Mode::Caption => Mode::Caption,
    }
}

/// The lists, encoded.
fn lists(lists: &[OwnList], model: &Model, logger: &Logger) -> Result<Vec<CustomTable>, CliError> {
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let encoder = model.text_encoder()?;
    let encode = |list: &OwnList| {
        let dictionary = Dictionary::open(&list.path)?;
        let name = list.name.as_deref().unwrap_or(dictionary.table());
        let labels: Vec<String> = dictionary.labels().iter().map(str::to_owned).collect();
        let template = format!("{name}: {{bar:40}} {{pos}}/{{len}} labels, {{eta}} left");
        let bar = logger.bar(labels.len() as u64, &template);
        let done = |labels: usize| bar.set_position(labels as u64);
        let table = CustomTable::encode(name, dictionary.top(), labels, encoder.as_ref(), done);
        bar.finish_and_clear();
        Ok(table?.on(model.compute().device)?)
    };
    lists.iter().map(encode).collect()
}
