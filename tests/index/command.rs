//! The `build-index` binary: its output, its streams and its exit codes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::user_folders::isolate;

/// The program, with user's folders that do not exist.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_build-index"));
    isolate(&mut command, Path::new(env!("CARGO_TARGET_TMPDIR")));
    command
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_describes_the_program_and_succeeds() {
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
fn missing_folder_is_exit_code_2_with_path_cause_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("dicts");
    let output = run(&[missing.to_str().unwrap(), "-o", folder.path().to_str().unwrap()]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &[][..]));
    let stderr = stderr(&output);
    let lines: Vec<_> = stderr.lines().collect();
    assert!(
        lines[0].starts_with(&format!("error: cannot read {}: ", missing.display())),
        "{stderr}"
    );
    assert!(lines[1].starts_with("hint: check the spelling"), "{stderr}");
}

#[test]
fn dictionary_of_blank_lines_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "\n \n").unwrap();
    let path = folder.path().to_str().unwrap();
    let output = run(&[path, "-o", path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("a.txt: 2 of 2 lines left out"), "{}", stderr(&output));
}

/// Parts with the starter, encoded and merged by the program; the second has no label.
#[test]
fn parts_are_merged_to_the_index_of_one_build() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("a.txt"), "a cat\na dog\n").unwrap();
    let (dicts, parts, merged, whole) = (at("a.txt"), at("parts"), at("merged"), at("whole"));
    let succeed = |args: &[&str]| {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    let fail = |args: &[&str], expected: &str, hint: &str| {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2));
        let stderr = stderr(&output);
        assert!(stderr.contains(expected) && stderr.contains(hint), "{stderr}");
    };
    succeed(&[&dicts, "-o", &whole]);
    let report = succeed(&[&dicts, "-o", &parts, "--part", "1/2"]);
    assert!(report.contains("labels   2 of 2 distinct ones: 2 encoded"), "{report}");
    let merge = ["merge", &parts, "--dicts", &dicts, "-o", &merged];
    fail(&merge, "error: missing part 2 of 2\n", "--part 2/2");
    succeed(&[&dicts, "-o", &parts, "--part", "2/2"]);
    fail(&["merge", &parts, "-o", &merged], "dictionary ", "--dicts");
    let report = succeed(&merge);
    assert!(report.contains(", 2 from parts\n"), "{report}");
    let folder = |root: &str| crate::files(&Path::new(root).join("starter"));
    assert_eq!(folder(&merged), folder(&whole));
    fail(&[&dicts, "-o", &parts, "--part", "3/2"], "1 <= K <= N <= 4096", "3/2");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn missing_device_feature_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "a cat\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let output = run(&[path, "-o", path, "--device", "cuda"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = stderr(&output);
    assert!(stderr.contains("error: cuda:0 needs a build with the `cuda` feature\n"), "{stderr}");
    assert!(stderr.contains("--features cuda"), "{stderr}");
}

/// Builds the shipped flavors with a small model, which takes seconds.
#[cfg(unix)]
fn build(output: &std::path::Path) -> Command {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = program();
    command.arg(repository.join("dicts/flavors.txt")).arg("-o").arg(output);
    command.arg("--model").arg(repository.join("tests/fixtures/clip/quick"));
    command
}

#[cfg(unix)]
#[test]
fn signal_ends_a_build_and_encoded_rows_are_kept() {
    crate::default_signals::restore();
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let output = folder.path().join(name);
        let mut command = build(&output);
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let journal = output.join("quick/build.journal");
        while fs::metadata(&journal).map_or(0, |file| file.len()) == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before the signal");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let killed = Command::new("kill").args([name, &child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let stderr = stderr(&ended);
        assert_eq!(ended.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains("run the same command again; encoded rows are kept"), "{stderr}");
        assert!(fs::metadata(&journal).unwrap().len() > 0);
        assert!(!output.join("quick/manifest.json").exists());
    }
}

/// The files of the index of a small model, from the shipped dictionaries.
fn shipped_index(
    folder: &Path,
    dictionaries: &[&str],
) -> std::collections::BTreeMap<String, Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut command = program();
    command.current_dir(folder).args(dictionaries).args(["-q", "-o", "out", "--model"]);
    let built = command.arg(fixtures.join("clip/quick")).output().unwrap();
    assert_eq!(built.status.code(), Some(0), "{}", stderr(&built));
    let files = fs::read_dir(folder.join("out/quick")).unwrap().map(|file| file.unwrap());
    let files = files.map(|file| (file.file_name().into_string().unwrap(), file.path()));
    let files = files.filter(|(name, _)| !name.ends_with(".lock"));
    files.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

#[test]
fn embedded_dictionaries_give_the_index_of_the_folder() {
    let dicts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dicts").canonicalize().unwrap();
    let [here, elsewhere, given] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    // dicts/ in the working folder, a folder that is named, and neither.
    fs::create_dir(here.path().join("dicts")).unwrap();
    fs::copy(dicts.join("mediums.txt"), here.path().join("dicts/mediums.txt")).unwrap();
    let here = shipped_index(here.path(), &[]);
    assert!(here.keys().all(|name| name == "manifest.json" || name.starts_with("mediums")));
    let embedded = shipped_index(elsewhere.path(), &[]);
    let read = shipped_index(given.path(), &[dicts.to_str().unwrap()]);
    assert!(embedded.len() > 12 && embedded.keys().eq(read.keys()), "{:?}", embedded.keys());
    for (name, bytes) in embedded {
        assert!(bytes == read[&name], "{name}");
    }
}

/// A file at the size limit is an error (EFBIG); SIGXFSZ does not end the process.
#[cfg(unix)]
#[test]
fn file_size_limit_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let build = build(folder.path());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 8; exec \"$0\" \"$@\""]).arg(build.get_program());
    let ended = shell.args(build.get_args()).output().unwrap();
    let stderr = stderr(&ended);
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("File too large"), "{stderr}");
}

/// Names of files, labels, models and arguments are escaped.
#[cfg(unix)]
#[test]
fn control_characters_are_escaped_on_terminals() {
    let evil = "evil\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{2066}\u{2028}";
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name.replace("EVIL", evil)).display().to_string();
    for (name, text) in [
        ("EVIL/a.txt", format!("{evil}\n\n{evil}\n")),
        ("named/EVIL.txt", "a\n".into()),
        ("c/x.safetensors", "x".into()),
    ] {
        fs::create_dir_all(std::path::Path::new(&path(name)).parent().unwrap()).unwrap();
        fs::write(path(name), text).unwrap();
    }
    let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/clip");
    std::os::unix::fs::symlink(model.join("quick"), path("model-EVIL")).unwrap();
    let (dicts, out, evil_model) = (path("EVIL"), path("out-EVIL"), path("model-EVIL"));
    for (args, code) in [
        (&[&*dicts, "-o", &out, "--model", &evil_model][..], 0),
        (&[&dicts, "-o", &out, "--model", evil], 2),
        (&[&dicts, "-o", &out, "--model", &dicts], 2),
        (&[&path("named"), "-o", &out], 2),
        (&[&path("gone-EVIL"), "-o", &out], 2),
        (&["import", &path("c"), &dicts, "-o", &out, "--model", &evil_model], 2),
        (&["export", &path("gone-EVIL"), &dicts, "-o", &out], 2),
        (&[&dicts, &format!("--{evil}")], 2),
    ] {
        let output = run(args);
        let printed = String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap();
        let is_control = |c: char| {
            c.is_control() && c != '\n' && c != '\t' || "\u{202e}\u{2066}\u{2028}".contains(c)
        };
        assert!(!printed.contains(is_control), "{args:?}: {printed:?}");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {printed}");
    }
}
