//! The label files of `--list`.

use build_index::{Dictionary, Duplicates};
use interrogate::index::CustomTable;
use interrogate::models::Model;

use crate::args::OwnList;
use crate::error::CliError;
use crate::logger::Logger;

/// Reads and encodes the label files of `--list`.
pub(super) fn encode(
    lists: &[OwnList],
    duplicates: Duplicates,
    model: &Model,
    logger: &Logger,
) -> Result<Vec<CustomTable>, CliError> {
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let encoder = model.text_encoder()?;
    let encode = |list: &OwnList| {
        let dictionary = Dictionary::open_with(&list.path, duplicates)?;
        let name = list.name.as_deref().unwrap_or(dictionary.table());
        let labels: Vec<String> = dictionary.labels().iter().map(str::to_owned).collect();
        let template = format!("{name}: {{bar:40}} {{pos}}/{{len}} labels, {{eta}} left");
        let bar = logger.bar(labels.len() as u64, &template);
        let progress = |labels: usize| bar.set_position(labels as u64);
        let table = CustomTable::encode(name, dictionary.top(), labels, encoder.as_ref(), progress);
        bar.finish_and_clear();
        Ok(table?.on(model.compute().device)?)
    };
    lists.iter().map(encode).collect()
}
