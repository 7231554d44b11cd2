//! Whether rows that others made are the model's.
//!
//! Nothing in a cache names its model but the file, and another model of the same
//! width would pass for this one, with scores that mean nothing.

use interrogate::encoder::TextEncoder;

use crate::cache::{Cache, halves};
use crate::{Dictionary, Error, Result};

/// Labels of a table that are tried.
const TRIED: usize = 8;

/// The least cosine of a label's row and the encoder's own. What a model computes in
/// f16 and in f32 is nearer; what two models do is nowhere near. The middle one of the
/// cosines counts, as tokenizers may differ over an odd label.
const LEAST: f64 = 0.99;

/// Refuses a cache whose rows are of another width than `encoder`'s, or are not near
/// to what it makes of the labels.
pub(super) fn check(
    encoder: &dyn TextEncoder,
    model: &str,
    dictionaries: &[Dictionary],
    cache: &Cache,
) -> Result<()> {
    let (expected, found) = (encoder.dim(), cache.dim());
    if found != expected {
        return Err(Error::Cache {
            path: cache.path().to_owned(),
            what: "values in a row",
            expected: format!("{expected}, as {model} has"),
            found: found.to_string(),
        });
    }
    let labels = dictionaries.iter().find(|d| d.table() == cache.table()).map(Dictionary::labels);
    let Some(labels) = labels else { return Ok(()) };
    let step = labels.len().div_ceil(TRIED).max(1);
    let tried: Vec<(&str, &[u8])> =
        labels.iter().step_by(step).filter_map(|label| Some((label, cache.row(label)?))).collect();
    let texts: Vec<&str> = tried.iter().map(|(label, _)| *label).collect();
    let own = encoder.encode(&texts)?;
    let mut near: Vec<(f64, &str)> =
        own.rows().zip(&tried).map(|(own, (label, row))| (cosine(own, row), *label)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    match near.get(near.len() / 2) {
        Some(&(cosine, label)) if cosine < LEAST => Err(Error::CacheModel {
            path: cache.path().to_owned(),
            model: model.to_owned(),
            label: label.to_owned(),
            cosine,
        }),
        _ => Ok(()),
    }
}

/// The cosine of two rows of unit length.
fn cosine(own: &[f32], row: &[u8]) -> f64 {
    own.iter().zip(halves(row)).map(|(&a, b)| f64::from(a) * f64::from(b)).sum()
}
