//! Arithmetic over images and texts: `2*a.jpg - "a drawing"`.
//!
//! A [`Query`] is a weighted sum. It is parsed from a text and gives [`Features`], as an
//! image does. The caller decodes and encodes its images and texts; this module uses no
//! model.

mod parse;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::encoder::Features;
use crate::error::{QueryError, RowsError};
use crate::{Error, Result};

/// The least length of a sum, relative to the sum of its weights. A shorter sum consists of
/// rounding errors and has no direction: f32 rows have a relative precision of 2^-24.
const MIN_LENGTH: f64 = 1e-6;

/// A weighted sum of images and texts.
///
/// In text form, terms are joined by `+` and `-`, each with an optional factor, as in
/// `2*a.jpg`. A text is in double quotes. An image is unquoted up to the next white space,
/// or quoted as `image:"a name with spaces.jpg"`; `text:"..."` is also a text. In quotes
/// `\"` and `\\` are escapes for `"` and `\`.
///
/// ```
/// use interrogate::query::{Operand, Query};
///
/// let query: Query = r#"2*a.jpg - "a drawing""#.parse()?;
/// let terms: Vec<_> = query.terms().iter().map(|term| term.weight).collect();
/// assert_eq!(terms, [2.0, -1.0]);
/// assert_eq!(query.terms()[0].operand, Operand::Image("a.jpg".into()));
/// assert_eq!(query.to_string(), r#"2*image:"a.jpg" - text:"a drawing""#);
///
/// // Rows of a model, made up here.
/// let features = query.features(|operand| match operand {
///     Operand::Image(_) => Ok([1.0, 0.0]),
///     Operand::Text(_) => Ok([0.0, 1.0]),
/// })?;
/// assert!((features.as_slice()[0] - 2.0 / 5f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    terms: Vec<Term>,
}

/// One term of a [`Query`].
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The factor of its unit row: finite, negative for a subtracted term.
    pub weight: f64,
    /// The image or text.
    pub operand: Operand,
}

/// An image or a text of a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An image file.
    Image(PathBuf),
    /// A text.
    Text(String),
}

impl Query {
    /// Creates a query of one text.
    ///
    /// ```
    /// use interrogate::query::Query;
    ///
    /// let query = Query::text("a red car");
    /// assert_eq!(query, r#""a red car""#.parse()?);
    /// # Ok::<(), interrogate::Error>(())
    /// ```
    pub fn text(text: &str) -> Self {
        Query { terms: vec![Term { weight: 1.0, operand: Operand::Text(text.to_owned()) }] }
    }

    /// Returns the terms in order, at least one.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Iterates over the images of the terms, in order.
    pub fn images(&self) -> impl Iterator<Item = &Path> {
        self.terms.iter().filter_map(|term| match &term.operand {
            Operand::Image(path) => Some(path.as_path()),
            Operand::Text(_) => None,
        })
    }

    /// Iterates over the texts of the terms, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match &term.operand {
            Operand::Text(text) => Some(text.as_str()),
            Operand::Image(_) => None,
        })
    }

    /// Returns the weighted sum at unit length. `row` returns the unit row of an operand;
    /// rows are summed in f64 in the order of the terms.
    ///
    /// # Errors
    /// Those of `row`; [`RowsError::Dim`] if rows have different widths; [`QueryError::Zero`] if
    /// the terms cancel out.
    pub fn features<R: AsRef<[f32]>>(
        &self,
        mut row: impl FnMut(&Operand) -> Result<R>,
    ) -> Result<Features> {
        let mut sum: Vec<f64> = Vec::new();
        let mut weights = 0.0;
        for Term { weight, operand } in &self.terms {
            let row = row(operand)?;
            let row = row.as_ref();
            if sum.is_empty() {
                sum = vec![0.0; row.len()];
            }
            if row.len() != sum.len() {
                let (expected, found) = (sum.len(), row.len());
                return Err(Error::Rows(RowsError::Dim {
                    what: "a term of the query",
                    expected,
                    found,
                }));
            }
            weights += weight.abs();
            sum.iter_mut().zip(row).for_each(|(sum, &v)| *sum += weight * f64::from(v));
        }
        // Divided by the weights, so that large weights do not overflow f32.
        let scaled: Vec<f64> = sum.iter().map(|v| v / weights).collect();
        let length = scaled.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !length.is_finite() || length < MIN_LENGTH {
            return Err(Error::Query(QueryError::Zero { query: self.to_string() }));
        }
        Features::new(scaled.iter().map(|&v| (v / length) as f32).collect())
    }
}

/// Writes a text that parses to an equal query.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Term { weight, operand }) in self.terms.iter().enumerate() {
            match (at, weight.is_sign_negative()) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            if weight.abs() != 1.0 {
                write!(f, "{}*", weight.abs())?;
            }
            let (kind, text) = match operand {
                Operand::Image(path) => ("image", path.to_string_lossy()),
                Operand::Text(text) => ("text", text.as_str().into()),
            };
            write!(f, "{kind}:\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
