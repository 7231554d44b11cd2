//! Labels made from names: "by Monet" from Monet, "trending on flickr" from flickr.
//!
//! Tables and order are those of clip-interrogator 0.6.0, so that rows and ties can be
//! compared.

use super::Texts;
use super::finding::Finding;
use super::labels::{Labels, TooLarge};

/// How labels are made from the lines of a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// The lines are the labels.
    Plain,
    /// "by A" for all artists, then "inspired by A" for all.
    Artists,
    /// All sites, then "trending on S" for all, "featured on S" for all, and
    /// "S contest winner" for all.
    Sites,
}

impl Template {
    /// Returns the template of a dictionary of this name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "artists" => Template::Artists,
            "sites" => Template::Sites,
            _ => Template::Plain,
        }
    }

    /// The table's name, where that is not the dictionary's.
    pub(super) fn table(self) -> Option<&'static str> {
        (self == Template::Sites).then_some("trendings")
    }

    /// The text before and after the name in each form.
    fn forms(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Template::Plain => &[("", "")],
            Template::Artists => &[("by ", ""), ("inspired by ", "")],
            Template::Sites => {
                &[("", ""), ("trending on ", ""), ("featured on ", ""), ("", " contest winner")]
            }
        }
    }

    /// Returns the labels made from `names`, each with the line of its name. Duplicates are
    /// treated as in `names`.
    pub(super) fn labels(
        self,
        names: Labels,
        findings: &mut Vec<Finding>,
    ) -> Result<Labels, TooLarge> {
        if self == Template::Plain {
            return Ok(names);
        }
        let mut labels = Labels::with_capacity(0, names.duplicates());
        for (before, after) in self.forms() {
            for (line, name) in names.iter() {
                labels.push(line, &[before, name, after], findings)?;
            }
        }
        Ok(labels)
    }

    /// Returns the labels made from `lines`, with duplicates.
    pub(super) fn all_labels(self, lines: Texts) -> Result<Texts, TooLarge> {
        if self == Template::Plain {
            return Ok(lines);
        }
        let mut labels = Texts::default();
        for (before, after) in self.forms() {
            let mut lines = lines.iter();
            lines.try_for_each(|line| labels.push(&[before, line, after])).ok_or(TooLarge)?;
        }
        Ok(labels)
    }
}
