//! Detects text that was decoded with the wrong encoding: `ftfy/badness.py`.

use std::sync::LazyLock;

use regex::Regex;

use super::characters::*;
use super::pattern;

/// `BADNESS_RE`: sequences of characters that are unlikely in correctly decoded text. `\w` and
/// `\s` are those of Python.
static BAD_PAIRS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const WORD: &str = r"\p{L}\p{N}_";
    const SPACE: &str = r"\s\x1c-\x1f";
    let accented = [LOWER_ACCENTED, UPPER_ACCENTED].concat();
    let punctuation = [START_PUNCTUATION, END_PUNCTUATION].concat();
    let marks = [BOX, &punctuation, CURRENCY, NUMERIC, LAW].concat();
    let alternatives = [
        format!("[{C1}]"),
        format!("[{BAD}{accented}{marks}][{BAD}]"),
        format!("[a-zA-Z][{LOWER_COMMON}{UPPER_COMMON}][{BAD}]"),
        format!("[{BAD}][{accented}{marks}]"),
        format!(
            "[{LOWER_ACCENTED}{LOWER_COMMON}{BOX}{END_PUNCTUATION}{CURRENCY}{NUMERIC}][{UPPER_ACCENTED}]"
        ),
        format!("[{BOX}{END_PUNCTUATION}{CURRENCY}{NUMERIC}][{LOWER_ACCENTED}]"),
        format!("[{LOWER_ACCENTED}{BOX}{END_PUNCTUATION}][{CURRENCY}]"),
        format!("[{SPACE}][{UPPER_ACCENTED}][{CURRENCY}]"),
        format!("[{UPPER_ACCENTED}{BOX}][{NUMERIC}{LAW}]"),
        format!("[{accented}{BOX}{CURRENCY}{END_PUNCTUATION}][{START_PUNCTUATION}][{NUMERIC}]"),
        format!(
            "[{accented}{CURRENCY}{NUMERIC}{BOX}{LAW}][{END_PUNCTUATION}][{START_PUNCTUATION}]"
        ),
        format!("[{CURRENCY}{NUMERIC}{BOX}][{START_PUNCTUATION}]"),
        format!("[a-z][{UPPER_ACCENTED}][{START_PUNCTUATION}{CURRENCY}]"),
        format!("[{BOX}][{KAOMOJI}]"),
        format!("[{accented}{CURRENCY}{NUMERIC}{punctuation}{LAW}][{BOX}]"),
        format!("[{BOX}][{END_PUNCTUATION}]"),
        format!("[{accented}][{punctuation}][{WORD}]"),
        // The ligature œ when no plain Latin letter follows.
        "[Œœ][^A-Za-z]".to_owned(),
        // Degree signs after capital letters.
        format!("[{UPPER_ACCENTED}]°"),
        // Windows-1252, two characters.
        format!(r"[ÂÃÎÐ][€œŠš¢£Ÿž\xa0\xad®©°·»{punctuation}–—´]"),
        "×[²³]".to_owned(),
        // Windows-1252 of Arabic words.
        format!("(?:[ØÙ][{COMMON}{CURRENCY}{BAD}{NUMERIC}{START_PUNCTUATION}ŸŠ®°µ»]){{2}}"),
        // Windows-1252 of some South Asian alphabets.
        "à[²µ¹¼½¾]".to_owned(),
        // MacRoman.
        "√[±∂†≠®™´≤≥¥µø]|≈[°¢]|‚Ä[ìîïòôúùû†°¢π]|‚[âó][àä°ê]".to_owned(),
        // Windows-1251 of U+2000 and on; of Latin-1 and Cyrillic, three characters; and of
        // Windows-1252 decoded as Latin-1, five.
        "вЂ".to_owned(),
        format!("[ВГРС][{C1}{BAD}{punctuation}{CURRENCY}°µ][ВГРС]"),
        "ГўВЂВ.[A-Za-z ]".to_owned(),
        // Windows-1252 of à, á and U+A0.
        format!(r"Ã[\xa0¡]|[a-z][{SPACE}]?[ÃÂ][ ]|^[ÃÂ][ ]"),
        // Â, the first byte of the character after it.
        format!("[a-z.,?!{END_PUNCTUATION}]Â[ {punctuation}]"),
        // Windows-1253.
        r"β€[™\xa0Ά\xad®°]".to_owned(),
        format!("[ΒΓΞΟ][{C1}{BAD}{punctuation}{CURRENCY}°][ΒΓΞΟ]"),
        // Windows-1257.
        "ā€".to_owned(),
    ];
    pattern(alternatives.join("|"))
});

/// Returns whether the text was probably decoded with the wrong encoding.
pub(super) fn is_bad(text: &str) -> bool {
    BAD_PAIRS.as_ref().is_some_and(|bad| bad.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of ftfy 6.3.1's `is_bad`.
    #[test]
    fn unlikely_sequences_are_detected() {
        for (text, expected) in [
            ("", false),
            ("caf\u{e9}", false),
            ("\u{201c}quoted\u{201d}", false),
            ("Jos\u{e9} Mu\u{f1}oz", false),
            ("\u{65e5}\u{672c}", false),
            ("\u{c3}\u{a9}", true),
            ("a\u{85}", true),
            ("\u{e2}\u{20ac}\u{2122}", true),
            ("\u{c3} la", true),
            ("a\u{c3} la", true),
            ("A\u{c3}", false),
            ("\u{1c}\u{c0}\u{20ac}", true),
        ] {
            assert_eq!(is_bad(text), expected, "{text:?}");
        }
    }
}
