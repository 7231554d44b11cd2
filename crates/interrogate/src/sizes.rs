//! Validation of the sizes in model configurations, against [`limits`](crate::limits).
//!
//! Owns the comparisons and their errors; the keys are for the models. A size within its limit
//! must still match the shape of a weight, which the weight readers check before they allocate.

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::{Error, Result, limits};

/// Checks that a number is between 1 and `most`.
///
/// # Errors
/// [`Error::Mismatch`], here and in all functions below.
pub(crate) fn within(path: &Path, what: &'static str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(Error::mismatch(path, what, format!("1 to {most}"), value))
    }
}

/// Checks that `value` divides `whole`: heads the width, patches the side.
pub(crate) fn divides(path: &Path, what: &'static str, value: usize, whole: usize) -> Result<()> {
    if value > 0 && whole.is_multiple_of(value) {
        Ok(())
    } else {
        Err(Error::mismatch(path, what, format!("a divisor of {whole}"), value))
    }
}

/// Checks that an inner width is at most `times` the outer one. Activations of every position
/// take that width, and a narrow model's weights would not justify them.
pub(crate) fn inner(
    path: &Path,
    what: &'static str,
    (inner, width): (usize, usize),
    times: usize,
) -> Result<()> {
    within(path, what, inner, width.saturating_mul(times))
}

/// Checks that an attention of `heads` between `queries` and `keys` has at most
/// [`limits::ATTENTION_SCORES`] scores.
pub(crate) fn scores(
    path: &Path,
    what: &'static str,
    heads: usize,
    [queries, keys]: [usize; 2],
) -> Result<()> {
    let scores = heads.saturating_mul(queries).saturating_mul(keys);
    if scores <= limits::ATTENTION_SCORES {
        return Ok(());
    }
    let expected = format!("at most {} attention scores", limits::ATTENTION_SCORES);
    let found = format!("{heads} heads over {queries} x {keys} positions");
    Err(Error::mismatch(path, what, expected, found))
}

/// Checks that an epsilon is above 0 and below 1.
pub(crate) fn epsilon(path: &Path, what: &'static str, eps: f64) -> Result<()> {
    if eps > 0.0 && eps < 1.0 {
        Ok(())
    } else {
        Err(Error::mismatch(path, what, "above 0 and below 1", eps))
    }
}

/// Checks that a key is missing or has the only supported value.
pub(crate) fn only<T: PartialEq + Display>(
    path: &Path,
    what: &'static str,
    found: Option<&T>,
    expected: T,
) -> Result<()> {
    match found {
        Some(found) if *found != expected => Err(Error::mismatch(path, what, expected, found)),
        _ => Ok(()),
    }
}

/// Deserializes the side of a square: `224`, or `[224, 224]` as transformers allows for images
/// and patches.
///
/// # Errors
/// The deserializer's, and an error if the two sides differ.
pub(crate) fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    SideValue::deserialize(deserializer)?.side()
}

/// Like [`side`], for a key that may be missing or `null`.
///
/// # Errors
/// As of [`side`].
pub(crate) fn optional_side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    Option::<SideValue>::deserialize(deserializer)?.map(SideValue::side).transpose()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SideValue {
    One(usize),
    Two([usize; 2]),
}

impl SideValue {
    fn side<E: serde::de::Error>(self) -> Result<usize, E> {
        match self {
            SideValue::One(side) => Ok(side),
            SideValue::Two([height, width]) if height == width => Ok(height),
            SideValue::Two([height, width]) => {
                Err(E::custom(format_args!("expected a square, found {height} x {width}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<()>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn number_beyond_its_limit_is_an_error() {
        let path = Path::new("config.json");
        assert_eq!(
            message(within(path, "layers", 0, 9)),
            "config.json: layers: expected 1 to 9, found 0"
        );
        assert!(within(path, "layers", 9, 9).is_ok() && within(path, "layers", 10, 9).is_err());
        assert!(
            message(divides(path, "heads", 5, 32)).ends_with("expected a divisor of 32, found 5")
        );
        assert!(divides(path, "heads", 0, 32).is_err());
        assert!(
            message(inner(path, "inner", (129, 8), 16)).ends_with("expected 1 to 128, found 129")
        );
        assert!(scores(path, "image_size", 16, [577, 577]).is_ok());
        let found = message(scores(path, "image_size", 16, [usize::MAX, 9]));
        assert!(found.contains("at most 33554432 attention scores"), "{found}");
        for eps in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(epsilon(path, "layer_norm_eps", eps).is_err());
        }
        assert!(only(path, "is_decoder", Some(&true), false).is_err());
        assert!(only(path, "is_decoder", None, false).is_ok());
    }

    #[test]
    fn side_is_a_number_or_two_equal_ones() {
        let read = |text: &str| side(&mut serde_json::Deserializer::from_str(text));
        assert_eq!((read("224").unwrap(), read("[14, 14]").unwrap()), (224, 14));
        assert!(read("[14, 15]").unwrap_err().to_string().contains("14 x 15"));
        assert!(read("-1").is_err() && read("[1]").is_err());
    }
}
