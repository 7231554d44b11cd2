//! Reads and writes a template's text.

use std::fmt;
use std::str::FromStr;

use super::Template;
use crate::error::PromptError;
use crate::{Error, Result};

impl FromStr for Template {
    type Err = Error;

    /// # Errors
    /// [`PromptError::Template`] for an unmatched brace or a field without a name.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |at: usize, problem| {
            Err(Error::Prompt(PromptError::Template { template: text.to_owned(), at, problem }))
        };
        let mut template = Template { lead: String::new(), fields: Vec::new() };
        let mut rest = text;
        while let Some(found) = rest.find(['{', '}']) {
            let at = text.len() - rest.len() + found;
            let (before, brace) = rest.split_at(found);
            template.push_text(before);
            rest = match brace.get(..2) {
                Some(double @ ("{{" | "}}")) => {
                    template.push_text(&double[1..]);
                    &brace[2..]
                }
                _ if brace.starts_with('}') => return refuse(at, "a } without its {"),
                _ => match brace[1..].split_once('}') {
                    None => return refuse(at, "a { without its }"),
                    Some((name, after)) => {
                        let name = name.trim();
                        if name.is_empty() || name.contains('{') {
                            return refuse(at, "braces without a name");
                        }
                        template.fields.push((name.to_owned(), String::new()));
                        after
                    }
                },
            };
        }
        template.push_text(rest);
        Ok(template)
    }
}

impl Template {
    /// Appends text after the last field.
    fn push_text(&mut self, text: &str) {
        self.fields.last_mut().map_or(&mut self.lead, |(_, after)| after).push_str(text);
    }
}

/// Writes text that parses to the same template.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |text: &str| text.replace('{', "{{").replace('}', "}}");
        f.write_str(&escape(&self.lead))?;
        self.fields.iter().try_for_each(|(name, after)| write!(f, "{{{name}}}{}", escape(after)))
    }
}
