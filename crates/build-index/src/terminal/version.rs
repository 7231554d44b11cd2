//! What `--version` prints: version, commit, features and kernels.

use std::fmt::Write;

use clap::Command;
use interrogate::models::HAS_STARTER;
use interrogate::{Precision, rank};

/// Makes `--version` print the commit, the features and the kernels as well; `-V` still
/// prints the version alone.
///
/// The kernels are those of this processor: do not write a manual page from the result.
pub fn with_long_version(command: Command) -> Command {
    let text = long_version(command.get_version().unwrap_or_default(), option_env!("COMMIT"));
    command.long_version(&*text.leak()) // clap takes strings that live as long as the program
}

fn long_version(version: &str, commit: Option<&str>) -> String {
    let mut text = version.to_owned();
    if let Some(commit) = commit {
        let _ = write!(text, "\ncommit: {commit}");
    }
    let _ = write!(text, "\nfeatures: {}\nkernels: {}", features(), kernels());
    text
}

/// The features of this build. A build without the starter's weights has no starter.
fn features() -> String {
    let all = [
        ("starter", HAS_STARTER),
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
    ];
    let names: Vec<&str> = all.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The kernels that the library selects on this processor.
pub fn kernels() -> String {
    let (f32, bf16) = (Precision::F32.kernel(), Precision::Bf16.kernel());
    format!("products {f32}, in bf16 {bf16}, codes {}", rank::codes::kernel())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_those_of_the_library() {
        let found = kernels();
        let names = ["portable", "avx2", "avx512", "avx512bf16", "amx"];
        let f32 = found.strip_prefix("products ").and_then(|rest| rest.split_once(", in bf16 "));
        let (f32, rest) = f32.expect("products come first");
        let (bf16, codes) = rest.split_once(", codes ").expect("codes come last");
        assert!(names.contains(&f32) && names.contains(&bf16), "{found}");
        assert_eq!(codes, rank::codes::kernel());
        // Kernels for bf16 pairs are for bf16 only; those for tiles, for bf16 or both.
        assert!(f32 != "avx512bf16" && (f32 != "amx" || bf16 == "amx"), "{found}");
    }

    #[test]
    fn commit_is_left_out_if_unknown() {
        let rest = format!("features: {}\nkernels: {}", features(), kernels());
        assert_eq!(long_version("1.2.3", None), format!("1.2.3\n{rest}"));
        assert_eq!(long_version("1.2.3", Some("abc")), format!("1.2.3\ncommit: abc\n{rest}"));
    }

    #[test]
    fn short_version_is_the_version_alone() {
        let command = || with_long_version(Command::new("x").version("1.2.3"));
        let asked = |flag: &str| command().try_get_matches_from(["x", flag]).unwrap_err();
        assert_eq!(asked("-V").to_string(), "x 1.2.3\n");
        assert!(asked("--version").to_string().starts_with("x 1.2.3\n"));
        assert!(asked("--version").to_string().contains("\nkernels: products "));
    }
}
