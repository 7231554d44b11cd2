//! The tables to rank: of the index, and of the user's own lists.

use std::path::PathBuf;

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
    /// Of one model; none if only the lists are ranked.
    indexes: Vec<Index>,
    own: Vec<CustomTable>,
}

impl Tables {
    /// Opens the model and the index, which is built if it is missing, or several indexes, and
    /// encodes `lists`. If `only_lists`, neither opens nor builds an index to rank.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for two lists of one name, and for one index that is named twice;
    /// those of [`Model::check`].
    pub(super) fn open(
        source: &Source,
        lists: &[OwnList],
        only_lists: bool,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        let (model, indexes) = if only_lists {
            (opening::model_without_index(source, logger)?, Vec::new())
        } else {
            refuse_repeated(&source.index)?;
            let (model, index) = opening::model_and_index(source, logger)?;
            model.check(&index)?;
            let mut indexes = opening::more_indexes(source, &index, model.compute().device)?;
            indexes.insert(0, index);
            (model, indexes)
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
        Ok(Tables { model, indexes, own })
    }

    /// Records the indexes in the run, or else the model.
    ///
    /// # Errors
    /// Those of [`Run::record_indexes`].
    pub(super) fn record(&self, run: &mut Run) -> Result<(), CliError> {
        match &self.indexes[..] {
            [] => run.record_model(&self.model),
            indexes => run.record_indexes(indexes),
        }
    }

    /// The first index.
    pub(super) fn index(&self) -> Option<&Index> {
        self.indexes.first()
    }

    /// Returns the tables `names`, each from every index that has it, in the order of the
    /// indexes; or all of the first index, sorted by name, or the lists as they were given if
    /// there is no index.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`](interrogate::error::IndexError::TableMissing).
    pub(super) fn named(&self, names: &[String]) -> Result<Vec<TableRef<'_>>, CliError> {
        let Some(index) = self.index() else {
            return Ok(self.own.iter().map(TableRef::Custom).collect());
        };
        if names.is_empty() {
            return Ok(TableRef::all(&self.own, index));
        }
        let named = names.iter().map(|name| TableRef::find_all(name, &self.own, &self.indexes));
        Ok(named.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Returns the tables `names` as [`named`](Self::named) does, to be ranked as one, and their
    /// names joined by commas.
    ///
    /// # Errors
    /// Those of [`named`](Self::named).
    pub(super) fn merged(&self, names: &[String]) -> Result<(String, Merged<'_>), CliError> {
        let tables = self.named(names)?;
        let mut names: Vec<&str> = tables.iter().map(|table| table.name()).collect();
        names.dedup(); // of several indexes
        Ok((names.join(","), Merged::new(tables)?))
    }
}

/// Refuses a folder that is named twice: each of its labels would be ranked twice.
fn refuse_repeated(folders: &[PathBuf]) -> Result<(), CliError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        if found.contains(&whole) {
            return Err(CliError::Arguments {
                message: format!("--index: {} is named twice", folder.display()),
                hint: "name each index once".to_owned(),
            });
        }
        found.push(whole);
    }
    Ok(())
}
