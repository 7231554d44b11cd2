use std::fs;
use std::process::Stdio;
use std::thread::sleep;
#[cfg(unix)]
use std::time::Duration;
use std::time::Instant;

use crate::run::{Folder, repository};
use crate::user_folders::isolate;

/// Number of images: enough that a run can be interrupted.
const IMAGES: usize = 60;

/// Creates a folder of small images, some of them invalid. Returns it and the arguments that
/// embed the images with the smallest model.
fn folder() -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let photo = fs::read(folder.path("photos/coffee.jpg")).unwrap();
    for image in 0..IMAGES {
        let bytes = if image % 9 == 4 { b"no image" } else { &photo[..] };
        folder.write(&format!("many/{image:03}.jpg"), bytes);
    }
    let model = repository().join("tests/fixtures/clip/quick").to_str().unwrap().to_owned();
    let args = ["embed", "images", "many", "--batch-size", "4", "--model", &model, "-o"];
    (folder, args.map(str::to_owned).to_vec())
}

fn with<'a>(args: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    args.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn run_killed_anywhere_resumes_to_the_same_bytes() {
    let (folder, args) = folder();
    for ending in ["jsonl", "csv"] {
        let (whole, out) = (format!("whole.{ending}"), format!("out.{ending}"));
        let started = Instant::now();
        folder.run(&with(&args, &[&whole])).expect(1);
        let spent = started.elapsed();
        let whole = fs::read(folder.path(&whole)).unwrap();
        let (mut kills, mut complete) = (0, 0);
        loop {
            let mut command = folder.command(&with(&args, &[&out, "--resume"]));
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            sleep(spent.mul_f64(0.15 + 0.07 * f64::from(kills % 8)));
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(1));
                break;
            }
            child.kill().unwrap(); // SIGKILL, which cannot be handled
            child.wait().unwrap();
            kills += 1;
            let so_far = fs::read(folder.path(&out)).unwrap_or_default();
            assert!(whole.starts_with(&so_far), "{ending}: the output is a prefix of the whole");
            let lines = so_far.iter().filter(|&&byte| byte == b'\n').count();
            assert!(lines >= complete, "{ending}: no written row is lost");
            complete = lines;
            assert!(kills < 200, "{ending}: the run completes");
        }
        assert_eq!(fs::read(folder.path(&out)).unwrap(), whole, "{ending} after {kills} kills");
        assert!(kills > 0, "{ending}");
    }
}

#[test]
fn output_truncated_anywhere_is_resumed() {
    let (folder, args) = folder();
    for ending in ["jsonl", "csv"] {
        let (whole, out) = (format!("whole.{ending}"), format!("out.{ending}"));
        folder.run(&with(&args, &[&whole])).expect(1);
        let whole = fs::read(folder.path(&whole)).unwrap();
        for end in [0, 1, 9, whole.len() / 3, whole.len() - 1, whole.len()] {
            folder.write(&out, &whole[..end]);
            let output = folder.run(&with(&args, &[&out, "--resume"])).expect(1);
            assert_eq!(fs::read(folder.path(&out)).unwrap(), whole, "{ending} cut at {end}");
            // Earlier failures are counted.
            assert!(output.stderr().contains("7 of 60 images failed"), "{}", output.stderr());
        }
    }
}

#[test]
fn output_of_another_command_is_not_resumed() {
    let folder = Folder::new();
    for ending in ["jsonl", "csv"] {
        let out = format!("out.{ending}");
        folder.run(&["rank", "photos", "-o", &out]).expect(0);
        let before = fs::read(folder.path(&out)).unwrap();
        let output = folder.run(&["prompt", "photos", "-o", &out, "--resume"]).expect(2);
        assert!(
            output.stderr().contains(&format!("{out}: line 1: expected ")),
            "{}",
            output.stderr()
        );
        assert!(output.stderr().contains("hint: pass --resume with a file of the same command"));
        assert_eq!(fs::read(folder.path(&out)).unwrap(), before);
    }
}

#[test]
#[cfg(unix)]
fn interrupt_finishes_the_batch_and_prints_the_resume_command() {
    crate::default_signals::restore();
    let (folder, args) = folder();
    folder.run(&with(&args, &["whole.jsonl"])).expect(1);
    let whole = fs::read(folder.path("whole.jsonl")).unwrap();
    let mut command = folder.command(&with(&args, &["out.jsonl"]));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let out = folder.path("out.jsonl");
    // The handlers are set before the first row is written.
    while fs::metadata(&out).map_or(0, |file| file.len()) == 0 {
        sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let so_far = fs::read(&out).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(whole.starts_with(&so_far) && so_far.last() == Some(&b'\n'));
    assert!(so_far.len() < whole.len(), "it stopped before the end");
    assert!(stderr.contains("stopping after the current batch"), "{stderr}");
    let resume = stderr.split("interrupted: continue with\n  ").nth(1);
    let resume = resume.unwrap_or_else(|| panic!("{stderr}"));
    // The printed command resumes the run.
    let mut shell = std::process::Command::new("sh");
    isolate(&mut shell, &folder.path(""));
    let shell =
        shell.current_dir(folder.path("")).args(["-c", resume.trim()]).stderr(Stdio::null());
    assert_eq!(shell.status().unwrap().code(), Some(1), "{resume}");
    assert_eq!(fs::read(&out).unwrap(), whole);
}

/// A ranking of many labels is one row, which may have megabytes.
#[test]
fn long_rows_and_trailing_zeros_are_resumed() {
    let (folder, args) = folder();
    folder.run(&with(&args, &["whole.csv"])).expect(1);
    let whole = fs::read_to_string(folder.path("whole.csv")).unwrap();
    let (first, rest) = whole.split_once("many/001.jpg").unwrap();
    // The first row, made longer: existing rows are kept unchanged.
    let long = format!("[{}", "0.25,".repeat(1 << 20));
    let long = format!("{}many/001.jpg{rest}", first.replacen('[', &long, 1));
    let cut = long.find("many/002.jpg").unwrap() + 5;
    folder.write("out.csv", &long[..cut]);
    let file = fs::File::options().write(true).open(folder.path("out.csv")).unwrap();
    file.set_len(1 << 28).unwrap(); // sparse
    folder.run(&with(&args, &["out.csv", "--resume"])).expect(1);
    assert!(fs::read_to_string(folder.path("out.csv")).unwrap() == long);
}

#[test]
fn retry_failed_replaces_the_error_rows() {
    let (folder, args) = folder();
    let photo = fs::read(folder.path("photos/coffee.jpg")).unwrap();
    folder.run(&with(&args, &["out.jsonl"])).expect(1);
    folder.run(&with(&args, &["out.csv"])).expect(1);
    let output = folder.run(&with(&args, &["out.csv", "--retry-failed"])).expect(2);
    assert!(output.stderr().contains("--resume"), "{}", output.stderr());
    // All but one are repaired.
    for image in (4..IMAGES).step_by(9).skip(1) {
        folder.write(&format!("many/{image:03}.jpg"), &photo);
    }
    for name in ["out.jsonl", "out.csv"] {
        let output = folder.run(&with(&args, &[name, "--resume"])).expect(1);
        let expected =
            "7 of 60 images failed, 7 of them in earlier runs: --retry-failed tries them again";
        assert!(output.stderr().contains(expected), "{}", output.stderr());
        let before = fs::read_to_string(folder.path(name)).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::symlink(name, folder.path(&format!("link-{name}"))).unwrap();
        }
        let path = if cfg!(unix) { format!("link-{name}") } else { name.to_owned() };
        let output = folder.run(&with(&args, &[&path, "--resume", "--retry-failed"])).expect(1);
        assert!(output.stderr().contains("1 of 60 images failed\n"), "{}", output.stderr());
        assert!(output.stderr().contains("7 images in "), "{}", output.stderr());
        let after = fs::read_to_string(folder.path(name)).unwrap();
        assert_eq!(after.lines().count(), before.lines().count());
        let failed =
            |text: &str| text.lines().filter(|line| line.contains("is not an image")).count();
        assert_eq!((failed(&before), failed(&after)), (7, 1), "{name}");
        for image in 0..IMAGES {
            let image = format!("many/{image:03}.jpg");
            let rows = after.lines().filter(|line| {
                line.contains(&format!("{image}\"")) || line.starts_with(&format!("{image},"))
            });
            assert!(rows.count() >= 1, "{name}: {image}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let kind = fs::symlink_metadata(folder.path(&path)).unwrap();
            assert!(kind.is_symlink(), "the target of the link is written");
            let mode = fs::metadata(folder.path(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
