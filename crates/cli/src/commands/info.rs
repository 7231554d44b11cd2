//! `interrogate info`: the model and the tables of an index.

use serde::Serialize;

use crate::args::{Format, IndexChoice};
use crate::error::CliError;
use crate::indexes;
use crate::outcome::Outcome;
use crate::output::Stdout;

/// One table as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    index: &'a str,
    model: &'a str,
    fingerprint: &'a str,
    table: &'a str,
    labels: usize,
    dim: usize,
    shards: usize,
    /// Whether the table has quantized codes for the coarse scan.
    codes: bool,
}

/// Prints the index's tables.
pub(crate) fn run(args: &IndexChoice) -> Result<Outcome, CliError> {
    let index = indexes::open(args.index.as_deref())?;
    let manifest = index.manifest();
    let model = manifest.model();
    let format = args.format.or(Format::Text);
    let mut output = Stdout::new();
    let path = index.path().to_string_lossy();
    if format == Format::Text {
        let size = build_index::terminal::format::bytes(index.bytes());
        output.line(format_args!(
            "{path}: model {}, {} values a row, {size}",
            model.id,
            index.dim()
        ))?;
        output.line(format_args!("fingerprint {}", model.fingerprint))?;
    }
    for (table, open) in manifest.tables().iter().zip(index.tables()) {
        match format {
            Format::Jsonl => output.json(&Row {
                index: &path,
                model: &model.id,
                fingerprint: &model.fingerprint,
                table: &table.name,
                labels: table.labels,
                dim: index.dim(),
                shards: table.shards.len(),
                codes: open.is_coded(),
            })?,
            Format::Text => {
                let s = if table.shards.len() == 1 { "" } else { "s" };
                let shards = table.shards.len();
                let codes = if open.is_coded() { "" } else { ", no codes" };
                output.line(format_args!(
                    "{:>9}  {} ({shards} shard{s}{codes})",
                    table.labels, table.name
                ))?;
            }
        }
    }
    Ok(Outcome::default())
}
