//! The first frame of a GIF on its screen, as Pillow paints it.
//!
//! The screen grows to hold the frame, and is filled with the transparent colour's index,
//! or with index 0 (Pillow's GifImagePlugin, `_seek` and `load_prepare`). Colours beyond
//! the palette are black. The decoding is the `gif` crate's.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::decode::{Fault, Job, Rgb};
use crate::limits;

pub(super) fn decode(job: &mut Job) -> Result<Rgb, Fault> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    if let Some(limit) = NonZeroU64::new(limits::PICTURE_BYTES) {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(job.bytes).map_err(fault)?;
    let (screen_width, screen_height) = (decoder.width(), decoder.height());
    let Some(frame) = decoder.next_frame_info().map_err(fault)? else {
        return Err(Fault::Said("it has no frame".into()));
    };
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    let around = usize::from(frame.transparent.unwrap_or(0));
    let width = usize::from(screen_width).max(left + frame_width);
    let height = usize::from(screen_height).max(top + frame_height);
    // A frame's indices, and RGB.
    job.room(width as u32, height as u32, 4 * (width * height) as u64)?;
    let mut indices = vec![0; frame_width * frame_height];
    if let Err(error) = decoder.read_into_buffer(&mut indices).map_err(fault)
        && !job.allow_truncated
    {
        return Err(error);
    }
    let palette = decoder.palette().map_err(fault)?;
    let mut colours = [[0; 3]; 256];
    colours.iter_mut().zip(palette.as_chunks::<3>().0).for_each(|(to, from)| *to = *from);
    let mut rgb = colours[around].repeat(width * height);
    if frame_width > 0 {
        for (y, row) in indices.chunks_exact(frame_width).enumerate() {
            let to = &mut rgb[3 * ((top + y) * width + left)..][..3 * frame_width];
            let to = to.as_chunks_mut::<3>().0;
            to.iter_mut().zip(row).for_each(|(to, &index)| *to = colours[usize::from(index)]);
        }
    }
    Ok(Rgb { width: width as u32, height: height as u32, rgb })
}

fn fault(error: gif::DecodingError) -> Fault {
    match error {
        gif::DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Fault::Cut,
        error => Fault::Said(error.into()),
    }
}
