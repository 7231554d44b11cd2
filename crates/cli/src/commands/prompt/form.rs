//! The form of prompts: tables, template, texts around them, token limit.

use interrogate::prompt::{Mode, Style};
use interrogate::{Interrogation, Result};

/// The options of a prompt's form.
pub(crate) struct Form<'o> {
    pub(crate) tables: &'o [String],
    pub(crate) without: &'o [String],
    pub(crate) max_tokens: Option<usize>,
    pub(crate) template: Option<&'o str>,
    pub(crate) prefix: &'o str,
    pub(crate) suffix: &'o str,
    pub(crate) weights: bool,
    pub(crate) separator: Option<&'o str>,
}

impl Form<'_> {
    /// Returns the error of a template in a mode that has its own form, `None` if they fit.
    pub(crate) fn mismatch(&self, mode: Mode) -> Option<String> {
        (self.template.is_some() && mode != Mode::Seed)
            .then(|| format!("a template is for seed prompts, not for {}", mode.name()))
    }

    /// Applies the options.
    ///
    /// # Errors
    /// Unknown tables and invalid templates.
    pub(crate) fn apply<'a>(
        &self,
        mut interrogation: Interrogation<'a>,
    ) -> Result<Interrogation<'a>> {
        interrogation = interrogation.without(self.without)?;
        if !self.tables.is_empty() {
            interrogation = interrogation.only(self.tables)?;
        }
        if let Some(tokens) = self.max_tokens {
            interrogation = interrogation.within(tokens);
        }
        if let Some(template) = self.template {
            interrogation = interrogation.with_template(template.parse()?)?;
        }
        Ok(interrogation.between(self.prefix, self.suffix))
    }

    /// Returns the style of the written prompts.
    pub(crate) fn style(&self) -> Style {
        Style {
            separator: self.separator.map(str::to_owned),
            weights: self.weights,
            ..Style::default()
        }
    }
}
