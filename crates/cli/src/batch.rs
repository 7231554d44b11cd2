//! Images a batch at a time: decoded side by side, looked at together, answered
//! in order, each failure its own.

use std::path::{Path, PathBuf};

use interrogate::picture::Picture;
use interrogate::{Error, Result};
use rayon::prelude::*;

/// What `encode` says of one batch, an answer an image, in order.
///
/// It sees the pictures that could be decoded, all at once; where it
/// refuses them together it gets them one by one, so that one bad image fails
/// alone.
pub(crate) fn look<T>(
    paths: &[PathBuf],
    encode: impl Fn(&[Picture]) -> Result<Vec<T>>,
) -> Vec<Result<T>> {
    let decoded: Vec<Result<Picture>> = paths.par_iter().map(|path| Picture::open(path)).collect();
    let (order, pictures): (Vec<Result<()>>, Vec<Option<Picture>>) = decoded
        .into_iter()
        .map(|decoded| match decoded {
            Ok(picture) => (Ok(()), Some(picture)),
            Err(error) => (Err(error), None),
        })
        .unzip();
    let pictures: Vec<Picture> = pictures.into_iter().flatten().collect();
    let mut encoded = together(&pictures, &encode).into_iter();
    let missing = || Err(Error::Direction { what: "features", row: 0 });
    order.into_iter().map(|one| one.and_then(|()| encoded.next().unwrap_or_else(missing))).collect()
}

fn together<T>(
    pictures: &[Picture],
    encode: &dyn Fn(&[Picture]) -> Result<Vec<T>>,
) -> Vec<Result<T>> {
    if pictures.is_empty() {
        return Vec::new();
    }
    match encode(pictures) {
        Ok(rows) => rows.into_iter().map(Ok).collect(),
        Err(error) if pictures.len() == 1 => vec![Err(error)],
        Err(_) => pictures.chunks(1).flat_map(|one| together(one, encode)).collect(),
    }
}

/// A path as it is written in an answer; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use interrogate::encoder::Features;

    use super::*;

    fn picture(value: u8) -> Picture {
        Picture::from_rgb(1, 1, vec![value; 3]).unwrap()
    }

    /// Refuses every batch that holds a black picture.
    fn picky(pictures: &[Picture]) -> Result<Vec<Features>> {
        let rows = pictures.iter().map(|p| Features::new(vec![f32::from(p.rgb()[0])]));
        rows.collect()
    }

    #[test]
    fn one_bad_image_fails_alone() {
        let answers = together(&[picture(9), picture(0), picture(7)], &picky);
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn answers_stand_in_the_order_of_the_paths() {
        let folder = tempfile::tempdir().unwrap();
        let [bad, good] = ["bad.png", "good.bmp"].map(|name| folder.path().join(name));
        std::fs::write(&bad, "not an image").unwrap();
        std::fs::write(&good, BMP).unwrap();
        let answers = look(&[bad, good], picky);
        assert!(answers[0].is_err());
        assert_eq!(answers[1].as_ref().unwrap().as_slice(), [1.0]);
    }

    /// A white picture of one pixel.
    const BMP: &[u8] =
        b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\
        \0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\0";
}
