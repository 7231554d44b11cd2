//! The state of a server: its models, queues and limits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use axum::http::StatusCode;
use interrogate::caption::Caption;
use interrogate::picture::Preprocess;
use interrogate::tagger::{Tagger, Thresholds};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::access::Access;
use super::body::Memory;
use super::clip::{self, Clip};
use super::clip_thread::ClipThread;
use super::decoder::Decoder;
use super::metrics::Metrics;
use super::model_thread::ModelThread;
use super::problem::Problem;
use crate::args::{self, TagChoice};
use crate::captions::{CaptionModel, Overrides};
use crate::commands::tag;
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;

/// What every request shares.
pub(super) struct Server {
    pub(super) clip: Arc<Clip>,
    pub(super) clip_thread: Arc<ClipThread>,
    pub(super) captioner: Option<Captioner>,
    pub(super) tagger: Option<TagServer>,
    pub(super) access: Arc<Access>,
    pub(super) memory: Memory,
    pub(super) decoder: Decoder,
    pub(super) metrics: Arc<Metrics>,
    pub(super) queue: usize,
    pub(super) timeout: Duration,
    pub(super) log_prompts: bool,
    admission: Arc<Semaphore>,
    ending: AtomicBool,
    /// Whether the requests that are left have been told to stop.
    cancelled: watch::Sender<bool>,
}

/// The caption model, which runs on a thread of its own.
pub(super) struct Captioner {
    pub(super) name: String,
    pub(super) preprocess: Preprocess,
    pub(super) thread: Arc<ModelThread<Overrides, Caption>>,
}

/// The tagger, which runs on a thread of its own.
pub(super) struct TagServer {
    pub(super) name: String,
    pub(super) tagger: Arc<Tagger>,
    pub(super) choice: TagChoice,
    pub(super) thread: Arc<ModelThread<(), Vec<f32>>>,
}

impl Server {
    /// Opens the models and starts their threads.
    ///
    /// # Errors
    /// Those of the models, of the index and of a build, and of a system without threads.
    pub(super) fn open(
        args: args::Serve,
        access: Access,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        let metrics = Arc::new(Metrics::new());
        let captioner = args.caption_model.as_deref().filter(|_| !args.no_caption);
        let captioner = captioner.map(|name| Captioner::open(name, &args, &metrics, logger));
        let captioner = captioner.transpose()?;
        let device = args.source.model.device.resolve(logger);
        let tagger = args.tagger.as_deref().map(|name| {
            tag::open_on(name, device, args.source.model.precision, logger).map(|it| (name, it))
        });
        let tagger = tagger.transpose()?;
        let (model, index) = opening::model_and_index(&args.source, logger)?;
        let clip = Arc::new(Clip::open(model, index)?);
        let clip_thread = Arc::new(ClipThread::new(clip.clone(), metrics.clone()));
        start("clip", {
            let thread = clip_thread.clone();
            move || thread.run()
        })?;
        let tagger =
            tagger.map(|(name, tagger)| TagServer::start(name, tagger, args.tags, &metrics));
        Ok(Server {
            clip,
            clip_thread,
            captioner,
            tagger: tagger.transpose()?,
            access: Arc::new(access),
            memory: Memory::new(),
            decoder: Decoder::new(),
            metrics,
            queue: args.queue.into(),
            timeout: args.timeout,
            log_prompts: args.log_prompts,
            admission: Arc::new(Semaphore::new(args.queue.into())),
            ending: AtomicBool::new(false),
            cancelled: watch::Sender::new(false),
        })
    }

    /// Admits a request with `images` images.
    ///
    /// # Errors
    /// Status 429 if the queue is full, 503 once the server is ending.
    pub(super) fn admit(&self, images: usize) -> Result<Arc<OwnedSemaphorePermit>, Problem> {
        if self.is_ending() {
            return Err(Problem::ending());
        }
        if images > self.queue {
            let detail = format!("expected at most {} images, found {images}", self.queue);
            return Err(Problem::unprocessable(detail).with_hint("send them in several requests"));
        }
        let places = self.admission.clone().try_acquire_many_owned(images as u32);
        places.map(Arc::new).map_err(|_| {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "the queue is full")
                .with_hint("try again later")
        })
    }

    /// The number of images that are queued or computed.
    pub(super) fn in_work(&self) -> usize {
        self.queue - self.admission.available_permits()
    }

    /// Returns the counters as Prometheus reads them.
    pub(super) fn metrics_text(&self) -> String {
        let mut waiting = vec![("clip", self.clip_thread.queue.len())];
        waiting.extend(self.captioner.as_ref().map(|it| ("captioner", it.thread.waiting())));
        waiting.extend(self.tagger.as_ref().map(|it| ("tagger", it.thread.waiting())));
        self.metrics.text(self.in_work(), &waiting)
    }

    /// Whether the server has been told to end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Admits no more requests.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Returns a value that becomes true when the work that is left is dropped.
    pub(super) fn cancelled(&self) -> watch::Receiver<bool> {
        self.cancelled.subscribe()
    }

    /// Drops the work that is left. Its requests are answered with status 503.
    pub(super) fn cancel(&self) {
        self.cancelled.send_replace(true);
        self.clip_thread.queue.close();
        if let Some(captioner) = &self.captioner {
            captioner.thread.close();
        }
        if let Some(tagger) = &self.tagger {
            tagger.thread.close();
        }
    }
}

impl Captioner {
    fn open(
        name: &str,
        args: &args::Serve,
        metrics: &Arc<Metrics>,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        let device = args.source.model.device.resolve(logger);
        // Without bars: captions of several requests are written at a time.
        let model = CaptionModel::open(name, &args.search, device, &Logger::new(true))?;
        let preprocess = model.preprocess().clone();
        let thread = Arc::new(ModelThread::new("captioner"));
        let running: Arc<ModelThread<_, _>> = thread.clone();
        let metrics = metrics.clone();
        start("captioner", move || {
            running.run(&metrics, |images, overrides| model.caption_as(images, overrides));
        })?;
        Ok(Captioner { name: clip::public_name(name), preprocess, thread })
    }
}

impl TagServer {
    fn start(
        name: &str,
        tagger: Tagger,
        choice: TagChoice,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, CliError> {
        let (tagger, thread) = (Arc::new(tagger), Arc::new(ModelThread::new("tagger")));
        let (model, running, metrics) = (tagger.clone(), thread.clone(), metrics.clone());
        let running: Arc<ModelThread<(), _>> = running;
        start("tagger", move || {
            running.run(&metrics, |images, ()| {
                let pixels: Vec<_> = images.iter().map(|(_, pixels)| *pixels).collect();
                model.score_prepared(&pixels)
            });
        })?;
        Ok(TagServer { name: clip::public_name(name), tagger, choice, thread })
    }

    /// Returns the default thresholds.
    pub(super) fn thresholds(&self) -> Thresholds {
        self.choice.thresholds()
    }
}

/// Starts the thread of a model. `run` returns when the server ends; after a panic, which loses
/// one batch, it is called again.
fn start(name: &'static str, run: impl Fn() + Send + 'static) -> Result<(), CliError> {
    let run = move || {
        while catch_unwind(AssertUnwindSafe(&run)).is_err() {
            tracing::error!(thread = name, "a model's thread panicked and continues");
        }
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(|error| interrogate::Error::io("start", name)(error).into())
}
