//! GIF: the first frame on its logical screen, as Pillow paints it.
//!
//! The screen grows to fit the frame and is filled with the transparent color, or with
//! index 0 (Pillow's GifImagePlugin, `_seek` and `load_prepare`). An index beyond the
//! palette is black. The `gif` crate decodes the frame.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::encoded_image::{DecodeError, EncodedImage, Rgb};
use crate::limits;

pub(super) fn decode(image: &mut EncodedImage) -> Result<Rgb, DecodeError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    if let Some(limit) = NonZeroU64::new(limits::PICTURE_BYTES) {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(image.bytes).map_err(decode_error)?;
    let (screen_width, screen_height) = (decoder.width(), decoder.height());
    let Some(frame) = decoder.next_frame_info().map_err(decode_error)? else {
        return Err(DecodeError::Decoder("it has no frame".into()));
    };
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    let transparent = frame.transparent.map(usize::from);
    let background = transparent.unwrap_or(0);
    let width = usize::from(screen_width).max(left + frame_width);
    let height = usize::from(screen_height).max(top + frame_height);
    // The frame's indices, and RGB.
    image.reserve(width as u32, height as u32, 4 * (width * height) as u64)?;
    let mut indices = vec![0; frame_width * frame_height];
    if let Err(error) = decoder.read_into_buffer(&mut indices).map_err(decode_error)
        && !image.allow_truncated
    {
        return Err(error);
    }
    let palette = decoder.palette().map_err(decode_error)?;
    let mut colors = [[0; 3]; 256];
    colors.iter_mut().zip(palette.as_chunks::<3>().0).for_each(|(to, from)| *to = *from);
    if let (Some(index), Some(color)) = (transparent, image.background) {
        colors[index] = color;
    }
    let mut rgb = colors[background].repeat(width * height);
    if frame_width > 0 {
        for (y, row) in indices.chunks_exact(frame_width).enumerate() {
            let to = &mut rgb[3 * ((top + y) * width + left)..][..3 * frame_width];
            let to = to.as_chunks_mut::<3>().0;
            to.iter_mut().zip(row).for_each(|(to, &index)| *to = colors[usize::from(index)]);
        }
    }
    Ok(Rgb { width: width as u32, height: height as u32, rgb })
}

fn decode_error(error: gif::DecodingError) -> DecodeError {
    match error {
        gif::DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        error => DecodeError::Decoder(error.into()),
    }
}
