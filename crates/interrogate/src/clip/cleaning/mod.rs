//! What is done to a text before CLIP's tokenizer cuts it into words.
//!
//! OpenAI's code and OpenCLIP's repair and unescape a text, transformers' fast tokenizer
//! does neither. Owns that choice ([`TextCleaning`]) and the cleaning itself; the cut
//! into words and tokens is `words`' and `tokenizer`'s.
//!
//! The repair is a port of ftfy 6.3.1, held to it text by text. The crate `plsfix`,
//! another port, would bring icu, encoding and a second version of fancy-regex; ftfy
//! needs the whole table of character references, so `html` reads them as well.

mod badness;
mod characters;
mod charmap;
mod charmaps;
mod ftfy;
#[cfg(test)]
mod golden;
mod html;
mod mojibake;
mod utf8;

use std::fmt;
use std::str::FromStr;

use regex::Regex;

use crate::error::Error;

/// How texts are cleaned before CLIP's tokenizer: as which code does it.
///
/// It decides tokens and so rows: an index of one cleaning is another model's to the
/// other.
///
/// ```
/// use interrogate::clip::TextCleaning;
///
/// assert_eq!("openai".parse::<TextCleaning>()?, TextCleaning::OpenAi);
/// assert_eq!(TextCleaning::default().to_string(), "auto");
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextCleaning {
    /// As the code that the checkpoint's layout is from: OpenAI's and OpenCLIP's
    /// layouts as their own code, Hugging Face's as transformers.
    #[default]
    Auto,
    /// As OpenAI's `clip.tokenize` and OpenCLIP's `SimpleTokenizer`: mojibake, ligatures,
    /// curly quotes, full-width letters and the like are repaired by ftfy's rules, and
    /// HTML's character references are read twice.
    OpenAi,
    /// As transformers' fast tokenizer: NFC and lower case.
    Transformers,
}

impl TextCleaning {
    /// Every one, in the order in which they are listed to people.
    pub const ALL: [TextCleaning; 3] =
        [TextCleaning::Auto, TextCleaning::OpenAi, TextCleaning::Transformers];

    /// Its name: what [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            TextCleaning::Auto => "auto",
            TextCleaning::OpenAi => "openai",
            TextCleaning::Transformers => "transformers",
        }
    }
}

impl fmt::Display for TextCleaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TextCleaning {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = TextCleaning::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let expected = TextCleaning::ALL.map(TextCleaning::name).join(", ");
            Error::mismatch("--text-cleaning", "name", expected, name)
        })
    }
}

/// The cleaning of one checkpoint's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cleaning {
    /// By the tokenizer's own normalizer.
    Transformers,
    /// As openai/CLIP, clip/simple_tokenizer.py.
    OpenAi,
    /// As open_clip, src/open_clip/tokenizer.py.
    OpenClip(Form),
}

/// What OpenCLIP does after the repair: `clean` of its `SimpleTokenizer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// White space collapsed.
    Whitespace,
    /// White space collapsed, lower case.
    Lower,
    /// Without ASCII punctuation, white space collapsed, lower case.
    Canonicalize,
}

impl Form {
    /// The form that `clean` in an open_clip_config.json names.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "whitespace" => Some(Form::Whitespace),
            "lower" => Some(Form::Lower),
            "canonicalize" => Some(Form::Canonicalize),
            _ => None,
        }
    }
}

impl Cleaning {
    /// What tells rows of this cleaning from those of others; `None` for transformers',
    /// whose fingerprints are older than the choice. Change it with anything that
    /// changes a token.
    pub(super) fn tag(self) -> Option<&'static [u8]> {
        match self {
            Cleaning::Transformers => None,
            Cleaning::OpenAi => Some(b"openai 1"),
            Cleaning::OpenClip(Form::Whitespace) => Some(b"open_clip whitespace 1"),
            Cleaning::OpenClip(Form::Lower) => Some(b"open_clip lower 1"),
            Cleaning::OpenClip(Form::Canonicalize) => Some(b"open_clip canonicalize 1"),
        }
    }

    /// The text as it is cut into words. Costs time in proportion to the text's length,
    /// and at most [`CLEANING_ROUNDS`](crate::limits::CLEANING_ROUNDS) times as much
    /// where it was damaged on purpose.
    pub(super) fn clean(self, text: &str) -> String {
        let repaired;
        let text = if is_plain(text) {
            text
        } else {
            let text = ftfy::fix_text(text);
            repaired = html::unescape(&html::unescape(&text)).into_owned();
            &repaired
        };
        match self {
            Cleaning::Transformers => text.to_owned(), // cleans by itself
            Cleaning::OpenAi | Cleaning::OpenClip(Form::Lower) => collapsed(text).to_lowercase(),
            Cleaning::OpenClip(Form::Whitespace) => collapsed(text),
            Cleaning::OpenClip(Form::Canonicalize) => {
                let text = text.replace('_', " ").replace(|c: char| c.is_ascii_punctuation(), "");
                collapsed(&text.to_lowercase())
            }
        }
    }
}

/// Whether a text needs no repair, and neither does any part of it nor what it makes with
/// other plain texts: printable ASCII and white space, without `&`.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r') && byte != b'&')
}

/// `" ".join(text.split())` of Python.
fn collapsed(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f'));
    let mut out = String::with_capacity(text.len());
    for word in words.filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// A regular expression of this module, which its tests hold to be one.
fn pattern(expression: impl AsRef<str>) -> Option<Regex> {
    Regex::new(expression.as_ref()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for cleaning in TextCleaning::ALL {
            assert_eq!(cleaning.to_string().parse::<TextCleaning>().unwrap(), cleaning);
        }
        let error = "ftfy".parse::<TextCleaning>().unwrap_err().to_string();
        assert_eq!(error, "--text-cleaning: name: expected auto, openai, transformers, found ftfy");
    }

    /// Each by open_clip 3.3's `get_clean_fn`.
    #[test]
    fn each_form_is_open_clips() {
        let text = " A&nbsp;B_c,  \u{201c}D\u{201d}\u{1c}\u{a0}\u{1e9e} ";
        for (form, expected) in [
            (Form::Whitespace, "A B_c, \"D\" \u{1e9e}"),
            (Form::Lower, "a b_c, \"d\" \u{df}"),
            (Form::Canonicalize, "a b c d \u{df}"),
        ] {
            assert_eq!(Cleaning::OpenClip(form).clean(text), expected, "{form:?}");
        }
        assert_eq!(Cleaning::OpenAi.clean(text), "a b_c, \"d\" \u{df}");
    }

    /// What the short cut leaves out changes nothing.
    #[test]
    fn plain_text_needs_no_repair() {
        let all: String = ('\0'..='\u{ff}').filter(|c| is_plain(&c.to_string())).collect();
        assert_eq!(all.len(), 97);
        assert_eq!(collapsed(&ftfy::fix_text(&all)), collapsed(&all));
        assert_eq!(html::unescape(&all), all);
    }
}
