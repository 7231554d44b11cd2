//! Compares stored rows with the encoder's own, for a sample of labels.
//!
//! A cache names its model only in the file's name: rows of another model of the same
//! width would give meaningless scores. An index and a journal name the model inside, but
//! a person who exchanges their labels can also recompute every checksum.

use std::path::Path;

use half::f16;
use interrogate::encoder::TextEncoder;
use interrogate::index::Index;
use interrogate::rank::Rows;
use interrogate::{Error as LibraryError, Result as LibraryResult};
use zerocopy::IntoBytes;

use crate::cache::{Cache, halves};
use crate::{CacheError, Dictionary, Result};

/// Labels in the sample of a table or a journal.
const SAMPLE: usize = 8;

/// The least cosine of equal rows. Rows of one model in f16 and f32 are closer; rows of
/// two models are far below.
const MIN_COSINE: f64 = 0.99;

/// Which rows of a sample must equal the encoder's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// All: the rows are of the same model and tokenizer.
    All,
    /// The median one: another program's tokenizer may differ on an odd label.
    Median,
}

/// Refuses a cache whose rows have another width than `encoder`'s or are not its
/// embeddings of the labels.
pub(super) fn check_cache(
    encoder: &dyn TextEncoder,
    model: &str,
    dictionaries: &[Dictionary],
    cache: &Cache,
) -> Result<()> {
    let (expected, found) = (encoder.dim(), cache.dim());
    if found != expected {
        return Err(CacheError::Invalid {
            path: cache.path().to_owned(),
            what: "values in a row",
            expected: format!("{expected}, as {model} has"),
            found: found.to_string(),
        }
        .into());
    }
    let labels = dictionaries.iter().find(|d| d.table() == cache.table()).map(Dictionary::labels);
    let Some(labels) = labels else { return Ok(()) };
    let sample = labels.iter().step_by(step(labels.len()));
    let sample: Vec<_> = sample.filter_map(|label| Some((label, cache.row(label)?))).collect();
    match disagreement(encoder, &sample, Agreement::Median)? {
        None => Ok(()),
        Some((cosine, label)) => Err(CacheError::OtherModel {
            path: cache.path().to_owned(),
            model: model.to_owned(),
            label: label.to_owned(),
            cosine,
        }
        .into()),
    }
}

/// Refuses an index with a table whose rows are not `encoder`'s embeddings of the labels.
pub(super) fn check_index(
    encoder: &dyn TextEncoder,
    index: &Index,
    agreement: Agreement,
) -> LibraryResult<()> {
    for table in index.tables() {
        let values = Rows::new(index.dim(), table.rows())?;
        let sample = (0..table.len()).step_by(step(table.len()));
        let sample = sample.map(|row| Ok((table.label(row)?, values.row(row).unwrap_or_default())));
        let sample = sample.collect::<LibraryResult<Vec<(&str, &[f16])>>>()?;
        let sample: Vec<_> = sample.iter().map(|(label, row)| (*label, row.as_bytes())).collect();
        check_rows(encoder, index.path(), &sample, agreement)?;
    }
    Ok(())
}

/// Refuses a sample of rows, from the file or folder `path`, that are not `encoder`'s
/// embeddings of the labels.
pub(super) fn check_rows(
    encoder: &dyn TextEncoder,
    path: &Path,
    sample: &[(&str, &[u8])],
    agreement: Agreement,
) -> LibraryResult<()> {
    match disagreement(encoder, sample, agreement)? {
        None => Ok(()),
        Some((cosine, label)) => {
            let found = format!("others: {label:?} has a cosine of {cosine:.3} with the model's");
            Err(LibraryError::mismatch(path, "rows", "those of the model", found))
        }
    }
}

/// Returns the distance between labels of a sample of `count`.
pub(super) fn step(count: usize) -> usize {
    count.div_ceil(SAMPLE).max(1)
}

/// Returns the cosine and label of a row that must equal the encoder's own and does not.
fn disagreement<'a>(
    encoder: &dyn TextEncoder,
    sample: &[(&'a str, &[u8])],
    agreement: Agreement,
) -> LibraryResult<Option<(f64, &'a str)>> {
    let labels: Vec<&str> = sample.iter().map(|(label, _)| *label).collect();
    let own = encoder.encode(&labels)?;
    let mut cosines: Vec<(f64, &str)> =
        own.rows().zip(sample).map(|(own, (label, row))| (cosine(own, row), *label)).collect();
    cosines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let least = match agreement {
        Agreement::All => cosines.first(),
        Agreement::Median => cosines.get(cosines.len() / 2),
    };
    Ok(least.copied().filter(|(cosine, _)| *cosine < MIN_COSINE))
}

/// Returns the cosine of two rows of unit length.
fn cosine(own: &[f32], row: &[u8]) -> f64 {
    own.iter().zip(halves(row)).map(|(&a, b)| f64::from(a) * f64::from(b)).sum()
}
