//! Images decoded ahead of the model, in bounded memory and in order.
//!
//! ```text
//! Source (one thread) -> read (may wait for a disk) -> decode, look (a seat each) -> Window -> the caller
//! ```
//!
//! Owns the threads and what is in flight between them. A decoded photo of
//! twelve megapixels is 36 MB: it lives on its thread alone, and what `look`
//! makes of it goes on. Which images, and what becomes of them, is the caller's.

mod seats;
mod window;

use std::sync::{Mutex, PoisonError};
use std::thread;

use interrogate::Result;
use interrogate::picture::{self, DecodeOptions, Picture};

use crate::source::{Body, Image, Name, Source};
use seats::Seats;
use window::Window;

/// Threads that may wait for a disk beside those that decode.
const READERS: usize = 4;

/// Bytes of decoded pixels beyond which an image is decoded while no other of its size
/// is: so many are 45 megapixels. On a machine of many threads a folder of the largest
/// that are read would take a gigabyte for each of them otherwise.
const LARGE: u64 = 128 << 20;

/// An image and what was made of it.
#[derive(Debug)]
pub(crate) struct Looked<P> {
    /// Its place in the source.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) seen: Result<P>,
}

/// The images of a source as they come, in its order.
pub(crate) struct Stream<'a, P>(&'a Window<Image, Looked<P>>);

impl<P> Iterator for Stream<'_, P> {
    type Item = Looked<P>;

    /// Waits until the next image is decoded.
    fn next(&mut self) -> Option<Looked<P>> {
        self.0.take()
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
    let seats = thread::available_parallelism().map_or(1, usize::from);
    let window = Window::new(ahead);
    let (seated, large) = (Seats::new(seats), Mutex::new(()));
    thread::scope(|scope| {
        let _closed = Closing(&window);
        scope.spawn(|| {
            let _closed = ClosingOnPanic(&window);
            // Broken off where no more is wanted.
            let _ = source.walk(wanted, &mut |image| window.give(image));
            window.end();
        });
        for _ in 0..(seats + READERS).min(ahead.max(1)) {
            scope.spawn(|| {
                let _closed = ClosingOnPanic(&window);
                while let Some((place, Image { number, name, body })) = window.work() {
                    let seen = open(body, &name, source.decode, (&seated, &large), look);
                    window.put(place, Looked { number, name, seen });
                }
            });
        }
        consume(Stream(&window))
    })
}

fn open<P>(
    body: Body,
    name: &Name,
    options: DecodeOptions,
    (seats, large): (&Seats, &Mutex<()>),
    look: &(dyn Fn(&Picture) -> Result<P> + Sync),
) -> Result<P> {
    let bytes = match body {
        Body::File(path) => picture::read(&path)?,
        Body::Bytes(bytes) => bytes,
        Body::Lost(error) => return Err(error),
    };
    seats.on_one(|| {
        let mut alone = None;
        let picture = Picture::decode_with(&bytes, name.path(), options, |pixels| {
            if pixels > LARGE {
                alone = Some(large.lock().unwrap_or_else(PoisonError::into_inner));
            }
        })?;
        drop(bytes);
        let seen = look(&picture);
        drop(picture);
        drop(alone);
        seen
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
        let args = args::Images {
            paths: vec![folder.path().to_owned()],
            recursive: false,
            filelist: None,
            null: false,
            decoding: args::Decoding::default(),
            batch_size: 1,
        };
        let source = Source::collect(&args).unwrap();
        (folder, source)
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
