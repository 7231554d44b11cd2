//! Prompts in any mode, over an index and whatever lists stand beside it.

use std::ops::ControlFlow;

use crate::encoder::{Counter, Features, TextEncoder};
use crate::index::{AnyTable, Index, Match, Merged, OwnTable};
use crate::models::Model;
use crate::prompt::modes::{ModeInput, PromptOptions, RankingRequest, TableEntry};
use crate::prompt::{
    ChainScorer, DEFAULT_TOKENS, Deny, Mode, Part, Pick, Progress, Prompt, Scorer, Step, Template,
    TokenBudget,
};
use crate::{Error, Result};

/// The name of a pick from several tables.
pub const LABELS: &str = "labels";

/// Rows of a chunk of clip-interrogator's ranking.
const CHUNK_SIZE: usize = 2048;

/// What is asked of every image: a mode, tables, and what a prompt keeps to.
pub struct Interrogation<'a> {
    index: &'a Index,
    options: PromptOptions,
    tables: Vec<TableEntry>,
    own: Vec<OwnTable>,
    deny: Option<Deny>,
    before: Vec<Part>,
    after: Vec<Part>,
    counter: Box<dyn Counter>,
    /// Whether prompts keep to the model's context even where nobody asked.
    bounded: bool,
    max_tokens: Option<usize>,
    template: Option<(Template, Vec<RankingRequest>)>,
    encoder: Option<Box<dyn TextEncoder>>,
}

impl<'a> Interrogation<'a> {
    /// Asks for prompts in the mode of `options` from all tables of `index`, which is
    /// `model`'s. Opens the model's tokenizer, and loads its text tower for those
    /// modes that score texts.
    ///
    /// # Errors
    /// Those of [`Model::counter`] and [`Model::text_encoder`].
    pub fn new(index: &'a Index, model: &Model, options: PromptOptions) -> Result<Self> {
        let scores = options.mode.scores_texts();
        let listed = |table: &crate::index::Table| TableEntry {
            name: table.name().to_owned(),
            top: table.top().map(|top| top as usize),
            explicit: false,
        };
        Ok(Interrogation {
            index,
            tables: index.tables().iter().map(listed).collect(),
            own: Vec::new(),
            deny: None,
            before: Vec::new(),
            after: Vec::new(),
            counter: model.counter()?,
            bounded: !matches!(options.mode, Mode::Seed | Mode::Caption),
            max_tokens: None,
            template: None,
            encoder: scores.then(|| model.text_encoder()).transpose()?,
            options,
        })
    }

    /// Takes `table` in beside the index's, in the place of one of the same name.
    #[must_use]
    pub fn with(mut self, table: OwnTable) -> Self {
        let (name, top) = (table.name().to_owned(), table.top().map(|top| top as usize));
        self.tables.retain(|listed| listed.name != name);
        self.own.retain(|own| own.name() != name);
        self.tables.push(TableEntry { name, top, explicit: true });
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        self.own.push(table);
        self
    }

    /// Takes from the tables `names` alone, each of them even where the mode's form
    /// does not know it.
    ///
    /// # Errors
    /// [`Error::TableMissing`].
    pub fn only(mut self, names: &[String]) -> Result<Self> {
        names.iter().try_for_each(|name| self.table(name).map(drop))?;
        self.tables.retain(|table| names.contains(&table.name));
        self.tables.iter_mut().for_each(|table| table.explicit = true);
        Ok(self)
    }

    /// Leaves the tables `names` out.
    ///
    /// # Errors
    /// [`Error::TableMissing`].
    pub fn without(mut self, names: &[String]) -> Result<Self> {
        names.iter().try_for_each(|name| self.table(name).map(drop))?;
        self.tables.retain(|table| !names.contains(&table.name));
        Ok(self)
    }

    /// Leaves out labels that `deny` meets.
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

    /// Keeps every prompt to `tokens`, or to what the model reads where that is
    /// less; special tokens count. Without it the modes of clip-interrogator keep to
    /// [`DEFAULT_TOKENS`], and the others to nothing.
    #[must_use]
    pub fn within(self, tokens: usize) -> Self {
        Interrogation { bounded: true, max_tokens: Some(tokens), ..self }
    }

    /// Writes prompts in `template`'s form, and takes from the tables what that rankings
    /// for.
    ///
    /// # Errors
    /// [`Error::TemplateField`].
    pub fn with_template(self, template: Template) -> Result<Self> {
        let recipe = template.recipe(self.tables(), self.options.max_flavors)?;
        let rankings = recipe.tables.iter().map(RankingRequest::from).collect();
        Ok(Interrogation { template: Some((template, rankings)), ..self })
    }

    /// The tables that it takes from, by name, each with the count that its own name
    /// rankings for.
    pub fn tables(&self) -> impl Iterator<Item = (&str, Option<usize>)> {
        self.tables.iter().map(|table| (table.name.as_str(), table.top))
    }

    /// What is asked for.
    pub fn options(&self) -> &PromptOptions {
        &self.options
    }

    /// One prompt an image, in order, each beginning with its caption where it has
    /// one; `captions` may be shorter than `features`. All images pass through each
    /// table together. `progress` hears, with the image's number, how far its chain has
    /// come ([`Progress`]), and may interrupt it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where `progress` breaks, [`Error::PromptTooLong`],
    /// [`Error::TableMissing`] where the mode's tables are not there, those of the
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

    /// What is picked for each image, in order, with `at_least` so many labels of
    /// each table where the mode takes fewer: to show what came close.
    ///
    /// # Errors
    /// Those of [`prompts`](Self::prompts).
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

    /// Leaves out a chain's 2,048 candidates but for the first.
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
        let budget = self.bounded.then(|| TokenBudget::new(&*self.counter, Some(most)));
        let mut scorer = self.encoder.as_deref().map(|encoder| {
            let scorer = ChainScorer::new(encoder, features);
            match budget.filter(|_| !self.options.compat) {
                Some(budget) => scorer.within(budget.reserving(&self.after)),
                None => scorer,
            }
        });
        let written = self.options.write(&mut ModeInput {
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
        let mut prompt = Prompt::written(caption, picks, written);
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
            let mut ranked = merged.rank_by_quota(features, *count, *order, CHUNK_SIZE)?;
            ranked.iter_mut().for_each(|matches| matches.retain(|found| keep(found.label)));
            return Ok(ranked);
        }
        match self.deny {
            None => merged.rank_many(features, *count, *order),
            Some(_) => merged.rank_kept(features, *count, *order, keep),
        }
    }

    /// The labels of the table `negative`, where it is needed and there.
    fn negative(&self) -> Result<Vec<&str>> {
        let listed = self.tables.iter().any(|table| table.name == "negative");
        if self.options.mode != Mode::Negative || !listed {
            return Ok(Vec::new());
        }
        let mut labels = self.table("negative")?.labels()?;
        labels.retain(|label| self.deny.as_ref().is_none_or(|deny| !deny.denies(label)));
        Ok(labels)
    }

    /// The table `name`, one's own before the index's.
    fn table(&self, name: &str) -> Result<AnyTable<'_>> {
        if let Some(own) = self.own.iter().find(|own| own.name() == name) {
            return Ok(AnyTable::Own(own));
        }
        self.index.table(name).map(AnyTable::Indexed).map_err(|error| match error {
            Error::TableMissing { path, name, mut tables } => {
                tables.extend(self.own.iter().map(|own| own.name().to_owned()));
                tables.sort();
                Error::TableMissing { path, name, tables }
            }
            other => other,
        })
    }
}
