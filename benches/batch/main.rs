//! A folder of photos through the whole program, beside its parts alone.
//!
//! `python benches/batch/photos.py FOLDER`, then
//! `cargo bench -p interrogate-cli --bench batch -- FOLDER [ROUNDS]`. Each round
//! measures, over all photos and on all threads: decoding alone, decoding and
//! preparing, the same with drafts (`--jpeg-draft 512`), the starter's image tower
//! alone on prepared pixels, and `interrogate prompt FOLDER -o FILE` from start to
//! end, without and with drafts. The program is compared with the slower of
//! decoding and the tower. Files are in the system's cache for all of them.
//! Criterion is not used, because a round takes minutes.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

mod memory;

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use interrogate::encoder::ImageEncoder;
use interrogate::picture::{self, DecodeOptions, Picture, Pixels};
use interrogate::starter::Starter;
use memory::Memory;
use rayon::prelude::*;

// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The batch size of the program.
const BATCH: usize = 16;

/// The pixels that both sides of a draft keep: twice the starter's resize.
const DRAFT: NonZeroU32 = NonZeroU32::new(512).unwrap();

/// Number of prepared photos, which the tower encodes repeatedly.
const PREPARED: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let Some(folder) = args.first() else {
        println!("batch: name a folder of photos (benches/batch/photos.py makes one)");
        return Ok(());
    };
    let rounds: usize = args.get(1).map_or(Ok(3), |rounds| rounds.parse())?;
    let photos = photos(Path::new(folder))?;
    for photo in &photos {
        fs::read(photo)?;
    }
    let tower = Starter::open(None)?.image_encoder()?;
    let prepare = |photo: &PathBuf| tower.prepare(&Picture::open(photo)?);
    let prepare_draft = |photo: &PathBuf| {
        let options = DecodeOptions { jpeg_draft: Some(DRAFT), ..DecodeOptions::default() };
        let bytes = picture::read(photo)?;
        tower.prepare(&Picture::decode_with(&bytes, photo, options, |_| ())?)
    };
    let pixels: Vec<Pixels> =
        photos.par_iter().take(PREPARED).map(prepare).collect::<Result<_, _>>()?;
    let pixels: Vec<&Pixels> = pixels.iter().cycle().take(photos.len()).collect();
    program(Path::new(folder), &photos[..1], &[])?; // builds the index where there is none

    println!("photos {}, threads {}", photos.len(), rayon::current_num_threads());
    for round in 1..=rounds {
        let decode = rate(photos.len(), || {
            photos.par_iter().try_for_each(|photo| Picture::open(photo).map(drop))
        })?;
        let prepare = rate(photos.len(), || {
            photos.par_iter().try_for_each(|photo| prepare(photo).map(drop))
        })?;
        let draft = rate(photos.len(), || {
            photos.par_iter().try_for_each(|photo| prepare_draft(photo).map(drop))
        })?;
        let tower = rate(photos.len(), || {
            pixels.chunks(BATCH).try_for_each(|batch| tower.encode_prepared(batch).map(drop))
        })?;
        let mut memory = Memory::default();
        let whole =
            rate(photos.len(), || program(Path::new(folder), &photos, &[]).map(|m| memory = m))?;
        let side = DRAFT.to_string();
        let options = ["--jpeg-draft", &side];
        let whole_draft =
            rate(photos.len(), || program(Path::new(folder), &photos, &options).map(drop))?;
        println!(
            "round {round}: images/s: decode {decode:.2}, decode and prepare {prepare:.2}, \
             draft and prepare {draft:.2}, tower {tower:.2}, whole {whole:.2}, with drafts \
             {whole_draft:.2}; whole / slower part {:.3}; {memory}",
            whole / decode.min(tower)
        );
    }
    Ok(())
}

/// The photos in `folder`, sorted.
fn photos(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let files: Result<Vec<PathBuf>, _> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut photos = files?;
    photos.retain(|path| path.extension() == Some(OsStr::new("jpg")));
    photos.sort();
    Ok(photos)
}

/// Runs `work` and returns images per second.
fn rate<E>(images: usize, work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let start = Instant::now();
    work()?;
    Ok(images as f64 / start.elapsed().as_secs_f64())
}

/// Runs the program with `options` over `photos` (all of `folder`, or some of it).
fn program(folder: &Path, photos: &[PathBuf], options: &[&str]) -> Result<Memory, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = std::env::temp_dir().join(format!("bench-batch-{}.jsonl", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_interrogate"));
    command
        .args(["prompt", "--model", "starter", "--no-caption", "--quiet", "--overwrite", "-o"])
        .arg(&out)
        .args(options);
    match photos {
        [one] => command.arg(fs::canonicalize(one)?),
        _ => command.arg(fs::canonicalize(folder)?),
    };
    let mut child = command.current_dir(root).stdout(Stdio::null()).spawn()?;
    let memory = Memory::watch(&mut child, &out);
    let status = child.wait()?;
    let rows = fs::read_to_string(&out)?.lines().count();
    fs::remove_file(&out)?;
    if status.success() && rows == photos.len() {
        Ok(memory)
    } else {
        Err(format!("{status}, {rows} of {} rows", photos.len()).into())
    }
}
