//! The form of prompts: tables, template, texts around them, token limit.

use interrogate::Interrogation;
use interrogate::prompt::{Mode, Style};

use crate::error::CliError;

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
    /// Applies the options.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for a template of another mode than seed; unknown tables and
    /// invalid templates.
    pub(crate) fn apply<'a>(
        &self,
        mut interrogation: Interrogation<'a>,
    ) -> Result<Interrogation<'a>, CliError> {
        let mode = interrogation.options().mode;
        if self.template.is_some() && mode != Mode::Seed {
            return Err(CliError::Arguments {
                message: format!("a template is for seed prompts, not for {}", mode.name()),
                hint: "leave out the template or the mode".to_owned(),
            });
        }
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
