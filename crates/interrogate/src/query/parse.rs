//! Parses the text form of a query.

use std::path::PathBuf;
use std::str::FromStr;

use super::{Operand, Query, Term};
use crate::error::QueryError;
use crate::{Error, Result};

impl FromStr for Query {
    type Err = Error;

    /// # Errors
    /// [`QueryError::Syntax`], with the column.
    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0 };
        let mut terms = Vec::new();
        loop {
            parser.skip_space();
            let sign = parser.sign();
            if sign.is_none() && !terms.is_empty() {
                if parser.rest().is_empty() {
                    return Ok(Query { terms });
                }
                return Err(parser.expected("+ or - before the next term"));
            }
            let weight = sign.unwrap_or(1.0) * parser.factor()?;
            terms.push(Term { weight, operand: parser.operand()? });
        }
    }
}

/// A text and a position in it.
struct Parser<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Consumes `word` if it is next; returns whether it was.
    fn consume(&mut self, word: &str) -> bool {
        let is_next = self.rest().starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// Parses a sign and the white space after it.
    fn sign(&mut self) -> Option<f64> {
        let sign = match (self.consume("-"), self.consume("+")) {
            (true, _) => -1.0,
            (_, true) => 1.0,
            _ => return None,
        };
        self.skip_space();
        Some(sign)
    }

    /// Parses the factor before an operand; returns 1 if there is none. Digits are a factor
    /// if `*` follows, else the start of an image's name.
    fn factor(&mut self) -> Result<f64> {
        let other = |c: char| !(c.is_ascii_digit() || c == '.');
        let digits = &self.rest()[..self.rest().find(other).unwrap_or(self.rest().len())];
        let after = self.rest()[digits.len()..].trim_start();
        if digits.is_empty() || !after.starts_with('*') {
            return Ok(1.0);
        }
        let factor = digits.parse::<f64>().ok().filter(|factor| factor.is_finite());
        let factor = factor.ok_or_else(|| self.expected("a number before *"))?;
        self.at = self.text.len() - after.len() + 1;
        self.skip_space();
        Ok(factor)
    }

    fn operand(&mut self) -> Result<Operand> {
        if self.rest().starts_with('"') {
            return Ok(Operand::Text(self.quoted()?));
        }
        for (prefix, is_image) in [("image:\"", true), ("text:\"", false)] {
            if self.consume(prefix) {
                self.at -= 1; // the quote is ASCII
                let text = self.quoted()?;
                if is_image && text.is_empty() {
                    return Err(self.expected("the name of an image in the quotes before"));
                }
                return Ok(if is_image {
                    Operand::Image(PathBuf::from(text))
                } else {
                    Operand::Text(text)
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

    /// Parses a quoted text; the opening quote is next.
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

    /// Returns the syntax error at this position.
    fn expected(&self, expected: &'static str) -> Error {
        let column = self.text[..self.at].chars().count() + 1;
        let found = match self.rest().chars().take(12).collect::<String>() {
            end if end.is_empty() => "the end".to_owned(),
            next => format!("{next:?}"),
        };
        Error::Query(QueryError::Syntax { query: self.text.to_owned(), column, expected, found })
    }
}
