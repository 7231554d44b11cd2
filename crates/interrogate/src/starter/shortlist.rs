//! Which flavors may score high for given images, before any of them is encoded.
//!
//! `weights/shortlist.py` made the codes from an index of `dicts/`: of each label, its
//! embedding `x` in a few directions, rounded to `c`, and the lengths of what rounding and of
//! what leaving out the other directions lose. For features `q` with the parts `p` in these
//! directions and `r` beyond them, Cauchy and Schwarz give
//!
//! ```text
//! q x  <=  p c + |p| |x_p - c| + |r| |x_r|
//! ```
//!
//! A label whose bound is below a score cannot reach it.

use std::ops::Range;

use rayon::prelude::*;
use safetensors::Dtype;

use super::files::Files;
use super::{DIM, embedded};
use crate::encoder::Features;
use crate::error::RowsError;
use crate::index::Digest;
use crate::mmap::FileBytes;
use crate::weights::header::{self, Header};
use crate::{Error, Result};

/// The directions. The script has the same number.
const DIMS: usize = 112;

/// Bytes of a label's code: two values a byte.
const CODE: usize = DIMS / 2;

/// The number of levels, and the value between the two in the middle.
const LEVELS: usize = 16;
const MIDDLE: f32 = 7.5;

/// The units of the two lengths of a label.
const UNITS: [f32; 2] = [512.0, 255.0];

/// What a bound may miss: the codes are of embeddings rounded to f16, on another machine.
const SLACK: f32 = 2e-3;

/// Codes of all labels of the dictionary `flavors`, in its order.
#[derive(Debug)]
pub(crate) struct Shortlist {
    /// (DIMS, DIM), orthonormal.
    basis: Vec<f32>,
    /// (DIMS): the distance of two levels.
    steps: Vec<f32>,
    /// (labels, CODE), in the file.
    codes: Range<usize>,
    /// (labels, 2), in the file.
    errors: Range<usize>,
    file: FileBytes,
    dictionary: Digest,
}

impl Shortlist {
    /// Loads the codes.
    ///
    /// # Errors
    /// Those of [`Files::load`], and [`Error::Mismatch`] for tensors of other shapes.
    pub(super) fn open(files: &Files) -> Result<Self> {
        let (path, file) = files.load(&embedded::FLAVORS)?;
        let Header { start, tensors, metadata } = header::read(&path, file.as_ref())?;
        let mismatch = |what, expected: String, found: String| {
            Error::mismatch(&path, what, expected, found) // of other codes than this code's
        };
        let find =
            |name: &str| tensors.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor);
        let tensor = |name: &'static str, dtype: Dtype, shape: &[usize]| {
            let tensor = find(name).filter(|it| it.dtype == dtype && it.shape == shape);
            let (expected, found) =
                (format!("{dtype:?} of {shape:?}"), format!("{:?}", find(name)));
            let (from, to) = tensor.ok_or_else(|| mismatch(name, expected, found))?.data_offsets;
            Ok::<_, Error>(start + from..start + to)
        };
        let bytes = |range: Range<usize>| file.as_ref().get(range).unwrap_or_default();
        let floats = |range| -> Vec<f32> {
            let value = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
            bytes(range).as_chunks().0.iter().map(value).collect()
        };
        let labels = find("codes").and_then(|codes| codes.shape.first().copied());
        let labels = labels.unwrap_or_default();
        let dictionary = metadata.get("dictionary").map(String::as_str).unwrap_or_default();
        Ok(Shortlist {
            basis: floats(tensor("basis", Dtype::F32, &[DIMS, DIM])?),
            steps: floats(tensor("steps", Dtype::F32, &[DIMS])?),
            codes: tensor("codes", Dtype::U8, &[labels, CODE])?,
            errors: tensor("errors", Dtype::U8, &[labels, UNITS.len()])?,
            dictionary: dictionary.parse().map_err(|_| {
                mismatch("dictionary", "a SHA-256".to_owned(), dictionary.to_owned())
            })?,
            file,
        })
    }

    /// Returns the bytes in `range` of the file.
    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.file.as_ref().get(range.clone()).unwrap_or_default()
    }

    /// The digest of the labels.
    pub(crate) fn dictionary(&self) -> Digest {
        self.dictionary
    }

    /// Returns the numbers of the labels that may score `min_score` or more for one of
    /// `features`, ascending. All others score less, if they are encoded in f32. Takes
    /// milliseconds per image.
    ///
    /// # Errors
    /// [`RowsError::Dim`] for features of another model.
    pub(crate) fn candidates(&self, features: &[Features], min_score: f32) -> Result<Vec<usize>> {
        let queries = features.iter().map(|features| self.query(features, min_score));
        let queries: Vec<Query> = queries.collect::<Result<_>>()?;
        let codes = self.bytes(&self.codes).par_chunks_exact(CODE);
        let labels = codes.zip(self.bytes(&self.errors).par_chunks_exact(UNITS.len()));
        let may_score = |(_, (code, errors)): &(usize, (&[u8], &[u8]))| {
            queries.iter().any(|query| query.may_score(code, errors))
        };
        Ok(labels.enumerate().filter(may_score).map(|(number, _)| number).collect())
    }

    fn query(&self, features: &Features, min_score: f32) -> Result<Query> {
        let values = features.as_slice();
        if values.len() != DIM {
            let (what, found) = ("features", values.len());
            return Err(RowsError::Dim { what, expected: DIM, found }.into());
        }
        let dot = |direction: &[f32]| direction.iter().zip(values).map(|(a, b)| a * b).sum();
        let parts: Vec<f32> = self.basis.chunks_exact(DIM).map(dot).collect();
        let within: f32 = parts.iter().map(|part| part * part).sum();
        let scaled: Vec<f32> = parts.iter().zip(&self.steps).map(|(a, b)| a * b).collect();
        let level = |level: usize| level as f32 - MIDDLE;
        let pair = |pair: &[f32; 2]| {
            let (low, high) = (pair[0], pair[1]);
            (0..LEVELS * LEVELS)
                .map(move |code| low * level(code % LEVELS) + high * level(code / LEVELS))
        };
        Ok(Query {
            products: scaled.as_chunks().0.iter().flat_map(pair).collect(),
            lengths: [within.sqrt() / UNITS[0], (1.0 - within).max(0.0).sqrt() / UNITS[1]],
            enough: min_score - SLACK,
        })
    }
}

/// An image's features, prepared for the codes.
struct Query {
    /// (CODE, 256): what each byte at each place adds to the product.
    products: Vec<f32>,
    /// The lengths of the features in the directions and beyond them, by the units of a
    /// label's.
    lengths: [f32; 2],
    enough: f32,
}

impl Query {
    fn may_score(&self, code: &[u8], errors: &[u8]) -> bool {
        let products = self.products.chunks_exact(LEVELS * LEVELS).zip(code);
        let score: f32 = products.map(|(products, &byte)| products[usize::from(byte)]).sum();
        let errors =
            errors.iter().zip(self.lengths).map(|(&error, length)| f32::from(error) * length);
        score + errors.sum::<f32>() >= self.enough
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;
    use crate::encoder::ImageEncoder;
    use crate::encoder::TextEncoder;
    use crate::picture::Picture;
    use crate::starter::StarterImage;
    use crate::starter::tests::starter;

    /// The distinct labels of the dictionary, in its order.
    fn labels() -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dicts/flavors.txt");
        let text = std::fs::read_to_string(path).unwrap();
        let mut seen = HashSet::new();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.filter(|line| seen.insert(*line)).map(str::to_owned).collect()
    }

    fn photos() -> Vec<Features> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/photos");
        let encoder: StarterImage = starter().image_encoder().unwrap();
        let encode = |name: &&str| {
            let picture = Picture::open(&folder.join(name)).unwrap();
            encoder.encode(&[picture]).unwrap().remove(0)
        };
        ["astronaut.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg"].iter().map(encode).collect()
    }

    /// After a change of dicts/flavors.txt or of the text encoder, run weights/shortlist.py.
    #[test]
    fn codes_are_those_of_the_dictionary() {
        let labels = labels();
        let shortlist = starter().shortlist().unwrap();
        assert_eq!(shortlist.dictionary(), Digest::of_labels(labels.iter().map(String::as_str)));
        assert_eq!(shortlist.codes.len(), CODE * labels.len());
    }

    #[test]
    fn every_label_with_such_a_score_is_a_candidate() {
        let (labels, shortlist, photos) = (labels(), starter().shortlist().unwrap(), photos());
        let (step, min_score) = (31, 0.35);
        let sample: Vec<&str> = labels.iter().step_by(step).map(String::as_str).collect();
        let encoder = starter().text_encoder().unwrap();
        let rows = encoder.encode(&sample).unwrap();
        let mut above = 0;
        for photo in &photos {
            let found = shortlist.candidates(std::slice::from_ref(photo), min_score).unwrap();
            assert!(found.is_sorted() && found.len() < labels.len() / 2, "{}", found.len());
            for (number, row) in rows.rows().enumerate() {
                let score: f32 = row.iter().zip(photo.as_slice()).map(|(a, b)| a * b).sum();
                if score >= min_score {
                    above += 1;
                    let label = sample[number];
                    assert!(found.binary_search(&(number * step)).is_ok(), "{label}: {score}");
                }
            }
        }
        assert!(above > 4, "{above} labels");
    }

    #[test]
    fn few_labels_are_candidates_at_the_least_score_of_a_prompt() {
        let (shortlist, photos) = (starter().shortlist().unwrap(), photos());
        let all = shortlist.candidates(&photos, super::super::MIN_SCORE).unwrap();
        assert!((10..5000).contains(&all.len()), "{}", all.len());
        let union: HashSet<usize> = photos
            .iter()
            .flat_map(|photo| {
                shortlist.candidates(std::slice::from_ref(photo), super::super::MIN_SCORE).unwrap()
            })
            .collect();
        assert_eq!(union, all.into_iter().collect());
    }

    #[test]
    fn features_of_another_model_are_an_error() {
        let features = Features::new(vec![1.0; 512]).unwrap();
        let error = starter().shortlist().unwrap().candidates(&[features], 0.45).unwrap_err();
        assert_eq!(error.to_string(), "features has 512 values a row, expected 384");
    }
}
