//! Findings of a dictionary as messages.

use super::Logger;
use crate::{Dictionary, Finding, FindingKind};

/// Logs what was noticed in a dictionary, a line each, at most `limit`; then how many
/// more there are. A quiet logger prints them too.
pub fn log_findings(dictionary: &Dictionary, limit: usize, logger: &Logger) {
    let path = dictionary.path().display();
    let findings = dictionary.findings();
    for finding in findings.iter().take(limit) {
        logger.warn(format_args!("{path}: {finding}"));
    }
    let count = |finding: &Finding| match finding.kind {
        FindingKind::More { count } => count,
        _ => 1,
    };
    match findings.iter().skip(limit).map(count).sum::<usize>() {
        0 => {}
        more if limit == 0 => logger.warn(format_args!("{path}: {more} findings")),
        more => logger.warn(format_args!("{path}: {more} more findings")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn logged(dictionary: &Dictionary, limit: usize) -> String {
        let logger = Logger::in_memory(true);
        log_findings(dictionary, limit, &logger);
        logger.messages()
    }

    #[test]
    fn findings_are_listed_up_to_the_limit_and_then_counted() {
        let dictionary = Dictionary::parse(Path::new("x.txt"), b"a\n\n\n\n").unwrap();
        assert_eq!(logged(&dictionary, 9).lines().count(), 3);
        let listed = "x.txt: line 2: blank, left out\nx.txt: 2 more findings\n";
        assert_eq!(logged(&dictionary, 1), listed);
        assert_eq!(logged(&dictionary, 0), "x.txt: 3 findings\n");
    }

    #[test]
    fn path_is_escaped() {
        // The file's own name is the table's and is checked.
        let path = Path::new("a\nerror: \u{1b}[2J.txt/x.txt");
        let dictionary = Dictionary::parse(path, b"a\n\n").unwrap();
        let expected = "a\\nerror: \\u{1b}[2J.txt/x.txt: line 2: blank, left out\n";
        assert_eq!(logged(&dictionary, 9), expected);
    }
}
