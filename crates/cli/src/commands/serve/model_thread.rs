//! The thread of a model with one input and one result an image: the captioner, the tagger.

use std::sync::Arc;

use interrogate::Result;
use interrogate::picture::Pixels;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::metrics::Metrics;
use super::problem::Problem;
use super::queue::{Next, Queue};
use crate::image_name::Name;
use crate::run::{Batch, DecodedImage};
use crate::stream::ImageResult;

/// The jobs of a model. `O` are options, by which images are computed together.
pub(super) struct ModelThread<O, R> {
    /// The model's name in the metrics.
    name: &'static str,
    queue: Queue<Job<O, R>>,
}

/// One image.
struct Job<O, R> {
    /// The image's position in its request.
    number: usize,
    pixels: Pixels,
    options: O,
    reply: oneshot::Sender<Result<R>>,
    _admitted: Arc<OwnedSemaphorePermit>,
}

impl<O: Copy + PartialEq, R> ModelThread<O, R> {
    pub(super) fn new(name: &'static str) -> Self {
        ModelThread { name, queue: Queue::new() }
    }

    /// Computes one image. It is skipped if the future is dropped before its batch begins.
    ///
    /// # Errors
    /// Those of the model, and of [`Queue::lost`].
    pub(super) async fn compute(
        &self,
        (number, pixels): (usize, Pixels),
        options: O,
        admitted: Arc<OwnedSemaphorePermit>,
    ) -> Result<R, Problem> {
        let (reply, result) = oneshot::channel();
        self.queue.push(Job { number, pixels, options, reply, _admitted: admitted }, false);
        Ok(result.await.map_err(|_| self.queue.lost())??)
    }

    /// Runs the jobs of the queue in batches of equal options until it is closed. `compute`
    /// returns one result an image, in order.
    pub(super) fn run(
        &self,
        metrics: &Metrics,
        compute: impl Fn(&[(usize, &Pixels)], O) -> Result<Vec<R>>,
    ) {
        while let Some(Next::Batch(jobs)) = self.queue.next() {
            let mut jobs: Vec<_> = jobs.into_iter().filter(|job| !job.reply.is_closed()).collect();
            while let Some(options) = jobs.first().map(|job| job.options) {
                let (same, others) = jobs.into_iter().partition(|job| job.options == options);
                jobs = others;
                self.batch(same, metrics, |images| compute(images, options));
            }
        }
    }

    fn batch(
        &self,
        jobs: Vec<Job<O, R>>,
        metrics: &Metrics,
        compute: impl Fn(&[(usize, &Pixels)]) -> Result<Vec<R>>,
    ) {
        metrics.batch(self.name, jobs.len());
        let (mut images, mut replies) = (Vec::new(), Vec::new());
        for (at, Job { number, pixels, reply, _admitted, .. }) in jobs.into_iter().enumerate() {
            let name = Name::new(String::new(), None);
            images.push(ImageResult { number: at, name, result: Ok((number, pixels)) });
            replies.push((reply, _admitted));
        }
        let results = Batch::of(images).encode(|images: &[DecodedImage<(usize, Pixels)>]| {
            let pixels = images.iter().map(|image| (image.prepared.0, &image.prepared.1));
            compute(&pixels.collect::<Vec<_>>())
        });
        for (image, (reply, _admitted)) in results.into_iter().zip(replies) {
            let _ = reply.send(image.result); // a client may have gone
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }
}
