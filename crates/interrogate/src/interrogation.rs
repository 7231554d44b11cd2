//! Prompts in any mode, over an index and the user's own lists.

use std::ops::ControlFlow;
use std::sync::Arc;

#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::encoder::{Counter, Features, TextEncoder};
#[cfg(doc)]
use crate::error::{IndexError, PromptError};
use crate::index::{CustomTable, Index, Match, Merged, TableRef};
use crate::models::Model;
use crate::prompt::modes::{ModeInput, PromptOptions, RankingRequest, TableEntry};
use crate::prompt::{
    ChainScorer, DEFAULT_TOKENS, Deny, Mode, Part, Pick, Progress, Prompt, Scorer, Step, Template,
    TokenBudget,
};

/// The table name of a [`Pick`] over several tables.
pub const LABELS: &str = "labels";

/// Writes the prompts of images: a mode, its tables, and the limits of a prompt.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use std::path::Path;
///
/// use interrogate::index::Index;
/// use interrogate::models::{Model, ModelSource, Options};
/// use interrogate::picture::Picture;
/// use interrogate::prompt::Mode;
/// use interrogate::prompt::modes::PromptOptions;
/// use interrogate::{Interrogation, Interrogator};
///
/// let source = ModelSource::Folder("clip-vit-base-patch32".into());
/// let model = Model::open(source, &Options::new("cache"), &mut |_| {})?;
/// let interrogator = Interrogator::new(&model, Index::open(Path::new("indexes/clip"))?)?;
/// let features = interrogator.features(&[Picture::open(Path::new("cat.jpg"))?])?;
///
/// let options = PromptOptions::new(Mode::Fast);
/// let interrogation = Interrogation::new(interrogator.index(), &model, options)?.within(40);
/// let captions = [Some("a cat on a mat")];
/// let prompts = interrogation.prompts(&features, &captions, |_, _| ControlFlow::Continue(()))?;
/// println!("{}", prompts[0].text);
/// # Ok::<(), interrogate::Error>(())
/// ```
pub struct Interrogation<'a> {
    index: &'a Index,
    options: PromptOptions,
    tables: Vec<TableEntry>,
    custom: Vec<CustomTable>,
    deny: Option<Deny>,
    before: Vec<Part>,
    after: Vec<Part>,
    counter: Arc<dyn Counter>,
    /// Whether prompts have a token limit.
    limited: bool,
    max_tokens: Option<usize>,
    template: Option<(Template, Vec<RankingRequest>)>,
    encoder: Option<Arc<dyn TextEncoder>>,
}

impl<'a> Interrogation<'a> {
    /// Creates an interrogation over all tables of `index`, which must be built with
    /// `model`. Opens the model's tokenizer, and loads its text tower if the mode scores
    /// texts.
    ///
    /// # Errors
    /// The errors of [`Model::counter`] and [`Model::text_encoder`].
    pub fn new(index: &'a Index, model: &Model, options: PromptOptions) -> Result<Self> {
        let encoder = options.mode.scores_texts().then(|| model.text_encoder()).transpose()?;
        let counter = model.counter()?.into();
        Ok(Self::with_encoder(index, counter, encoder.map(Arc::from), options))
    }

    /// Creates an interrogation like [`new`](Self::new), with a tokenizer and a text encoder
    /// that are open already and may serve several interrogations. A mode that scores texts
    /// ([`Mode::scores_texts`]) needs the encoder; the others ignore it.
    pub fn with_encoder(
        index: &'a Index,
        counter: Arc<dyn Counter>,
        encoder: Option<Arc<dyn TextEncoder>>,
        options: PromptOptions,
    ) -> Self {
        let entry = |table: &crate::index::Table| TableEntry {
            name: table.name().to_owned(),
            top: table.top().map(|top| top as usize),
            explicit: false,
        };
        Interrogation {
            index,
            tables: index.tables().iter().map(entry).collect(),
            custom: Vec::new(),
            deny: None,
            before: Vec::new(),
            after: Vec::new(),
            counter,
            limited: !matches!(options.mode, Mode::Seed | Mode::Caption),
            max_tokens: None,
            template: None,
            encoder,
            options,
        }
    }

    /// Adds `table`, or replaces a table of the same name.
    #[must_use]
    pub fn with(mut self, table: CustomTable) -> Self {
        let (name, top) = (table.name().to_owned(), table.top().map(|top| top as usize));
        self.tables.retain(|entry| entry.name != name);
        self.custom.retain(|own| own.name() != name);
        self.tables.push(TableEntry { name, top, explicit: true });
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        self.custom.push(table);
        self
    }

    /// Uses the tables `names` only, including those that the mode's form does not know.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`] for an unknown name.
    pub fn only(mut self, names: &[String]) -> Result<Self> {
        names.iter().try_for_each(|name| self.table(name).map(drop))?;
        self.tables.retain(|table| names.contains(&table.name));
        self.tables.iter_mut().for_each(|table| table.explicit = true);
        Ok(self)
    }

    /// Leaves out the tables `names`.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`] for an unknown name.
    pub fn without(mut self, names: &[String]) -> Result<Self> {
        names.iter().try_for_each(|name| self.table(name).map(drop))?;
        self.tables.retain(|table| !names.contains(&table.name));
        Ok(self)
    }

    /// Leaves out the labels that `deny` matches.
    #[must_use]
    pub fn denying(self, deny: Deny) -> Self {
        Interrogation { deny: Some(deny), ..self }
    }

    /// Begins every prompt with `prefix` and ends it with `suffix`.
    #[must_use]
    pub fn between(self, prefix: &str, suffix: &str) -> Self {
        let part = |text: &str| match text {
            "" => Vec::new(),
            text => vec![Part::words(text)],
        };
        Interrogation { before: part(prefix), after: part(suffix), ..self }
    }

    /// Limits every prompt to `tokens`, or to the model's context length if that is less.
    /// Special tokens count. The default is [`DEFAULT_TOKENS`] for the modes of
    /// clip-interrogator, and no limit for the others.
    #[must_use]
    pub fn within(self, tokens: usize) -> Self {
        Interrogation { limited: true, max_tokens: Some(tokens), ..self }
    }

    /// Writes prompts in the form of `template`, from the tables that it names.
    ///
    /// # Errors
    /// [`PromptError::TemplateField`] for a field that matches no table.
    pub fn with_template(self, template: Template) -> Result<Self> {
        let recipe = template.recipe(self.tables(), self.options.max_flavors)?;
        let rankings = recipe.tables.iter().map(RankingRequest::from).collect();
        Ok(Interrogation { template: Some((template, rankings)), ..self })
    }

    /// Returns the names of the tables, each with the label count in its dictionary's file
    /// name, if there is one.
    pub fn tables(&self) -> impl Iterator<Item = (&str, Option<usize>)> {
        self.tables.iter().map(|table| (table.name.as_str(), table.top))
    }

    /// Returns the mode and its settings.
    pub fn options(&self) -> &PromptOptions {
        &self.options
    }

    /// Returns one prompt per image, in order. A prompt begins with the image's caption, if
    /// there is one; `captions` may be shorter than `features`.
    ///
    /// Each table is ranked for all images in one pass. `progress` is called with the
    /// number of an image and the progress of its chain ([`Progress`]), and may interrupt
    /// it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if `progress` breaks, [`PromptError::TooLong`],
    /// [`IndexError::TableMissing`] if a table of the mode is missing, and the errors of the
    /// tables and of the text tower.
    pub fn prompts(
        &self,
        features: &[Features],
        captions: &[Option<&str>],
        mut progress: impl FnMut(usize, Step<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<Prompt<'_>>> {
        let picks = self.picked(features, 0)?;
        let negative = self.negative()?;
        let captions = captions.iter().copied().chain(std::iter::repeat(None));
        let each = features.iter().zip(picks).zip(captions).enumerate();
        let write = |(image, ((features, picks), caption))| {
            self.write(features, picks, caption, &negative, &mut |step| progress(image, step))
        };
        each.map(write).collect()
    }

    /// Returns the picked labels of each image, in order: those of the prompt, and at least
    /// `at_least` per table, to show labels that nearly made it.
    ///
    /// # Errors
    /// The errors of [`prompts`](Self::prompts).
    pub fn picks(&self, features: &[Features], at_least: usize) -> Result<Vec<Vec<Pick<'_>>>> {
        let mut all = self.picked(features, at_least)?;
        all.iter_mut().for_each(|picks| self.shorten(picks));
        Ok(all)
    }

    fn picked(&self, features: &[Features], at_least: usize) -> Result<Vec<Vec<Pick<'_>>>> {
        let mut all: Vec<Vec<Pick<'_>>> = vec![Vec::new(); features.len()];
        let rankings = match &self.template {
            Some((_, rankings)) => rankings.clone(),
            None => self.options.rankings(&self.tables),
        };
        for ranking in rankings {
            let ranking = RankingRequest { count: ranking.count.max(at_least), ..ranking };
            let ranked = self.rank(features, &ranking)?;
            let table = match &ranking.tables[..] {
                [one] => self.table(one)?.name(),
                _ => LABELS,
            };
            for (picks, matches) in all.iter_mut().zip(ranked) {
                picks.push(Pick { table, matches });
            }
        }
        Ok(all)
    }

    /// Cuts the candidates of a chain, 2,048 by default, to the first `max_flavors`.
    fn shorten(&self, picks: &mut [Pick<'_>]) {
        let negative = self.options.mode == Mode::Negative;
        for pick in picks.iter_mut().filter(|pick| negative || pick.table == LABELS) {
            pick.matches.truncate(self.options.max_flavors);
        }
    }

    fn write<'s>(
        &'s self,
        features: &Features,
        mut picks: Vec<Pick<'s>>,
        caption: Option<&str>,
        negative: &[&'s str],
        progress: &mut Progress<'_>,
    ) -> Result<Prompt<'s>> {
        let most = self.max_tokens.unwrap_or(DEFAULT_TOKENS);
        let budget = self.limited.then(|| TokenBudget::new(&*self.counter, Some(most)));
        let mut scorer = self.encoder.as_deref().map(|encoder| {
            let scorer = ChainScorer::new(encoder, features);
            match budget.filter(|_| !self.options.compat) {
                Some(budget) => scorer.within(budget.reserving(&self.after)),
                None => scorer,
            }
        });
        let output = self.options.write(&mut ModeInput {
            caption,
            picks: &picks,
            negative,
            before: &self.before,
            after: &self.after,
            budget,
            scorer: scorer.as_mut().map(|scorer| scorer as &mut dyn Scorer),
            progress,
        })?;
        self.shorten(&mut picks);
        let mut prompt = Prompt::from_output(caption, picks, output);
        if let Some((template, _)) = &self.template {
            let around = [&self.before[..], &self.after];
            let text = template.render_within(&prompt, self.options.min_score, around, budget)?;
            prompt.parts = vec![Part::words(&text)];
            prompt.text = text;
        }
        Ok(prompt)
    }

    fn rank(&self, features: &[Features], ranking: &RankingRequest) -> Result<Vec<Vec<Match<'_>>>> {
        let tables = ranking.tables.iter().map(|name| self.table(name)).collect::<Result<_>>()?;
        let (merged, RankingRequest { count, order, .. }) = (Merged::new(tables)?, ranking);
        let keep = |label: &str| self.deny.as_ref().is_none_or(|deny| !deny.denies(label));
        if self.options.compat {
            let mut ranked =
                merged.rank_by_quota(features, *count, *order, self.options.chunk_size)?;
            ranked.iter_mut().for_each(|matches| matches.retain(|found| keep(found.label)));
            return Ok(ranked);
        }
        match self.deny {
            None => merged.rank_many(features, *count, *order),
            Some(_) => merged.rank_filtered(features, *count, *order, keep),
        }
    }

    /// Returns the labels of the table `negative` in the mode negative; empty in other modes
    /// or if there is no such table.
    fn negative(&self) -> Result<Vec<&str>> {
        let has_table = self.tables.iter().any(|table| table.name == "negative");
        if self.options.mode != Mode::Negative || !has_table {
            return Ok(Vec::new());
        }
        let mut labels = self.table("negative")?.labels()?;
        labels.retain(|label| self.deny.as_ref().is_none_or(|deny| !deny.denies(label)));
        Ok(labels)
    }

    /// Returns the table `name`; the user's own tables hide those of the index.
    fn table(&self, name: &str) -> Result<TableRef<'_>> {
        TableRef::find(name, &self.custom, self.index)
    }
}
