//! The claims of SECURITY.md about the code: where `unsafe` and network code are, how many
//! panics the libraries have, and the limits.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// The Rust files below `folder`, which is relative to the repository.
pub(crate) fn rust(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![repository().join(folder)];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder}");
    found
}

/// A path as SECURITY.md writes it.
fn name(path: &Path) -> String {
    let inside = path.strip_prefix(repository()).unwrap();
    inside.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The lines of code of a file: without comments, and without its unit tests.
pub(crate) fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let tests = |pair: &[&str]| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].trim().starts_with("mod tests {")
    };
    let end = lines.windows(2).position(tests).unwrap_or(lines.len());
    lines[..end].iter().map(|line| line.split("//").next().unwrap().to_owned()).collect()
}

/// Files of unit tests alone.
pub(crate) fn is_test(path: &Path) -> bool {
    let is_test_file =
        path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    // The folders above the repository do not count.
    let inside = path.strip_prefix(repository()).unwrap();
    is_test_file || inside.components().any(|part| part.as_os_str() == "tests")
}

/// The paths of SECURITY.md's list under `heading`.
fn list_of_security_md(heading: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let (_, section) = text.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let item = |line: &str| Some(line.strip_prefix("- `")?.split('`').next()?.to_owned());
    let mut paths: Vec<String> = section.lines().filter_map(item).collect();
    paths.sort();
    paths
}

/// The files of `all` whose code contains one of `words`.
fn containing(all: &[PathBuf], words: &[&str]) -> Vec<String> {
    let contains = |path: &&PathBuf| {
        code(path).iter().any(|line| words.iter().any(|word| line.contains(word)))
    };
    all.iter().filter(|path| !is_test(path)).filter(contains).map(|path| name(path)).collect()
}

/// A file that gets its first `unsafe` code or loses its last must be added to the list, with
/// the reason, or removed from it.
#[test]
fn unsafe_code_is_only_in_files_listed_in_security_md() {
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"];
    let mut found = containing(&[rust("crates"), rust("python/src")].concat(), &words);
    found.sort();
    assert_eq!(found, list_of_security_md("Unsafe code"));
}

#[test]
fn network_code_is_only_in_files_listed_in_security_md() {
    let words = ["ureq::", "hf_hub::", "std::net", "TcpStream", "UdpSocket", "UnixStream"];
    let mut found = containing(&rust("crates"), &words);
    found.sort();
    assert_eq!(found, list_of_security_md("Network"));
}

/// At most one line in two thousand of the libraries.
#[test]
fn unwraps_outside_tests_are_counted() {
    for library in ["crates/interrogate/src", "crates/build-index/src"] {
        let (mut lines, mut found) = (0, Vec::new());
        for path in rust(library).iter().filter(|path| !is_test(path)) {
            let code = code(path);
            lines += code.len();
            let panics = |line: &&String| {
                let once = |word: &str| line.contains(word);
                once(".unwrap()")
                    || once("todo!(")
                    || once("unimplemented!(")
                    || once(".expect(\"")
                    || once("panic!(")
            };
            found.extend(code.iter().filter(panics).map(|line| (name(path), line.clone())));
        }
        assert!(lines > 3000, "{library}: {lines} lines");
        assert!(found.len() * 2000 <= lines, "{library}: {found:#?}");
    }
}

/// A number as SECURITY.md writes it: `64 KiB`, `1,000`.
fn parse_stated(number: &str) -> u64 {
    let (digits, unit) = number.split_once(' ').unwrap_or((number, ""));
    let shift = match unit {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        unit => panic!("{unit}"),
    };
    digits.replace(',', "").parse::<u64>().unwrap() << shift
}

/// A number as limits.rs writes it: `64 << 10`, `178_956_970`.
fn parse_literal(number: &str) -> u64 {
    let parse = |number: &str| number.trim().replace('_', "").parse::<u64>().unwrap();
    match number.split_once("<<") {
        Some((number, shift)) => parse(number) << parse(shift),
        None => parse(number),
    }
}

#[test]
fn security_md_states_every_limit() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let code = read("crates/interrogate/src/limits.rs");
    let constant = |line: &str| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
        let (_, number) = rest.strip_suffix(';')?.split_once(" = ")?;
        Some((name.to_owned(), parse_literal(number)))
    };
    let limits: Vec<_> = code.lines().filter_map(constant).collect();
    assert_eq!(limits.len(), code.matches("pub const ").count());

    let policy = read("SECURITY.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        Some((name, parse_stated(cells.next()?)))
    };
    let rows: Vec<_> = policy.lines().filter_map(row).collect();
    assert_eq!(rows, limits);
}
