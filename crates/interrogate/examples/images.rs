//! Times the encoding of generated pictures: a part of `benches/gpu/gpu.py`.
//!
//! ```text
//! images DEVICE PRECISION MODEL COUNT BATCH RUNS
//! ```
//!
//! Prints one JSON object with every run's time of: the tower alone, on prepared images; decoding
//! and preparing alone, on all threads; and both together, where a batch is decoded while the one
//! before it is encoded. The pictures are JPEG files of 640 by 480 in memory.

#![expect(clippy::print_stdout, reason = "the output is for `gpu.py`")]

mod common;

use std::io::Cursor;
use std::path::Path;
use std::time::Instant;

use common::{Outcome, compute, picture, runs, timed};
use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder};
use interrogate::clip::Checkpoint;
use interrogate::encoder::{Features, ImageEncoder};
use interrogate::picture::{Picture, Pixels};
use rayon::prelude::*;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The size of the generated pictures.
const SIZE: [u32; 2] = [640, 480];

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [device, precision, model, count, batch, times] = &args[..] else {
        return Err("usage: images DEVICE PRECISION MODEL COUNT BATCH RUNS".into());
    };
    let compute = compute(device, precision)?;
    let (count, batch): (usize, usize) = (count.parse()?, batch.parse()?);
    let (batch, times): (usize, usize) = (batch.max(1), times.parse()?);
    let files = (0..count).into_par_iter().map(jpeg).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    let tower = Checkpoint::open(Path::new(model))?.image_encoder_with(&compute)?;
    let load_s = started.elapsed().as_secs_f64();

    let prepared = |files: &[Vec<u8>]| -> Result<Vec<Pixels>, interrogate::Error> {
        let decode = |file: &Vec<u8>| Picture::decode(file, Path::new("generated.jpg"));
        files.par_iter().map(|file| tower.prepare(&decode(file)?)).collect()
    };
    let encoded = |pixels: &[Pixels]| -> Result<Vec<Features>, interrogate::Error> {
        tower.encode_prepared(&pixels.iter().collect::<Vec<_>>())
    };
    let (decode, pixels) = timed(times, || Ok(prepared(&files)?))?;
    let (alone, _) = timed(times, || {
        let batches = pixels.chunks(batch).map(&encoded);
        Ok(batches.collect::<Result<Vec<_>, _>>()?.concat().len())
    })?;
    let (together, features) = timed(times, || {
        let mut features = Vec::with_capacity(count);
        let mut next = files.chunks(batch).next().map(&prepared).transpose()?;
        for following in files.chunks(batch).skip(1).map(Some).chain([None]) {
            let Some(pixels) = next.take() else { break };
            let (found, decoded) =
                rayon::join(|| encoded(&pixels), || following.map(&prepared).transpose());
            features.extend(found?);
            next = decoded?;
        }
        Ok(features.len())
    })?;
    let report = json!({
        "device": device, "precision": precision, "images": features, "batch": batch,
        "size": SIZE, "threads": rayon::current_num_threads(), "load_s": load_s,
        "tower": runs(&alone), "decode": runs(&decode), "together": runs(&together),
    });
    println!("{report}");
    Ok(())
}

/// Returns picture number `number` as a JPEG file.
fn jpeg(number: usize) -> Result<Vec<u8>, image::ImageError> {
    let [width, height] = SIZE;
    let mut file = Cursor::new(Vec::new());
    let rgb = picture(number, width, height);
    JpegEncoder::new_with_quality(&mut file, 90).write_image(
        &rgb,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(file.into_inner())
}
