//! The tables to rank: of the index, and of the user's own lists.

use build_index::Duplicates;
use interrogate::index::{CustomTable, Index, Merged, TableRef};
use interrogate::models::Model;

use super::lists;
use crate::args::{OwnList, Source};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
use crate::run::Run;

/// A model, and the tables that can be ranked with it.
pub(super) struct Tables {
    pub(super) model: Model,
    /// `None` if only the lists are ranked.
    index: Option<Index>,
    own: Vec<CustomTable>,
}

impl Tables {
    /// Opens the model and the index, which is built if it is missing, and encodes `lists`. If
    /// `only_lists`, neither opens nor builds an index to rank.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for two lists of one name; those of [`Model::check`].
    pub(super) fn open(
        source: &Source,
        lists: &[OwnList],
        only_lists: bool,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        let (model, index) = if only_lists {
            (opening::model_without_index(source, logger)?, None)
        } else {
            let (model, index) = opening::model_and_index(source, logger)?;
            model.check(&index)?;
            (model, Some(index))
        };
        let own = lists::encode(lists, Duplicates::LeaveOut, &model, logger)?;
        let mut names: Vec<&str> = own.iter().map(CustomTable::name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CliError::Arguments {
                message: format!("--list: two lists are named {}", pair[0]),
                hint: "name one of them: --list NAME=PATH".to_owned(),
            });
        }
        Ok(Tables { model, index, own })
    }

    /// Records the index in the run, or else the model.
    ///
    /// # Errors
    /// Those of [`Run::record_index`].
    pub(super) fn record(&self, run: &mut Run) -> Result<(), CliError> {
        match &self.index {
            Some(index) => run.record_index(index),
            None => run.record_model(&self.model),
        }
    }

    pub(super) fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// Returns the tables `names`, or all: sorted by name, or the lists as they were given if
    /// there is no index.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`](interrogate::error::IndexError::TableMissing).
    pub(super) fn named(&self, names: &[String]) -> Result<Vec<TableRef<'_>>, CliError> {
        let Some(index) = &self.index else {
            return Ok(self.own.iter().map(TableRef::Custom).collect());
        };
        if names.is_empty() {
            return Ok(TableRef::all(&self.own, index));
        }
        let named = names.iter().map(|name| TableRef::find(name, &self.own, index));
        Ok(named.collect::<Result<_, _>>()?)
    }

    /// Returns the tables `names` as [`named`](Self::named) does, to be ranked as one, and their
    /// names joined by commas.
    ///
    /// # Errors
    /// Those of [`named`](Self::named).
    pub(super) fn merged(&self, names: &[String]) -> Result<(String, Merged<'_>), CliError> {
        let tables = self.named(names)?;
        let names: Vec<&str> = tables.iter().map(|table| table.name()).collect();
        Ok((names.join(","), Merged::new(tables)?))
    }
}
