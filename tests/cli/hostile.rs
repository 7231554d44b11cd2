//! Hostile names and files in a folder of images.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::run::{Folder, repository};

/// Names of images as bytes, and as outputs print them: a byte that is not UTF-8 becomes
/// U+FFFD and its hex digits.
const NAMES: [(&[u8], &str); 15] = [
    (b"new\nline.jpg", "new\nline.jpg"),
    (b"carriage\r.jpg", "carriage\r.jpg"),
    (b"esc\x1b[31m\x07.jpg", "esc\x1b[31m\x07.jpg"),
    (b"tab\t.jpg", "tab\t.jpg"),
    (b"=1+1.jpg", "=1+1.jpg"),
    (b"+1.jpg", "+1.jpg"),
    (b"-1.jpg", "-1.jpg"),
    (b"@sum(a).jpg", "@sum(a).jpg"),
    (
        b"<img src=x onerror=document.title='attacked'>.jpg",
        "<img src=x onerror=document.title='attacked'>.jpg",
    ),
    (b"quote\"'`.jpg", "quote\"'`.jpg"),
    (b"comma, and; semicolon.jpg", "comma, and; semicolon.jpg"),
    (b"back\\slash.jpg", "back\\slash.jpg"),
    (b"\xfe.jpg", "\u{fffd}fe.jpg"),
    (b"\xff.jpg", "\u{fffd}ff.jpg"),
    (b"caf\xe9 \xc3\xa9.jpg", "caf\u{fffd}e9 é.jpg"),
];

/// [`NAMES`] and a name of the maximum length, sorted.
fn names() -> Vec<(OsString, String)> {
    let long = format!("{}.jpg", "x".repeat(251));
    let known = NAMES.map(|(name, text)| (OsStr::from_bytes(name).to_owned(), text.to_owned()));
    let mut names = known.to_vec();
    names.push((OsString::from(&long), long));
    names.sort();
    names
}

/// The names of the images in the outputs.
fn texts() -> Vec<String> {
    names().into_iter().map(|(_, text)| format!("photos/{text}")).collect()
}

fn folder() -> Folder {
    let folder = Folder::new();
    let photo = fs::read(folder.path("photos/coffee.jpg")).unwrap();
    fs::remove_dir_all(folder.path("photos")).unwrap();
    fs::create_dir(folder.path("photos")).unwrap();
    for (name, _) in names() {
        fs::write(folder.path("photos").join(name), &photo).unwrap();
    }
    folder
}

fn model() -> String {
    repository().join("tests/fixtures/clip/quick").to_str().unwrap().to_owned()
}

/// Runs the program; panics if it hangs.
#[track_caller]
pub(crate) fn run_to_end(folder: &Folder, args: &[&str]) -> Output {
    let (out, err) = (folder.path("stdout"), folder.path("stderr"));
    let mut command = folder.command(args);
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // A busy machine may stall the process for minutes.
        if start.elapsed() > Duration::from_secs(600) {
            child.kill().unwrap();
            panic!("the program hangs");
        }
        sleep(Duration::from_millis(5));
    };
    Output { status, stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() }
}

#[track_caller]
pub(crate) fn expect(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    stderr
}

#[test]
fn file_names_of_any_bytes_survive_every_output_format() {
    let (folder, model, texts) = (folder(), model(), texts());
    let run = |more: &[&str]| {
        let args = [&["prompt", "photos", "--model", &model], more].concat();
        let output = run_to_end(&folder, &args);
        expect(&output, 0);
        output
    };
    run(&["-o", "out.jsonl", "--sidecar", "--report", "out.html"]);
    let lines = fs::read_to_string(folder.path("out.jsonl")).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["image"].as_str().unwrap()).collect::<Vec<_>>(), texts);

    // CSV: cells are unchanged, even those that a spreadsheet reads as formulas.
    run(&["-o", "out.csv"]);
    let mut reader = csv::Reader::from_path(folder.path("out.csv")).unwrap();
    let cells: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(cells.iter().map(|row| &row[0]).collect::<Vec<_>>(), texts);
    assert!(cells.iter().all(|row| row[1] == *rows[0]["prompt"].as_str().unwrap()));

    run(&["-o", "out.parquet"]);
    let file = File::open(folder.path("out.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let images = reader.get_row_iter(None).unwrap().map(|row| {
        match row.unwrap().get_column_iter().next().unwrap().1 {
            Field::Str(image) => image.clone(),
            other => panic!("{other}"),
        }
    });
    assert_eq!(images.collect::<Vec<_>>(), texts);

    // Text: one line per image, without control characters.
    let output = run(&["-q"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), texts.len(), "{printed}");
    assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed:?}");
    assert!(printed.contains("photos/new\\nline.jpg: ") && printed.contains("esc\\u{1b}[31m"));

    for (name, _) in names() {
        let sidecar = folder.path("photos").join(Path::new(&name).with_extension("txt"));
        let expected = format!("{}\n", rows[0]["prompt"].as_str().unwrap());
        assert_eq!(fs::read_to_string(sidecar).unwrap(), expected);
    }
    let page = fs::read_to_string(folder.path("out.html")).unwrap();
    assert_eq!(page.matches("<li class=\"card\"").count(), texts.len());
    assert!(page.contains("&lt;img src=x onerror=document.title=&#39;attacked&#39;&gt;.jpg"));
    assert!(!page.contains("<img src=x"));
}

/// A resumed run distinguishes names that differ only in invalid bytes.
#[test]
fn run_resumes_after_any_hostile_name() {
    let (folder, model) = (folder(), model());
    for ending in ["jsonl", "csv"] {
        let out = format!("out.{ending}");
        let args = ["rank", "photos", "--model", &model, "-q", "-o", &out];
        folder.run(&args).expect(0);
        let whole = fs::read(folder.path(&out)).unwrap();
        for end in (0..whole.len()).step_by(whole.len() / 9) {
            fs::write(folder.path(&out), &whole[..end]).unwrap();
            folder.run(&[&args[..], &["--resume"]].concat()).expect(0);
            assert!(fs::read(folder.path(&out)).unwrap() == whole, "{out} cut at {end}");
        }
    }
}

#[test]
fn hostile_names_are_read_from_a_null_separated_list() {
    let (folder, model) = (folder(), model());
    let list: Vec<u8> = names()
        .iter()
        .flat_map(|(name, _)| [b"photos/", name.as_bytes(), b"\0"].concat())
        .collect();
    folder.write("list", list);
    let args = ["rank", "--filelist", "list", "--null", "--model", &model, "--format", "jsonl"];
    let rows = folder.run(&args).expect(0).rows();
    assert_eq!(rows.iter().map(|row| row["image"].as_str().unwrap()).collect::<Vec<_>>(), texts());
}

/// Pipes, sockets, devices, links and folders: none blocks the run, each that is not an image
/// fails alone, and a link out of the folder is followed.
#[test]
fn special_files_among_images_are_reported_and_skipped() {
    let (folder, model) = (Folder::new(), model());
    let path = |name: &str| folder.path("photos").join(name);
    assert!(Command::new("mkfifo").arg(path("pipe.jpg")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(path("socket.jpg")).unwrap();
    folder.write("elsewhere/cat.jpg", fs::read(path("cat.jpg")).unwrap());
    fs::create_dir_all(path("folder.jpg/deeper")).unwrap();
    for (to, name) in [
        ("/dev/zero", "device.jpg"),
        ("nowhere.jpg", "broken.jpg"),
        ("circle.jpg", "circle.jpg"),
        ("pipe.jpg", "piped.jpg"),
        ("..", "folder.jpg/up"),
        (".", "folder.jpg/deeper/here"),
        ("/dev/fd", "fds"),
    ] {
        symlink(to, path(name)).unwrap();
    }
    symlink(folder.path("elsewhere/cat.jpg"), path("out.jpg")).unwrap();
    symlink(folder.path("elsewhere"), path("outside")).unwrap();
    let bombs: [(&str, &[u8]); 2] = [
        (
            "bomb.bmp",
            b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\0\0\xff\xff\0\0\x01\0\x18\0",
        ),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ];
    for (name, bytes) in bombs {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().max(58), 0);
        fs::write(path(name), bytes).unwrap();
    }
    let args = ["rank", "photos", "--recursive", "--model", &model, "-o", "out.jsonl"];
    let stderr = expect(&run_to_end(&folder, &args), 1);
    let lines = fs::read_to_string(folder.path("out.jsonl")).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let error_of = |name: &str| {
        let image = format!("photos/{name}");
        let row =
            rows.iter().find(|row| row["image"] == image).unwrap_or_else(|| panic!("{image}"));
        row["error"].as_str().unwrap_or_default().to_owned()
    };
    for name in ["cat.jpg", "coffee.jpg", "rocket.jpg", "out.jpg", "outside/cat.jpg"] {
        assert_eq!(error_of(name), "", "{name}");
    }
    for (name, found) in [
        ("pipe.jpg", "expected a file, found a pipe"),
        ("piped.jpg", "expected a file, found a pipe"),
        ("socket.jpg", "expected a file, found a socket"),
        ("device.jpg", "expected a file, found a device"),
        ("broken.jpg", "No such file or directory"),
        ("circle.jpg", "Too many levels of symbolic links"),
        ("bomb.bmp", "expected at most 178956970 pixels, found 4294836225"),
        ("cut.png", "photos/cut.png"),
    ] {
        assert!(error_of(name).contains(found), "{name}: {}", error_of(name));
    }
    // `folder.jpg` is a folder, which is entered.
    assert_eq!(rows.len(), 5 + 8, "{lines}");
    assert!(stderr.contains("8 of 13 images failed"), "{stderr}");
}

/// Images below a path beyond the system's limit are reported, not lost.
#[test]
fn paths_beyond_the_system_limit_are_reported() {
    let (folder, model) = (Folder::new(), model());
    // Entered step by step: no system call accepts the whole path.
    let steps = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do \
                 mkdir $0 && cd -P $0 || exit 9; done; cp $1 here.jpg";
    let (step, photo) = ("d".repeat(200), folder.path("photos/cat.jpg"));
    let mut shell = Command::new("bash");
    shell.current_dir(folder.path("photos")).args(["-c", steps, &step]).arg(photo);
    if !shell.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: this shell cannot enter folders that deep");
        return;
    }
    let args = ["rank", "photos", "--recursive", "--model", &model, "--format", "jsonl"];
    let output = run_to_end(&folder, &args);
    let stderr = expect(&output, 1);
    assert!(stderr.contains("File name too long"), "{stderr}");
    let rows: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 4);
    let lost = rows.iter().find(|row| row["error"].is_string()).unwrap();
    assert!(lost["error"].as_str().unwrap().starts_with("cannot read photos/ddd"));
    // A path of 5,000 characters on the command line.
    let long: PathBuf = ["photos", &"x/".repeat(2_500), "y.jpg"].iter().collect();
    let args = ["rank", long.to_str().unwrap(), "photos/cat.jpg", "--model", &model];
    assert!(expect(&run_to_end(&folder, &args), 1).contains("File name too long"));
}

#[test]
fn messages_about_a_file_name_stay_on_one_line() {
    let (folder, model) = (Folder::new(), model());
    folder.write("photos/a\nerror: \x1b[2J.jpg", "no image");
    let stderr = expect(&run_to_end(&folder, &["rank", "photos", "--model", &model]), 1);
    assert!(stderr.contains("error: photos/a\\nerror: \\u{1b}[2J.jpg is not an image"), "{stderr}");
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
}
