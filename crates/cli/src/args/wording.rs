//! The options of how prompts and captions are worded.

use std::str::FromStr;

use clap::Args as Group;
use interrogate::prompt::Style;

/// Replacements and escapes in written prompts and captions.
#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Wording {
    /// Replace the text A by B, also by nothing (A=), in every part of the written text:
    /// 'araffe=giraffe'. Scores and tokens are those before it. Can be repeated, and is done
    /// in that order.
    #[arg(long, value_name = "A=B", allow_hyphen_values = true)]
    pub(crate) replace: Vec<Replacement>,
    /// Escape parentheses and backslashes in the written text, so that front ends of Stable
    /// Diffusion do not read them as weights: \(soft\).
    #[arg(long)]
    pub(crate) escape_parens: bool,
}

impl Wording {
    /// Returns the style of these options.
    pub(crate) fn style(&self) -> Style {
        let pairs = self.replace.iter().map(|Replacement { from, to }| (from.clone(), to.clone()));
        Style {
            replacements: pairs.collect(),
            escape_parens: self.escape_parens,
            ..Style::default()
        }
    }
}

/// A text, and what replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replacement {
    from: String,
    to: String,
}

impl FromStr for Replacement {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        match typed.split_once('=') {
            Some((from, to)) if !from.is_empty() => {
                Ok(Replacement { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err("expected A=B with a text A".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacement_is_split_at_the_first_equals_sign() {
        let pair = |from: &str, to: &str| Ok(Replacement { from: from.into(), to: to.into() });
        assert_eq!("a b=c".parse(), pair("a b", "c"));
        assert_eq!("a=".parse(), pair("a", ""));
        assert_eq!("a=b=c".parse(), pair("a", "b=c"));
        assert!("=b".parse::<Replacement>().is_err() && "a".parse::<Replacement>().is_err());
    }
}
