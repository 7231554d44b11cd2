//! Labels made of names: "by Monet" of Monet, "trending on flickr" of flickr.
//!
//! Tables and order are clip-interrogator 0.6.0's, so that rows and their ties
//! compare.

use super::lines::{Distinct, Refused};
use super::{Finding, Texts};

/// What is made of the lines of a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// The lines themselves.
    Plain,
    /// "by A" for all artists, then "inspired by A" for all.
    Artists,
    /// All sites, then "trending on S" for all, "featured on S" for all, and
    /// "S contest winner" for all.
    Sites,
}

impl Template {
    /// The template for a dictionary of this name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "artists" => Template::Artists,
            "sites" => Template::Sites,
            _ => Template::Plain,
        }
    }

    /// The table that it makes, where that is not the dictionary's name.
    pub(super) fn table(self) -> Option<&'static str> {
        (self == Template::Sites).then_some("trendings")
    }

    /// What stands before and after the name, one label a name for each.
    fn forms(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Template::Plain => &[("", "")],
            Template::Artists => &[("by ", ""), ("inspired by ", "")],
            Template::Sites => {
                &[("", ""), ("trending on ", ""), ("featured on ", ""), ("", " contest winner")]
            }
        }
    }

    /// The labels made of `names`, each with the line of its name; what comes
    /// twice is found.
    pub(super) fn labels(
        self,
        names: Distinct,
        findings: &mut Vec<Finding>,
    ) -> Result<Distinct, Refused> {
        if self == Template::Plain {
            return Ok(names);
        }
        let mut labels = Distinct::default();
        for (before, after) in self.forms() {
            for (line, name) in names.iter() {
                labels.push(line, &[before, name, after], findings)?;
            }
        }
        Ok(labels)
    }

    /// The labels made of `lines`, however often one comes; `None` where they are
    /// more than 4 GiB.
    pub(super) fn every(self, lines: Texts) -> Option<Texts> {
        if self == Template::Plain {
            return Some(lines);
        }
        let mut labels = Texts::default();
        for (before, after) in self.forms() {
            lines.iter().try_for_each(|line| labels.push(&[before, line, after]))?;
        }
        Some(labels)
    }
}
