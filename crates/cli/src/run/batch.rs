//! Batches of decoded images, and their encoding.

use interrogate::encoder::{Features, ImageEncoder};
use interrogate::error::RowsError;
use interrogate::picture::Pixels;
use interrogate::{Error, Result};

use crate::image_name::Name;
use crate::stream::ImageResult;

/// The decoded images of a run in batches, in order.
pub(crate) struct Batches<'a, P> {
    images: &'a mut dyn Iterator<Item = ImageResult<P>>,
    batch_size: usize,
    stop: &'a dyn Fn() -> bool,
    interrupted: bool,
}

/// Consecutive images of a run: decoded, encoded, or what else `T` holds of each, and the
/// errors of those that failed.
#[derive(Debug)]
pub(crate) struct Batch<T>(Vec<ImageResult<T>>);

/// A decoded image, prepared for the models.
#[derive(Debug)]
pub(crate) struct DecodedImage<P> {
    /// The image's position in the source, from 0.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) prepared: P,
}

impl<'a, P> Batches<'a, P> {
    /// Groups `images` into batches of at most `batch_size` until `stop` returns true.
    pub(super) fn new(
        images: &'a mut dyn Iterator<Item = ImageResult<P>>,
        batch_size: usize,
        stop: &'a dyn Fn() -> bool,
    ) -> Self {
        Batches { images, batch_size, stop, interrupted: false }
    }

    /// Returns whether the iteration ended because of an interrupt.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted
    }
}

impl<P> Iterator for Batches<'_, P> {
    type Item = Batch<P>;

    /// Waits until the next batch is decoded. Returns `None` after the last image, and
    /// after an interrupt, which drops the images decoded so far.
    fn next(&mut self) -> Option<Batch<P>> {
        let mut batch = Vec::with_capacity(self.batch_size);
        while batch.len() < self.batch_size && !(self.stop)() {
            let Some(image) = self.images.next() else { break };
            batch.push(image);
        }
        self.interrupted = self.interrupted || (self.stop)();
        (!self.interrupted && !batch.is_empty()).then_some(Batch(batch))
    }
}

impl<T> Batch<T> {
    /// A batch of `images`, whose numbers ascend.
    #[cfg_attr(not(feature = "serve"), expect(dead_code))]
    pub(crate) fn of(images: Vec<ImageResult<T>>) -> Self {
        Batch(images)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Encodes the decoded images together; failed ones stay failed. If `encode` fails for
    /// several images, it is called for each of them alone, so that one bad image fails
    /// alone. `encode` returns one value an image, in order.
    pub(crate) fn encode<U>(
        self,
        mut encode: impl FnMut(&[DecodedImage<T>]) -> Result<Vec<U>>,
    ) -> Batch<U> {
        let (mut decoded, mut failed) = (Vec::with_capacity(self.len()), Vec::new());
        for ImageResult { number, name, result } in self {
            match result {
                Ok(prepared) => decoded.push(DecodedImage { number, name, prepared }),
                Err(error) => failed.push(ImageResult { number, name, result: Err(error) }),
            }
        }
        let encoded = encode_or_retry(&decoded, &mut encode);
        let encoded = decoded.into_iter().zip(encoded);
        let mut images: Vec<_> = encoded
            .map(|(DecodedImage { number, name, .. }, result)| ImageResult { number, name, result })
            .chain(failed)
            .collect();
        images.sort_by_key(|image| image.number);
        Batch(images)
    }

    /// Passes the values of all images that have not failed to `map`, which returns one
    /// new value for each, in order. `map` is called once, also without any value.
    ///
    /// # Errors
    /// Those of `map`: they concern the whole run.
    pub(crate) fn map<U, E>(
        self,
        map: impl FnOnce(Vec<T>) -> std::result::Result<Vec<U>, E>,
    ) -> std::result::Result<Batch<U>, E> {
        let (mut images, mut values) = (Vec::with_capacity(self.len()), Vec::new());
        for ImageResult { number, name, result } in self {
            images.push((number, name, result.map(|value| values.push(value))));
        }
        let mapped = map(values)?;
        let (count, mut mapped) = (mapped.len(), mapped.into_iter());
        let images = images.into_iter().map(|(number, name, result)| {
            let result = result.and_then(|()| mapped.next().ok_or_else(|| missing(count)));
            ImageResult { number, name, result }
        });
        Ok(Batch(images.collect()))
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = ImageResult<T>;
    type IntoIter = std::vec::IntoIter<ImageResult<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Batch<Pixels> {
    /// Encodes the images with `tower`, as [`encode`](Self::encode) does.
    pub(crate) fn features(self, tower: &dyn ImageEncoder) -> Batch<Features> {
        self.encode(|images| {
            let pixels: Vec<&Pixels> = images.iter().map(|image| &image.prepared).collect();
            tower.encode_prepared(&pixels)
        })
    }
}

/// Encodes `images` together, and each alone if that fails.
fn encode_or_retry<P, T, F>(images: &[DecodedImage<P>], encode: &mut F) -> Vec<Result<T>>
where
    F: FnMut(&[DecodedImage<P>]) -> Result<Vec<T>>,
{
    if images.is_empty() {
        return Vec::new();
    }
    match encode(images) {
        Ok(values) if values.len() == images.len() => values.into_iter().map(Ok).collect(),
        Ok(values) => images.iter().map(|_| Err(missing(values.len()))).collect(),
        Err(error) if images.len() == 1 => vec![Err(error)],
        Err(_) => images.chunks(1).flat_map(|image| encode_or_retry(image, encode)).collect(),
    }
}

/// The error of an image that has no value: only `row` values were returned.
fn missing(row: usize) -> Error {
    Error::Rows(RowsError::Direction { what: "features", row })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn image(number: usize, result: Result<u8>) -> ImageResult<u8> {
        let name = Name::new(format!("{number}.jpg"), None);
        ImageResult { number, name, result }
    }

    fn images(numbers: std::ops::Range<usize>) -> impl Iterator<Item = ImageResult<u8>> {
        numbers.map(|number| image(number, Ok(1)))
    }

    fn sizes(batches: &mut Batches<'_, u8>) -> Vec<usize> {
        batches.map(|batch| batch.len()).collect()
    }

    /// Subtracts 1 from each image; a batch with a 0 fails.
    fn decrement(images: &[DecodedImage<u8>]) -> Result<Vec<u8>> {
        images.iter().map(|image| image.prepared.checked_sub(1).ok_or(missing(0))).collect()
    }

    #[test]
    fn batches_are_full_but_for_the_last_one() {
        let mut images = images(0..10);
        let mut batches = Batches::new(&mut images, 4, &|| false);
        assert_eq!(sizes(&mut batches), [4, 4, 2]);
        assert!(!batches.interrupted());
    }

    #[test]
    fn failed_images_count_towards_the_batch_size() {
        let failed = || Err(Error::mismatch("0.jpg", "size", "an image", "0 bytes"));
        let mut images = (0..3).map(|number| image(number, failed()));
        let mut batches = Batches::new(&mut images, 2, &|| false);
        assert_eq!(sizes(&mut batches), [2, 1]);
    }

    #[test]
    fn interrupt_drops_the_batch_in_progress() {
        let (decoded, mut images) = (Cell::new(0), images(0..10));
        let mut counted = images.by_ref().inspect(|_| decoded.set(decoded.get() + 1));
        let stop = || decoded.get() >= 6;
        let mut batches = Batches::new(&mut counted, 4, &stop);
        assert_eq!(sizes(&mut batches), [4]);
        assert!(batches.interrupted());
        assert_eq!(decoded.get(), 6, "no image is decoded after the interrupt");
    }

    #[test]
    fn interrupt_after_the_last_image_still_interrupts() {
        let stopped = Cell::new(false);
        let mut images = images(0..2);
        let stop = || stopped.get();
        let mut batches = Batches::new(&mut images, 2, &stop);
        assert!(batches.next().is_some());
        stopped.set(true);
        assert!(batches.next().is_none());
        assert!(batches.interrupted());
    }

    #[test]
    fn one_invalid_image_fails_alone_and_order_is_kept() {
        let error = Error::mismatch("2.jpg", "size", "an image", "0 bytes");
        let batch =
            Batch(vec![image(0, Ok(9)), image(1, Ok(0)), image(2, Err(error)), image(3, Ok(7))]);
        let results = batch.encode(decrement);
        let results = results.into_iter().map(|image| (image.name.text, image.result.ok()));
        let expected = [Some(8), None, None, Some(6)];
        let expected =
            expected.into_iter().enumerate().map(|(n, value)| (format!("{n}.jpg"), value));
        assert_eq!(results.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn failed_batch_is_retried_image_by_image() {
        let mut calls = Vec::new();
        let batch = Batch(vec![image(4, Ok(1)), image(5, Ok(0)), image(6, Ok(2))]);
        batch.encode(|images| {
            calls.push(images.iter().map(|image| image.number).collect::<Vec<_>>());
            decrement(images)
        });
        assert_eq!(calls, [vec![4, 5, 6], vec![4], vec![5], vec![6]]);
    }

    #[test]
    fn failed_batch_of_one_is_not_retried() {
        let mut calls = 0;
        let results = Batch(vec![image(0, Ok(0))]).encode(|images| {
            calls += 1;
            decrement(images)
        });
        assert_eq!(calls, 1);
        assert!(results.into_iter().all(|image| image.result.is_err()));
    }

    #[test]
    fn encode_is_not_called_without_a_decoded_image() {
        let error = Error::mismatch("0.jpg", "size", "an image", "0 bytes");
        let results = Batch(vec![image(0, Err(error))]).encode(|_| -> Result<Vec<u8>> {
            panic!("no image is decoded");
        });
        assert!(results.into_iter().all(|image| image.result.is_err()));
    }

    #[test]
    fn too_few_values_fail_every_image() {
        let results = Batch(vec![image(0, Ok(1)), image(1, Ok(1))]).encode(|_| Ok(vec![1]));
        assert!(results.into_iter().all(|image| image.result.is_err()));
    }

    #[test]
    fn map_passes_over_failed_images() {
        let failed = || image(1, Err(missing(0)));
        let batch = Batch(vec![image(0, Ok(3)), failed(), image(2, Ok(5))]);
        let doubled = batch.map(|values| {
            assert_eq!(values, [3, 5]);
            Ok::<_, Error>(values.iter().map(|value| value * 2).collect())
        });
        let doubled = doubled.unwrap().into_iter();
        let doubled: Vec<_> = doubled.map(|image| (image.number, image.result.ok())).collect();
        assert_eq!(doubled, [(0, Some(6)), (1, None), (2, Some(10))]);
        let refused = Batch(vec![image(0, Ok(3))]).map(|_| Err::<Vec<u8>, _>(missing(0)));
        assert!(refused.is_err());
        let none = Batch(vec![failed()]).map(Ok::<_, Error>);
        assert_eq!(none.unwrap().len(), 1);
    }
}
