//! The cleaning of texts before CLIP's tokenizer.
//!
//! OpenAI's and OpenCLIP's code repairs and unescapes a text; the fast tokenizer of
//! transformers does neither. Owns the choice ([`TextCleaning`]) and the cleaning.
//! `clip::tokenizer` splits the result into words and tokens.
//!
//! The repair is a port of ftfy 6.3.1, and tests compare it with ftfy text by text. The crate
//! `plsfix`, another port, would add icu, encoding and a second version of fancy-regex. ftfy
//! needs the whole table of character references, so `html` decodes them too.

mod badness;
mod characters;
mod charmap;
mod charmaps;
mod ftfy;
#[cfg(test)]
mod golden_tests;
mod html;
mod mojibake;
mod utf8;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use regex::Regex;

use super::config::{TextAttention, TextConfig};
use crate::error::Error;

/// The code whose cleaning of texts is reproduced before CLIP's tokenizer.
///
/// The cleaning changes tokens and embeddings, so an index that was built with one cleaning
/// does not match a model with another.
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
    /// The cleaning of the checkpoint's own layout: OpenAI's for the layouts of OpenAI and
    /// OpenCLIP, that of transformers for Hugging Face's.
    #[default]
    Auto,
    /// OpenAI's `clip.tokenize` and OpenCLIP's `SimpleTokenizer`: mojibake, ligatures, curly
    /// quotes, full-width letters and so on are repaired by ftfy's rules, and HTML character
    /// references are decoded twice.
    OpenAi,
    /// The fast tokenizer of transformers: NFC and lower case.
    Transformers,
}

impl TextCleaning {
    /// Every cleaning, in display order.
    pub const ALL: [TextCleaning; 3] =
        [TextCleaning::Auto, TextCleaning::OpenAi, TextCleaning::Transformers];

    /// Returns the name, which [`FromStr`] parses.
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
    /// The tokenizer's own normalizer.
    Transformers,
    /// That of openai/CLIP, clip/simple_tokenizer.py.
    OpenAi,
    /// That of open_clip, src/open_clip/tokenizer.py.
    OpenClip(Form),
    /// `SiglipTokenizer.canonicalize_text` of transformers: without ASCII punctuation, white space
    /// collapsed, lower case. With SigLIP 2's tokenizer, [`Lowercase`](Self::Lowercase).
    Siglip,
    /// That of `Siglip2Tokenizer` of transformers.
    Lowercase,
}

/// OpenCLIP's normalization after the repair: `clean` of its `SimpleTokenizer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Collapses white space.
    Whitespace,
    /// Collapses white space; lower case.
    Lower,
    /// Removes ASCII punctuation and collapses white space; lower case.
    Canonicalize,
}

impl Form {
    /// Parses the field `clean` of an open_clip_config.json.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "whitespace" => Some(Form::Whitespace),
            "lower" => Some(Form::Lower),
            "canonicalize" => Some(Form::Canonicalize),
            _ => None,
        }
    }
}

impl Cleaning {
    /// Returns the cleaning of transformers for a text tower.
    pub(super) fn of_transformers(config: &TextConfig) -> Self {
        match config.parts.attention {
            TextAttention::Causal => Cleaning::Transformers,
            TextAttention::Padded => Cleaning::Siglip,
        }
    }

    /// Returns the cleaning's part of the fingerprint; `None` for that of transformers,
    /// whose fingerprints are older than the choice. Increment the version with anything
    /// that changes a token.
    pub(super) fn tag(self) -> Option<&'static [u8]> {
        match self {
            Cleaning::Transformers => None,
            Cleaning::OpenAi => Some(b"openai 1"),
            Cleaning::OpenClip(Form::Whitespace) => Some(b"open_clip whitespace 1"),
            Cleaning::OpenClip(Form::Lower) => Some(b"open_clip lower 1"),
            Cleaning::OpenClip(Form::Canonicalize) => Some(b"open_clip canonicalize 1"),
            Cleaning::Siglip => Some(b"siglip 1"),
            Cleaning::Lowercase => Some(b"lowercase 1"),
        }
    }

    /// Cleans the text. Takes time linear in its length, and at most
    /// [`CLEANING_ROUNDS`](crate::limits::CLEANING_ROUNDS) times as much for hostile text.
    pub(super) fn clean(self, text: &str) -> String {
        match self {
            Cleaning::Transformers => text.to_owned(), // its tokenizer normalizes
            Cleaning::Lowercase => text.to_lowercase(),
            Cleaning::Siglip => collapsed(&without_punctuation(&text.to_lowercase())),
            Cleaning::OpenAi | Cleaning::OpenClip(Form::Lower) => {
                collapsed(&repaired(text)).to_lowercase()
            }
            Cleaning::OpenClip(Form::Whitespace) => collapsed(&repaired(text)),
            Cleaning::OpenClip(Form::Canonicalize) => {
                let text = without_punctuation(&repaired(text).replace('_', " "));
                collapsed(&text.to_lowercase())
            }
        }
    }
}

/// Returns the text with ftfy's repairs and without HTML character references.
fn repaired(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let text = ftfy::fix_text(text);
    Cow::Owned(html::unescape(&html::unescape(&text)).into_owned())
}

/// Removes the characters of Python's `string.punctuation`.
fn without_punctuation(text: &str) -> String {
    text.replace(|c: char| c.is_ascii_punctuation(), "")
}

/// Returns whether neither a text, nor a part of it, nor its concatenation with other plain
/// texts needs repair: printable ASCII and white space, without `&`.
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

/// Compiles a regular expression of this module. The tests cover that each is valid.
fn pattern(expression: impl AsRef<str>) -> Option<Regex> {
    Regex::new(expression.as_ref()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for cleaning in TextCleaning::ALL {
            assert_eq!(cleaning.to_string().parse::<TextCleaning>().unwrap(), cleaning);
        }
        let error = "ftfy".parse::<TextCleaning>().unwrap_err().to_string();
        assert_eq!(error, "--text-cleaning: name: expected auto, openai, transformers, found ftfy");
    }

    /// The expected values are those of open_clip 3.3's `get_clean_fn`.
    #[test]
    fn each_form_agrees_with_open_clip() {
        let text = " A&nbsp;B_c,  \u{201c}D\u{201d}\u{1c}\u{a0}\u{1e9e} ";
        for (form, expected) in [
            (Form::Whitespace, "A B_c, \"D\" \u{1e9e}"),
            (Form::Lower, "a b_c, \"d\" \u{df}"),
            (Form::Canonicalize, "a b c d \u{df}"),
        ] {
            assert_eq!(Cleaning::OpenClip(form).clean(text), expected, "{form:?}");
        }
        assert_eq!(Cleaning::OpenAi.clean(text), "a b_c, \"d\" \u{df}");
        let siglip = Cleaning::Siglip.clean(" A&nbsp;B_c,  D\u{1c}\u{a0}\u{1e9e} ");
        assert_eq!(siglip, "anbspbc d \u{df}"); // SiglipTokenizer of transformers 5.24
    }

    /// The shortcut for plain text changes nothing.
    #[test]
    fn plain_text_needs_no_repair() {
        let all: String = ('\0'..='\u{ff}').filter(|c| is_plain(&c.to_string())).collect();
        assert_eq!(all.len(), 97);
        assert_eq!(collapsed(&ftfy::fix_text(&all)), collapsed(&all));
        assert_eq!(html::unescape(&all), all);
    }
}
