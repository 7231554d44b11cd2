//! The `build-index` binary: what it prints where, and its exit codes.

use std::fs;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_build-index")).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_says_what_it_does_and_succeeds() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("name.topN.txt") && help.contains("--shard-rows"), "{help}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [&[][..], &["dicts"], &["dicts", "-o", "x", "--shard-rows", "0"], &["--nonsense"]] {
        let output = run(args);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &[][..]), "{args:?}");
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
}

#[test]
fn a_missing_folder_is_exit_code_2_with_path_cause_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("dicts");
    let output = run(&[missing.to_str().unwrap(), "-o", folder.path().to_str().unwrap()]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &[][..]));
    let said = stderr(&output);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], format!("error: cannot read {}", missing.display()));
    assert!(lines[1].starts_with("  cause: "), "{said}");
    assert!(lines[2].starts_with("hint: check the spelling"), "{said}");
}

#[test]
fn a_dictionary_of_blank_lines_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "\n \n").unwrap();
    let path = folder.path().to_str().unwrap();
    let output = run(&[path, "-o", path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("a.txt: 2 of 2 lines left out"), "{}", stderr(&output));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_the_build_has_not_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "a cat\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let output = run(&[path, "-o", path, "--device", "cuda"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("error: cuda:0 was asked for and this build has no cuda\n"), "{said}");
    assert!(said.contains("--features cuda"), "{said}");
}
