//! Away from a clone: where dictionaries and indexes are found, and what is said without a place
//! for them.

use std::fs;

use crate::run::{Folder, repository};

/// A folder without `indexes/`.
fn folder() -> Folder {
    let folder = Folder::new();
    fs::remove_dir(folder.path("indexes")).unwrap();
    folder
}

fn quick() -> String {
    repository().join("tests/fixtures/clip/quick").to_str().unwrap().to_owned()
}

const USER: &str = "user/data/interrogate/indexes";

#[test]
fn first_run_in_an_empty_folder_uses_embedded_dictionaries_and_the_users_folder() {
    let folder = folder();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    let model = quick();
    let args = ["rank", "photos/cat.jpg", "--model", &model, "-k", "1", "--table", "mediums"];
    let first = folder.run(&args).expect(0);
    assert!(first.stderr().contains("/interrogate/indexes/quick from the embedded dictionaries"));
    assert!(folder.path(USER).join("quick/manifest.json").is_file());
    assert!(!folder.path("indexes").exists() && !folder.path("user/home").exists());
    // From another folder the same index is used.
    fs::create_dir(folder.path("elsewhere")).unwrap();
    let mut second =
        folder.command(&["rank", "../photos/cat.jpg", "-k", "1", "--table", "mediums"]);
    let second = second.current_dir(folder.path("elsewhere")).output().unwrap();
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert_eq!((second.status.code(), stderr.contains("building")), (Some(0), false), "{stderr}");
    let stdout = String::from_utf8(second.stdout).unwrap();
    assert_eq!(stdout.lines().nth(1), first.stdout().lines().nth(1));
    let doctor = folder.run(&["doctor", "--format", "jsonl"]).expect(0).rows();
    let flavors = doctor.iter().find(|row| row["name"] == "flavors").unwrap();
    assert_eq!(flavors["detail"], "100954 labels, compiled in, 19 lines with warnings");
}

#[test]
fn index_of_the_working_folder_comes_first() {
    let folder = folder();
    let path_of = |output: &str| output.split(": whole").next().unwrap().to_owned();
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    let user = folder.path(USER).join("starter").to_str().unwrap().to_owned();
    assert_eq!(path_of(folder.run(&["verify"]).expect(0).stdout()), user);
    // An empty indexes/ does not hide the user's, and new indexes go into it.
    fs::create_dir(folder.path("indexes")).unwrap();
    let again = folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    assert!(!again.stderr().contains("building"), "{}", again.stderr());
    let output = folder.run(&["rank", "photos/cat.jpg", "--model", &quick()]).expect(0);
    assert!(output.stderr().contains("building indexes/quick from dicts"), "{}", output.stderr());
    assert_eq!(path_of(folder.run(&["verify"]).expect(0).stdout()), "indexes/quick");
    // The model decides before the folder does.
    let output = folder.run(&["rank", "photos/cat.jpg", "--model", "starter"]).expect(0);
    assert!(!output.stderr().contains("building"), "{}", output.stderr());
    let by_option = folder.run(&["verify", "--index", &user]).expect(0);
    assert_eq!(path_of(by_option.stdout()), user);
}

#[test]
fn option_names_other_dictionaries() {
    let folder = folder();
    folder.write("mine/mediums.txt", "a mosaic\n");
    let args = ["rank", "photos/cat.jpg", "--table", "mediums", "--dicts", "mine"];
    assert!(folder.run(&args).expect(0).stdout().contains("a mosaic"));
    let gone = ["rank", "photos/cat.jpg", "--model", &quick(), "--dicts", "gone"];
    let output = folder.run(&gone).expect(2);
    assert!(output.stderr().contains("error: cannot read gone: "), "{}", output.stderr());
}

#[cfg(unix)]
#[test]
fn missing_home_folder_is_named_with_what_to_do() {
    let folder = folder();
    let run = |args: &[&str]| {
        let mut command = folder.command(args);
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (args, variable) in [
        (&["rank", "photos/cat.jpg"][..], "XDG_DATA_HOME"),
        (&["config"], "XDG_CONFIG_HOME"),
        (&["setup", "starter"], "XDG_CONFIG_HOME"),
        (&["info"], "XDG_DATA_HOME"),
    ] {
        let (code, stderr) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        let expected = "error: no home folder: the variable HOME is not set\nhint: set HOME";
        assert!(stderr.contains(expected) && stderr.contains(variable), "{args:?}: {stderr}");
    }
    // What needs none works.
    assert_eq!(run(&["doctor"]).0, Some(0));
    assert_eq!(run(&["models"]).0, Some(0));
    fs::create_dir(folder.path("indexes")).unwrap();
    assert_eq!(run(&["rank", "photos/cat.jpg"]).0, Some(0));
    assert!(folder.path("indexes/starter/manifest.json").is_file());
}

#[test]
fn folder_that_cannot_be_written_is_named_with_what_to_do() {
    let folder = folder();
    // Files where folders would be: refused for every user, root included.
    let linux = cfg!(target_os = "linux");
    for (file, args, hint) in [
        (
            "data",
            &["rank", "photos/cat.jpg"][..],
            "create the folder indexes in the working folder",
        ),
        ("config", &["setup", "starter"], if linux { "set XDG_CONFIG_HOME" } else { "change" }),
    ] {
        folder.write(&format!("user/{file}"), "");
        let output = folder.run(args).expect(2);
        let stderr = output.stderr();
        assert!(stderr.contains("error: cannot ") && stderr.contains(hint), "{args:?}: {stderr}");
        fs::remove_file(folder.path(&format!("user/{file}"))).unwrap();
    }
}

#[test]
fn names_of_clip_interrogator_are_aliases() {
    let folder = Folder::new();
    let (clip, blip) = (quick(), repository().join("tests/fixtures/caption/blip"));
    let blip = blip.to_str().unwrap();
    let run = |args: &[&str]| folder.run(&[&["prompt", "photos/cat.jpg"], args].concat()).expect(0);
    let ours = run(&["--model", &clip, "--caption-model", blip, "--max-length", "6"]);
    let names = ["--clip-model-name", &clip, "--caption-model-name", blip];
    let theirs = run(&[&names[..], &["--caption-max-length", "6"]].concat());
    assert_eq!(theirs.stdout(), ours.stdout());
    assert_eq!(
        run(&["--clip", &clip, "--data-path", "dicts"]).stdout(),
        run(&["--model", &clip]).stdout()
    );
    let help = folder.run(&["prompt", "--help"]).expect(0);
    assert!(!help.stdout().contains("clip-model-name"), "aliases are hidden");
}

#[test]
fn default_device_is_auto_and_silent_without_a_gpu_in_the_build() {
    let folder = Folder::new();
    let run =
        |device: &[&str]| folder.run(&[&["embed", "texts", "a cat"], device].concat()).expect(0);
    let (default, auto, cpu) = (run(&[]), run(&["--device", "auto"]), run(&["--device", "cpu"]));
    assert!(default.stdout() == auto.stdout() && auto.stdout() == cpu.stdout());
    if !cfg!(any(feature = "cuda", feature = "metal")) {
        assert!(!auto.stderr().contains("device"), "{}", auto.stderr());
    }
}
