//! The thread of the CLIP model: batches of short jobs, and chains.

use std::ops::ControlFlow;
use std::sync::Arc;

use interrogate::encoder::Features;
use interrogate::picture::Pixels;
use interrogate::prompt::Step;
use interrogate::{Error, Result};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::clip::Clip;
use super::metrics::Metrics;
use super::queue::{Next, Queue};
use super::tasks::{Images, Row, Task};
use crate::image_name::Name;
use crate::run::Batch;
use crate::stream::ImageResult;

/// The number of batches of short jobs that pass a chain between two of its blocks. More would
/// stop it under a steady load.
const BATCHES_PER_STEP: usize = 2;

/// A model's queue, and what its thread needs.
pub(super) struct ClipThread {
    clip: Arc<Clip>,
    metrics: Arc<Metrics>,
    pub(super) queue: Queue<Job>,
}

/// One image of a request.
pub(super) struct Job {
    pub(super) pixels: Pixels,
    pub(super) work: Work,
}

/// What is computed from the features of one image.
pub(super) struct Work {
    pub(super) name: String,
    pub(super) caption: Option<String>,
    pub(super) task: Arc<Task>,
    /// Where the steps of a chain go, as JSON.
    pub(super) progress: Option<mpsc::Sender<String>>,
    pub(super) reply: oneshot::Sender<Result<Row>>,
    /// The request's place in the server.
    pub(super) _admitted: Arc<OwnedSemaphorePermit>,
}

impl ClipThread {
    pub(super) fn new(clip: Arc<Clip>, metrics: Arc<Metrics>) -> Self {
        ClipThread { clip, metrics, queue: Queue::new() }
    }

    /// Computes the jobs of the queue until it is closed.
    pub(super) fn run(&self) {
        while let Some(next) = self.queue.next() {
            match next {
                Next::Batch(jobs) => self.batch(jobs),
                Next::Long(job) => self.long(job),
            }
        }
    }

    /// Encodes the images of `jobs` together, and then computes those of one task together.
    fn batch(&self, jobs: Vec<Job>) {
        let jobs: Vec<Job> = jobs.into_iter().filter(|job| !job.work.reply.is_closed()).collect();
        if jobs.is_empty() {
            return;
        }
        self.metrics.batch("clip", jobs.len());
        let mut encoded = self.encode(jobs);
        while let Some((first, _)) = encoded.first() {
            let task = first.task.clone();
            let is_same = |work: &Work| Arc::ptr_eq(&work.task, &task) || work.task == task;
            let (of_task, others) = encoded.into_iter().partition(|(work, _)| is_same(work));
            encoded = others;
            self.compute(&task, of_task);
        }
    }

    /// Returns the features of the images of `jobs`. An image that fails
    /// gets its error as the reply.
    fn encode(&self, jobs: Vec<Job>) -> Vec<(Work, Features)> {
        let (mut works, mut images) =
            (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        for (number, Job { pixels, work }) in jobs.into_iter().enumerate() {
            let name = Name::new(work.name.clone(), None);
            images.push(ImageResult { number, name, result: Ok(pixels) });
            works.push(work);
        }
        let features = Batch::of(images).features(self.clip.tower.as_ref());
        let mut encoded = Vec::with_capacity(works.len());
        for (image, work) in features.into_iter().zip(works) {
            match image.result {
                Ok(features) => encoded.push((work, features)),
                Err(error) => drop(work.reply.send(Err(error))), // a client may have gone
            }
        }
        encoded
    }

    /// Computes the rows of jobs of one task. If they fail together, each is computed alone.
    fn compute(&self, task: &Task, jobs: Vec<(Work, Features)>) {
        let (works, features): (Vec<Work>, Vec<Features>) = jobs.into_iter().unzip();
        let images = Images {
            names: works.iter().map(|work| work.name.as_str()).collect(),
            captions: works.iter().map(|work| work.caption.as_deref()).collect(),
            features: &features,
        };
        let rows = task.rows(&self.clip, &images, &mut |_| ControlFlow::Continue(()));
        drop(images);
        match rows {
            Ok(rows) => {
                for (work, row) in works.into_iter().zip(rows) {
                    drop(work.reply.send(Ok(row)));
                }
            }
            Err(_) if works.len() > 1 => {
                works.into_iter().zip(features).for_each(|job| self.compute(task, vec![job]));
            }
            Err(error) => {
                if let Some(work) = works.into_iter().next() {
                    drop(work.reply.send(Err(error)));
                }
            }
        }
    }

    /// Computes a chain. Between the blocks of its steps, short jobs that wait are computed. The
    /// chain ends if its client has gone or the queue is closed.
    fn long(&self, job: Job) {
        let Some((mut work, features)) = self.encode(vec![job]).pop() else { return };
        let task = work.task.clone();
        let features = [features];
        let images = Images {
            names: vec![&work.name],
            captions: vec![work.caption.as_deref()],
            features: &features,
        };
        let mut progress = |step: Step<'_>| {
            if work.reply.is_closed() || self.queue.is_closed() {
                return ControlFlow::Break(());
            }
            // Chains that wait for this one hold places in the server.
            self.queue.discard(|job| job.work.reply.is_closed());
            if let Some(sender) = &work.progress {
                // A client that reads slowly misses steps.
                let _ = sender.try_send(steps_json(&work.name, step));
            }
            for _ in 0..BATCHES_PER_STEP {
                let waiting = self.queue.waiting();
                if waiting.is_empty() {
                    break;
                }
                self.batch(waiting);
            }
            ControlFlow::Continue(())
        };
        let rows = task.rows(&self.clip, &images, &mut progress);
        drop(images);
        work.progress = None;
        let row = rows.and_then(|mut rows| rows.pop().ok_or(Error::Interrupted));
        let _ = work.reply.send(row);
    }
}

/// The data of a `progress` event.
#[derive(Serialize)]
struct Progress<'a> {
    image: &'a str,
    step: usize,
    steps: usize,
    scored: usize,
    candidates: usize,
    prompt: &'a str,
    score: Option<f32>,
}

fn steps_json(image: &str, step: Step<'_>) -> String {
    let Step { step, steps, scored, candidates, prompt, score } = step;
    let score = Some(score).filter(|score| score.is_finite());
    let progress = Progress { image, step, steps, scored, candidates, prompt, score };
    serde_json::to_string(&progress).unwrap_or_default() // texts and numbers
}
