//! Whether rows that this build did not encode are the model's.
//!
//! A cache names its model in the file's name alone: another model of the same width
//! would pass for this one, with meaningless scores. An index and a journal name it
//! inside, but a person who exchanges their labels can also recompute every checksum.

use std::path::Path;

use half::f16;
use interrogate::encoder::TextEncoder;
use interrogate::index::Index;
use interrogate::rank::Rows;
use interrogate::{Error as LibraryError, Result as LibraryResult};
use zerocopy::IntoBytes;

use crate::cache::{Cache, halves};
use crate::{CacheError, Dictionary, Result};

/// Labels of a table, or of a journal, that are tried.
pub(super) const TRIED: usize = 8;

/// The least cosine of a label's row and the encoder's own. What a model computes in
/// f16 and in f32 is nearer; what two models do is nowhere near.
const LEAST: f64 = 0.99;

/// How many of the rows that are tried must be near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Near {
    /// All: the rows are of the same model, with the same tokenizer.
    All,
    /// The middle one, as another program's tokenizer may differ over an odd label.
    Half,
}

/// Refuses a cache whose rows are of another width than `encoder`'s, or are not near
/// to what it makes of the labels.
pub(super) fn cache(
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
    let tried = labels.iter().step_by(step(labels.len()));
    let tried: Vec<_> = tried.filter_map(|label| Some((label, cache.row(label)?))).collect();
    match far(encoder, &tried, Near::Half)? {
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

/// Refuses an index of whose tables one has rows that are not near to what `encoder`
/// makes of their labels.
pub(super) fn index(encoder: &dyn TextEncoder, index: &Index, near: Near) -> LibraryResult<()> {
    for table in index.tables() {
        let values = Rows::new(index.dim(), table.rows())?;
        let tried = (0..table.len()).step_by(step(table.len()));
        let tried = tried.map(|row| Ok((table.label(row)?, values.row(row).unwrap_or_default())));
        let tried = tried.collect::<LibraryResult<Vec<(&str, &[f16])>>>()?;
        let tried: Vec<_> = tried.iter().map(|(label, row)| (*label, row.as_bytes())).collect();
        rows(encoder, index.path(), &tried, near)?;
    }
    Ok(())
}

/// Refuses rows of the file or folder `path` that are not near to what `encoder` makes
/// of their labels.
pub(super) fn rows(
    encoder: &dyn TextEncoder,
    path: &Path,
    tried: &[(&str, &[u8])],
    near: Near,
) -> LibraryResult<()> {
    match far(encoder, tried, near)? {
        None => Ok(()),
        Some((cosine, label)) => {
            let found = format!("others: {label:?} has a cosine of {cosine:.3} with the model's");
            Err(LibraryError::mismatch(path, "rows", "those of the model", found))
        }
    }
}

/// From one label to the next of `count` that is tried.
pub(super) fn step(count: usize) -> usize {
    count.div_ceil(TRIED).max(1)
}

/// The row, of those that must be near to the encoder's own, that is not.
fn far<'a>(
    encoder: &dyn TextEncoder,
    tried: &[(&'a str, &[u8])],
    near: Near,
) -> LibraryResult<Option<(f64, &'a str)>> {
    let texts: Vec<&str> = tried.iter().map(|(label, _)| *label).collect();
    let own = encoder.encode(&texts)?;
    let mut cosines: Vec<(f64, &str)> =
        own.rows().zip(tried).map(|(own, (label, row))| (cosine(own, row), *label)).collect();
    cosines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let least = match near {
        Near::All => cosines.first(),
        Near::Half => cosines.get(cosines.len() / 2),
    };
    Ok(least.copied().filter(|(cosine, _)| *cosine < LEAST))
}

/// The cosine of two rows of unit length.
fn cosine(own: &[f32], row: &[u8]) -> f64 {
    own.iter().zip(halves(row)).map(|(&a, b)| f64::from(a) * f64::from(b)).sum()
}
