//! Images decoded ahead of the model, in bounded memory and in order.
//!
//! ```text
//! Source (one thread) -> read (may wait for a disk) -> decode, look (a seat each) -> Window -> the caller
//! ```
//!
//! Bytes are taken from one [`Budget`] for each file, and for each picture until it is
//! prepared. What comes of `look` is bounded by how many images are in flight.
//!
//! Owns the threads and what is in flight between them. A decoded photo of
//! twelve megapixels is 36 MB: it lives on its thread alone, and what `look`
//! makes of it goes on. Which images, and what becomes of them, is the caller's.

mod seats;
mod window;

use std::thread;

use interrogate::picture::{self, Budget, DecodeOptions, Picture, Share, Stage};
use interrogate::{Result, limits};

use crate::image_name::Name;
use crate::source::{Body, Image, Source};
use seats::Seats;
use window::Window;

/// Threads that may wait for a disk beside those that decode.
const READERS: usize = 4;

/// An image and what was made of it.
#[derive(Debug)]
pub(crate) struct Looked<P> {
    /// Its place in the source.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) seen: Result<P>,
}

/// The images of a source as they come, in its order.
pub(crate) struct Stream<'a, P>(&'a dyn Fn() -> Option<Looked<P>>);

impl<P> Iterator for Stream<'_, P> {
    type Item = Looked<P>;

    /// Waits until the next image is decoded.
    fn next(&mut self) -> Option<Looked<P>> {
        (self.0)()
    }
}

/// Decodes the images of `source` that are `wanted`, `ahead` of them at most
/// before they are taken, and gives `consume` what `look` made of each. Threads
/// decode as many at once as the machine runs; when `consume` returns, all stop.
pub(crate) fn ahead<P: Send, R>(
    source: &Source,
    ahead: usize,
    wanted: &(dyn Fn(&Name) -> bool + Sync),
    look: &(dyn Fn(&Picture) -> Result<P> + Sync),
    consume: impl FnOnce(Stream<'_, P>) -> R,
) -> R {
    ahead_within(limits::DECODING, source, ahead, wanted, look, consume)
}

/// The same with a budget of so many bytes.
fn ahead_within<P: Send, R>(
    bytes: u64,
    source: &Source,
    ahead: usize,
    wanted: &(dyn Fn(&Name) -> bool + Sync),
    look: &(dyn Fn(&Picture) -> Result<P> + Sync),
    consume: impl FnOnce(Stream<'_, P>) -> R,
) -> R {
    let seats = thread::available_parallelism().map_or(1, usize::from);
    let (budget, seated) = (Budget::new(bytes), Seats::new(seats));
    let window = Window::new(ahead);
    thread::scope(|scope| {
        let _closed = Closing(&window);
        scope.spawn(|| {
            let _closed = ClosingOnPanic(&window);
            // Broken off where no more is wanted.
            let _ = source.walk(wanted, &mut |image| window.give((queued(&image, &budget), image)));
            window.end();
        });
        for _ in 0..(seats + READERS).min(ahead.max(1)) {
            scope.spawn(|| {
                let _closed = ClosingOnPanic(&window);
                while let Some((place, (share, image))) = window.work() {
                    let Image { number, name, body } = image;
                    let share = share.unwrap_or_else(|| read_share(&body, &budget));
                    let seen = open(body, &name, source.decode, share, &seated, look);
                    window.put(place, Looked { number, name, seen });
                }
            });
        }
        consume(Stream(&|| window.take()))
    })
}

/// The share of an image whose bytes are in memory already.
fn queued<'a>(image: &Image, budget: &'a Budget) -> Option<Share<'a>> {
    match &image.body {
        Body::Bytes(bytes) => Some(budget.share(Stage::Queued, bytes.len() as u64)),
        _ => None,
    }
}

/// The share of an image that is read next.
fn read_share<'a>(body: &Body, budget: &'a Budget) -> Share<'a> {
    match body {
        Body::File(path) => budget.share_file(path),
        _ => budget.share(Stage::Read, 0),
    }
}

fn open<P>(
    body: Body,
    name: &Name,
    options: DecodeOptions,
    mut share: Share<'_>,
    seats: &Seats,
    look: &(dyn Fn(&Picture) -> Result<P> + Sync),
) -> Result<P> {
    let bytes = match body {
        Body::File(path) => picture::read(&path)?,
        Body::Bytes(bytes) => bytes,
        Body::Lost(error) => return Err(error),
    };
    seats.on_one(|| {
        let ask = |more| share.enter(Stage::Decoded, more);
        let picture = Picture::decode_with(&bytes, name.path(), options, ask)?;
        drop(bytes);
        look(&picture)
    })
}

/// Lets all threads go when it is dropped.
struct Closing<'a, I, O>(&'a Window<I, O>);

impl<I, O> Drop for Closing<'_, I, O> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The same where its thread panics: nobody waits for what will not come, and
/// the scope passes the panic on.
struct ClosingOnPanic<'a, I, O>(&'a Window<I, O>);

impl<I, O> Drop for ClosingOnPanic<'_, I, O> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::args;

    /// A picture of one pixel, as a BMP of that grey.
    pub(crate) fn bmp(grey: u8) -> Vec<u8> {
        let mut bmp =
            b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
        bmp.resize(54, 0);
        bmp.extend([grey, grey, grey, 0]);
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

    /// Files and members of an archive, each of them larger than the budget.
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
        let look = |picture: &Picture| {
            most.fetch_max(decoding.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            decoding.fetch_sub(1, Ordering::SeqCst);
            Ok(picture.rgb()[0])
        };
        for ahead in [1, 7, 50] {
            let seen: Vec<_> = ahead_within(1, &source, ahead, &|_| true, &look, |stream| {
                stream.map(|looked| looked.seen.unwrap()).collect()
            });
            assert_eq!(seen, [&[0, 1, 2][..], &(3..40).collect::<Vec<u8>>()].concat());
        }
        assert_eq!(most.into_inner(), 1);
        // No thread waits for the bytes of images that are not wanted any more.
        let first = ahead_within(1, &source, 7, &|_| true, &|_| Ok(()), |mut all| all.next());
        assert_eq!(first.unwrap().number, 0);
    }

    #[test]
    fn images_come_in_order_and_bad_ones_stand_among_them() {
        let (_folder, source) = folder_of(60);
        let look = |picture: &Picture| Ok(picture.rgb()[0]);
        let seen: Vec<_> = ahead(&source, 9, &|_| true, &look, |stream| {
            stream.map(|looked| (looked.number, looked.seen.ok())).collect()
        });
        let expected = (0..60u8).map(|image| (image.into(), (image % 7 != 3).then_some(image)));
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_wanted_keeps_its_number_and_is_not_read() {
        let (_folder, source) = folder_of(8);
        let wanted = |name: &Name| !name.text.ends_with("3.bmp");
        let numbers: Vec<_> = ahead(&source, 2, &wanted, &|_| Ok(()), |stream| {
            stream.map(|looked| (looked.number, looked.seen.is_ok())).collect()
        });
        assert_eq!(numbers, [0, 1, 2, 4, 5, 6, 7].map(|number| (number, true)));
    }

    #[test]
    fn who_takes_no_more_ends_it_all() {
        let (_folder, source) = folder_of(60);
        let first = ahead(&source, 4, &|_| true, &|_| Ok(()), |mut stream| stream.next());
        assert_eq!(first.unwrap().number, 0);
    }
}
