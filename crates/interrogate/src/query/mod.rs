//! Arithmetic over images and texts: `2*a.jpg - "a drawing"`.
//!
//! A [`Query`] is a weighted sum, and stands for a direction as an image does. Owns
//! its text form (`parse`) and the sum; opening images and encoding is the caller's,
//! so that this room knows no model.

mod parse;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::encoder::Features;
use crate::{Error, Result};

/// How long a sum must be, as a share of its terms' lengths: what is below is
/// rounding, and has no direction. Rows are f32, whose steps are 2^-24 of a value.
const LEAST: f64 = 1e-6;

/// A weighted sum of images and texts.
///
/// As text, terms are joined by `+` and `-`, each maybe with a factor before it, as in
/// `2*a.jpg`. Text stands in double quotes, an image bare, up to the next white
/// space, or as `image:"a name with spaces.jpg"`; `text:"..."` is a text, too. In
/// quotes `\"` and `\\` stand for `"` and `\`.
///
/// ```
/// use interrogate::query::{Operand, Query};
///
/// let query: Query = r#"2*a.jpg - "a drawing""#.parse()?;
/// let terms: Vec<_> = query.terms().iter().map(|term| term.weight).collect();
/// assert_eq!(terms, [2.0, -1.0]);
/// assert_eq!(query.terms()[0].of, Operand::Image("a.jpg".into()));
/// assert_eq!(query.to_string(), r#"2*image:"a.jpg" - text:"a drawing""#);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    terms: Vec<Term>,
}

/// One term of a [`Query`].
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What its unit row is multiplied by: finite, below 0 where it is taken away.
    pub weight: f64,
    /// What it is.
    pub of: Operand,
}

/// What can be added and taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An image file.
    Image(PathBuf),
    /// A text.
    Text(String),
}

impl Query {
    /// The terms, in order: at least one.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The images of the terms, in order.
    pub fn images(&self) -> impl Iterator<Item = &Path> {
        self.terms.iter().filter_map(|term| match &term.of {
            Operand::Image(path) => Some(path.as_path()),
            Operand::Text(_) => None,
        })
    }

    /// The texts of the terms, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match &term.of {
            Operand::Text(text) => Some(text.as_str()),
            Operand::Image(_) => None,
        })
    }

    /// The direction that the query stands for: the unit rows of its terms, which
    /// `row` gives, times their weights, summed in f64 in the order of the terms and
    /// brought to unit length.
    ///
    /// # Errors
    /// Those of `row`; [`Error::Dim`] where it gives rows of unequal width;
    /// [`Error::QueryZero`] where the terms cancel each other out.
    pub fn features<R: AsRef<[f32]>>(
        &self,
        mut row: impl FnMut(&Operand) -> Result<R>,
    ) -> Result<Features> {
        let mut sum: Vec<f64> = Vec::new();
        let mut weights = 0.0;
        for Term { weight, of } in &self.terms {
            let row = row(of)?;
            let row = row.as_ref();
            if sum.is_empty() {
                sum = vec![0.0; row.len()];
            }
            if row.len() != sum.len() {
                let (expected, found) = (sum.len(), row.len());
                return Err(Error::Dim { what: "a term of the query", expected, found });
            }
            weights += weight.abs();
            sum.iter_mut().zip(row).for_each(|(sum, &v)| *sum += weight * f64::from(v));
        }
        // Weights of any size: brought near 1, where f32 has its values.
        let scaled: Vec<f64> = sum.iter().map(|v| v / weights).collect();
        let length = scaled.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !length.is_finite() || length < LEAST {
            return Err(Error::QueryZero { query: self.to_string() });
        }
        Features::new(scaled.iter().map(|&v| (v / length) as f32).collect())
    }
}

/// The text that parses to it again.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Term { weight, of }) in self.terms.iter().enumerate() {
            match (at, weight.is_sign_negative()) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            if weight.abs() != 1.0 {
                write!(f, "{}*", weight.abs())?;
            }
            let (kind, text) = match of {
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
