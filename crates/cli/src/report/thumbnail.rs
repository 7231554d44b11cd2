//! Thumbnails inside the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use interrogate::picture::{Filter, Picture, Preprocess, Resize};

/// The longest side in pixels; the page shows it at half that size.
const SIDE: u32 = 320;

/// JPEG quality, 1 to 100.
const QUALITY: u8 = 70;

/// A JPEG of about ten kilobytes, as a `data:` URI.
#[derive(Clone)]
pub(crate) struct Thumbnail {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) uri: String,
}

impl Thumbnail {
    /// Returns the thumbnail of `picture`, never larger than the picture; `None` if the
    /// encoder fails. Costs one pass over the pixels. Decoding threads call this.
    pub(crate) fn of(picture: &Picture) -> Option<Self> {
        let (width, height) = fit(picture.width(), picture.height());
        let steps = Preprocess {
            resize: Resize::Exact { height, width },
            filter: Filter::Bilinear,
            crop: (height, width),
            ..Preprocess::default()
        };
        let small = steps.cropped(picture).ok()?;
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
            .encode(&small, width, height, ExtendedColorType::Rgb8)
            .ok()?;
        let mut uri = "data:image/jpeg;base64,".to_owned();
        STANDARD.encode_string(&jpeg, &mut uri);
        Some(Thumbnail { width, height, uri })
    }
}

/// Returns the largest size within [`SIDE`] x [`SIDE`] that has the same proportions, at
/// least one pixel on each side.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= SIDE {
        return (width, height);
    }
    // At most SIDE, since a side is at most the longer one.
    let scaled = |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(longer)).max(1) as u32;
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn fit_keeps_proportions_and_never_enlarges() {
        assert_eq!(fit(4000, 3000), (320, 240));
        assert_eq!(fit(3000, 4000), (240, 320));
        assert_eq!(fit(100_000, 3), (320, 1));
        assert_eq!(fit(20, 10), (20, 10));
    }

    #[test]
    fn thumbnail_is_a_jpeg_with_the_same_colors() {
        let (red, blue) = ([200, 30, 20], [10, 20, 220]);
        let rows = (0..600).flat_map(|y| [if y < 300 { red } else { blue }; 800].concat());
        let picture = Picture::from_rgb(800, 600, rows.collect()).unwrap();
        let Thumbnail { width, height, uri } = Thumbnail::of(&picture).unwrap();
        assert_eq!((width, height), (320, 240));
        let jpeg = STANDARD.decode(uri.strip_prefix("data:image/jpeg;base64,").unwrap()).unwrap();
        let back = Picture::decode(&jpeg, Path::new("thumbnail")).unwrap();
        assert_eq!((back.width(), back.height()), (320, 240));
        let pixel = |x: usize, y: usize| &back.rgb()[(y * 320 + x) * 3..][..3];
        for (found, wanted) in [(pixel(160, 40), red), (pixel(160, 200), blue)] {
            let far = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max();
            assert!(far < Some(6), "{found:?} for {wanted:?}");
        }
    }

    #[test]
    fn picture_of_one_pixel_has_a_thumbnail() {
        let picture = Picture::from_rgb(1, 1, vec![7, 8, 9]).unwrap();
        assert!(Thumbnail::of(&picture).is_some());
    }
}
