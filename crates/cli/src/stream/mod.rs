//! Decodes images ahead of the model, in bounded memory and in order.
//!
//! ```text
//! Source (one thread) -> read (may wait for a disk) -> decode and prepare (one permit each) -> Window -> the consumer
//! ```
//!
//! File bytes and decoded pictures share one [`Budget`]; a picture counts until it is
//! prepared. Prepared images are bounded by the number of images in flight.
//!
//! Owns the threads and the images in flight between them. A decoded photo of twelve
//! megapixels takes 36 MB, so it stays on its thread: `prepare` turns it into the model's
//! input there. Which images are decoded and what happens to them is the caller's.

mod semaphore;
mod window;

use std::thread;

use interrogate::picture::{self, Budget, LoadStage, Picture, Reservation};
use interrogate::{Result, limits};

use crate::image_name::Name;
use crate::source::{Body, Image, Source};
use semaphore::Semaphore;
use window::Window;

/// Threads beyond the number of processors, which may wait for a disk.
const READERS: usize = 4;

/// The result of one step for one image: prepared, encoded or captioned, or why not.
#[derive(Debug)]
pub(crate) struct ImageResult<T> {
    /// The image's position in the source, from 0.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) result: Result<T>,
}

/// The decoded images of a source in its order.
pub(crate) struct Stream<'a, P>(&'a dyn Fn() -> Option<ImageResult<P>>);

impl<P> Iterator for Stream<'_, P> {
    type Item = ImageResult<P>;

    /// Waits until the next image is decoded.
    fn next(&mut self) -> Option<ImageResult<P>> {
        (self.0)()
    }
}

/// Decodes the `wanted` images of `source` and passes them, `prepare`d, to `consume`. At
/// most `ahead` images are in flight; as many are decoded at once as the machine has
/// processors. All threads stop when `consume` returns.
pub(crate) fn ahead<P: Send, R>(
    source: &Source,
    ahead: usize,
    wanted: &(dyn Fn(&Name) -> bool + Sync),
    prepare: &(dyn Fn(&Picture) -> Result<P> + Sync),
    consume: impl FnOnce(Stream<'_, P>) -> R,
) -> R {
    ahead_within(limits::DECODING, source, ahead, wanted, prepare, consume)
}

/// [`ahead`] with a budget of `bytes`.
fn ahead_within<P: Send, R>(
    bytes: u64,
    source: &Source,
    ahead: usize,
    wanted: &(dyn Fn(&Name) -> bool + Sync),
    prepare: &(dyn Fn(&Picture) -> Result<P> + Sync),
    consume: impl FnOnce(Stream<'_, P>) -> R,
) -> R {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let (budget, decoding) = (Budget::new(bytes), Semaphore::new(processors));
    let window = Window::new(ahead);
    thread::scope(|scope| {
        let _close = CloseOnDrop(&window);
        scope.spawn(|| {
            let _close = CloseOnPanic(&window);
            // Breaks when the window is closed.
            let _ = source.walk(wanted, &mut |image| window.push((queued(&image, &budget), image)));
            window.finish();
        });
        for _ in 0..(processors + READERS).min(ahead.max(1)) {
            scope.spawn(|| {
                let _close = CloseOnPanic(&window);
                while let Some((position, (share, image))) = window.next_job() {
                    let Image { number, name, body } = image;
                    let share = share.unwrap_or_else(|| read_share(&body, &budget));
                    let result = decode(body, &name, source, share, &decoding, prepare);
                    window.complete(position, ImageResult { number, name, result });
                }
            });
        }
        consume(Stream(&|| window.pop()))
    })
}

/// Returns the budget share of an image whose bytes are already in memory.
fn queued<'a>(image: &Image, budget: &'a Budget) -> Option<Reservation<'a>> {
    match &image.body {
        Body::Bytes(bytes) => Some(budget.reserve(LoadStage::Queued, bytes.len() as u64)),
        _ => None,
    }
}

/// Waits for the budget share of an image that is about to be read.
fn read_share<'a>(body: &Body, budget: &'a Budget) -> Reservation<'a> {
    match body {
        Body::File(path) => budget.reserve_file(path),
        Body::Url(_) => budget.reserve(LoadStage::Read, limits::IMAGE_DOWNLOAD),
        _ => budget.reserve(LoadStage::Read, 0),
    }
}

/// Reads, decodes and prepares one image.
fn decode<P>(
    body: Body,
    name: &Name,
    source: &Source,
    mut share: Reservation<'_>,
    decoding: &Semaphore,
    prepare: &(dyn Fn(&Picture) -> Result<P> + Sync),
) -> Result<P> {
    let bytes = match body {
        Body::File(path) => picture::read(&path)?,
        Body::Url(url) => source.fetch(&url)?,
        Body::Bytes(bytes) => bytes,
        Body::Lost(error) => return Err(error),
    };
    decoding.run(|| {
        let reserve = |more| share.advance(LoadStage::Decoded, more);
        let picture = Picture::decode_with(&bytes, name.path(), source.decode, reserve)?;
        drop(bytes);
        prepare(&picture)
    })
}

/// Closes the window when dropped.
struct CloseOnDrop<'a, I, O>(&'a Window<I, O>);

impl<I, O> Drop for CloseOnDrop<'_, I, O> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Closes the window if its thread panics, so that no thread waits for an output that
/// never comes; the scope propagates the panic.
struct CloseOnPanic<'a, I, O>(&'a Window<I, O>);

impl<I, O> Drop for CloseOnPanic<'_, I, O> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.close();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::args;

    /// Returns a BMP of one gray pixel.
    pub(crate) fn bmp(gray: u8) -> Vec<u8> {
        let mut bmp =
            b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
        bmp.resize(54, 0);
        bmp.extend([gray, gray, gray, 0]);
        bmp
    }

    fn folder_of(images: u8) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        for image in 0..images {
            let bytes = if image % 7 == 3 { b"no image".to_vec() } else { bmp(image) };
            std::fs::write(folder.path().join(format!("{image:03}.bmp")), bytes).unwrap();
        }
        let source = source_of(vec![folder.path().to_owned()]);
        (folder, source)
    }

    fn source_of(paths: Vec<PathBuf>) -> Source {
        Source::collect(&args::Images::at(paths)).unwrap()
    }

    /// Files and archive members, each larger than the budget.
    #[test]
    fn images_beyond_the_budget_are_decoded_one_at_a_time() {
        let (folder, _) = folder_of(3);
        let mut tar = tar::Builder::new(Vec::new());
        for image in 3..40u8 {
            let (bytes, mut header) = (bmp(image), tar::Header::new_ustar());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{image:03}.bmp"), &bytes[..]).unwrap();
        }
        std::fs::write(folder.path().join("a.tar"), tar.into_inner().unwrap()).unwrap();
        let paths = ["002.bmp", "a.tar", "001.bmp", "000.bmp"];
        let source = source_of(paths.map(|name| folder.path().join(name)).to_vec());
        let (decoding, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let prepare = |picture: &Picture| {
            most.fetch_max(decoding.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            decoding.fetch_sub(1, Ordering::SeqCst);
            Ok(picture.rgb()[0])
        };
        for ahead in [1, 7, 50] {
            let grays: Vec<_> = ahead_within(1, &source, ahead, &|_| true, &prepare, |stream| {
                stream.map(|image| image.result.unwrap()).collect()
            });
            assert_eq!(grays, [&[0, 1, 2][..], &(3..40).collect::<Vec<u8>>()].concat());
        }
        assert_eq!(most.into_inner(), 1);
        // No thread keeps waiting for budget after the consumer has returned.
        let first = ahead_within(1, &source, 7, &|_| true, &|_| Ok(()), |mut all| all.next());
        assert_eq!(first.unwrap().number, 0);
    }

    #[test]
    fn order_is_kept_and_invalid_images_fail_in_place() {
        let (_folder, source) = folder_of(60);
        let prepare = |picture: &Picture| Ok(picture.rgb()[0]);
        let results: Vec<_> = ahead(&source, 9, &|_| true, &prepare, |stream| {
            stream.map(|image| (image.number, image.result.ok())).collect()
        });
        let expected = (0..60u8).map(|image| (image.into(), (image % 7 != 3).then_some(image)));
        assert_eq!(results, expected.collect::<Vec<_>>());
    }

    #[test]
    fn unwanted_images_keep_their_numbers_and_are_not_read() {
        let (_folder, source) = folder_of(8);
        let wanted = |name: &Name| !name.text.ends_with("3.bmp");
        let numbers: Vec<_> = ahead(&source, 2, &wanted, &|_| Ok(()), |stream| {
            stream.map(|image| (image.number, image.result.is_ok())).collect()
        });
        assert_eq!(numbers, [0, 1, 2, 4, 5, 6, 7].map(|number| (number, true)));
    }

    #[test]
    fn threads_stop_when_the_consumer_returns() {
        let (_folder, source) = folder_of(60);
        let first = ahead(&source, 4, &|_| true, &|_| Ok(()), |mut stream| stream.next());
        assert_eq!(first.unwrap().number, 0);
    }
}
