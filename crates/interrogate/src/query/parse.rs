//! From text to terms.

use std::path::PathBuf;
use std::str::FromStr;

use super::{Operand, Query, Term};
use crate::{Error, Result};

impl FromStr for Query {
    type Err = Error;

    /// # Errors
    /// [`Error::QuerySyntax`], with the place.
    fn from_str(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0 };
        let mut terms = Vec::new();
        loop {
            reader.space();
            let sign = reader.sign();
            if sign.is_none() && !terms.is_empty() {
                if reader.rest().is_empty() {
                    return Ok(Query { terms });
                }
                return Err(reader.expected("+ or - before the next term"));
            }
            let weight = sign.unwrap_or(1.0) * reader.factor()?;
            terms.push(Term { weight, of: reader.operand()? });
        }
    }
}

/// Text, and how far it is read.
struct Reader<'a> {
    text: &'a str,
    /// A byte at which a character begins.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes `word`, if it is next.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.rest().starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// -1 or 1, and the white space after it.
    fn sign(&mut self) -> Option<f64> {
        let sign = match (self.take("-"), self.take("+")) {
            (true, _) => -1.0,
            (_, true) => 1.0,
            _ => return None,
        };
        self.space();
        Some(sign)
    }

    /// The factor before an operand, 1 where there is none. Digits are a factor
    /// where `*` comes after them, and else the beginning of an image's name.
    fn factor(&mut self) -> Result<f64> {
        let numeric = |c: char| !(c.is_ascii_digit() || c == '.');
        let digits = &self.rest()[..self.rest().find(numeric).unwrap_or(self.rest().len())];
        let after = self.rest()[digits.len()..].trim_start();
        if digits.is_empty() || !after.starts_with('*') {
            return Ok(1.0);
        }
        let factor = digits.parse::<f64>().ok().filter(|factor| factor.is_finite());
        let factor = factor.ok_or_else(|| self.expected("a number before *"))?;
        self.at = self.text.len() - after.len() + 1;
        self.space();
        Ok(factor)
    }

    fn operand(&mut self) -> Result<Operand> {
        if self.rest().starts_with('"') {
            return Ok(Operand::Text(self.quoted()?));
        }
        for (prefix, is_image) in [("image:\"", true), ("text:\"", false)] {
            if self.take(prefix) {
                self.at -= 1; // the quote is ASCII
                let text = self.quoted()?;
                if is_image && text.is_empty() {
                    return Err(self.expected("the name of an image in the quotes before"));
                }
                return Ok(match is_image {
                    true => Operand::Image(PathBuf::from(text)),
                    false => Operand::Text(text),
                });
            }
        }
        let name = self.rest().split(char::is_whitespace).next().unwrap_or_default();
        if name.is_empty() || name.starts_with(['+', '-', '*']) {
            return Err(self.expected("an image or a text"));
        }
        if let Some(quote) = name.find('"') {
            self.at += quote;
            return Err(self.expected("white space after the image's name"));
        }
        self.at += name.len();
        Ok(Operand::Image(PathBuf::from(name)))
    }

    /// What stands in quotes, of which the first is next.
    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.at = start + at + 1;
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    _ => {
                        self.at = start + at;
                        return Err(self.expected("\\\" or \\\\"));
                    }
                },
                c => text.push(c),
            }
        }
        self.at = self.text.len();
        Err(self.expected("a quote that ends the text"))
    }

    /// The error of this place.
    fn expected(&self, expected: &'static str) -> Error {
        let column = self.text[..self.at].chars().count() + 1;
        let found = match self.rest().chars().take(12).collect::<String>() {
            end if end.is_empty() => "the end".to_owned(),
            next => format!("{next:?}"),
        };
        Error::QuerySyntax { query: self.text.to_owned(), column, expected, found }
    }
}
