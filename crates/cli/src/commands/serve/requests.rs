//! The work of one request: its images are decoded, captioned and computed side by side.

use std::sync::Arc;

use interrogate::picture::Pixels;
use interrogate::prompt::Style;
use interrogate::tagger::{BACKGROUND, Thresholds};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::clip_thread::{Job, Work};
use super::problem::Problem;
use super::server::{Captioner, Server, TagServer};
use super::tasks::{Row, Task, row_json};
use super::upload::Upload;
use crate::captions::Overrides;
use crate::commands::{caption, tag};

/// Steps of chains that wait for a client that reads slowly; more are left out.
const STEPS: usize = 64;

/// What is computed for each image.
#[derive(Clone)]
pub(super) enum Wanted {
    /// A task over the features, after a caption if the task needs one.
    Task(Arc<Task>, Overrides),
    /// A caption alone.
    Caption,
    /// Tags.
    Tags(Thresholds),
}

/// A running request. Dropping it cancels the work that has not begun, and ends its chains.
pub(super) struct Running {
    images: JoinSet<(usize, Outcome)>,
    pub(super) names: Vec<String>,
    steps: mpsc::Receiver<String>,
    deadline: Instant,
    cancelled: watch::Receiver<bool>,
}

/// The row of an image, or why it has none.
pub(super) type Outcome = Result<Row, Problem>;

/// What a request tells its client next.
pub(super) enum Event {
    /// A step of a chain, as JSON.
    Step(String),
    /// The outcome of the image at this position.
    Image(usize, Outcome),
}

impl Running {
    /// Starts the work on `uploads`.
    ///
    /// # Errors
    /// Those of [`Server::admit`] and of the options.
    pub(super) fn start(
        server: &Arc<Server>,
        uploads: Vec<Upload>,
        wanted: &Wanted,
    ) -> Result<Self, Problem> {
        if let Wanted::Task(task, _) = wanted {
            task.check(&server.clip)?;
        }
        let admitted = server.admit(uploads.len())?;
        let (sender, steps) = mpsc::channel(STEPS);
        let names = uploads.iter().map(|upload| upload.name.clone()).collect();
        let mut images = JoinSet::new();
        for (number, upload) in uploads.into_iter().enumerate() {
            let image = Image {
                server: server.clone(),
                number,
                wanted: wanted.clone(),
                steps: sender.clone(),
                admitted: admitted.clone(),
            };
            images.spawn(async move {
                let outcome = image.compute(upload).await;
                image.server.metrics.image(outcome.is_ok());
                (number, outcome)
            });
        }
        let deadline = Instant::now() + server.timeout;
        Ok(Running { images, names, steps, deadline, cancelled: server.cancelled() })
    }

    /// Waits for what comes next; `None` after the last image.
    ///
    /// # Errors
    /// Status 503 once the deadline has passed or the server drops its work, which does not
    /// wait for a model.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Problem> {
        let Running { images, steps, deadline, cancelled, .. } = self;
        let next = async {
            loop {
                tokio::select! {
                    biased;
                    Some(step) = steps.recv() => return Some(Event::Step(step)),
                    image = images.join_next() => match image {
                        Some(Ok((number, outcome))) => return Some(Event::Image(number, outcome)),
                        Some(Err(_)) => {} // a panic, which the log has; its image stays missing
                        None => return None,
                    },
                }
            }
        };
        tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Problem::ending()),
            next = timeout_at(*deadline, next) => next.map_err(|_| late()),
        }
    }

    /// Waits for all images and returns their outcomes, in order.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub(super) async fn finish(mut self) -> Result<Vec<(String, Outcome)>, Problem> {
        let missing = |name| (name, Err(Problem::internal()));
        let mut all: Vec<_> = std::mem::take(&mut self.names).into_iter().map(missing).collect();
        while let Some(event) = self.next().await? {
            if let Event::Image(number, outcome) = event {
                all[number].1 = outcome;
            }
        }
        Ok(all)
    }
}

fn late() -> Problem {
    Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "the request took too long")
        .with_hint("send fewer images, or choose a faster mode; --timeout sets the limit")
}

/// One image of a request.
struct Image {
    server: Arc<Server>,
    number: usize,
    wanted: Wanted,
    steps: mpsc::Sender<String>,
    admitted: Arc<OwnedSemaphorePermit>,
}

impl Image {
    async fn compute(&self, upload: Upload) -> Outcome {
        match &self.wanted {
            Wanted::Task(task, overrides) => self.task(upload, task, *overrides).await,
            Wanted::Caption => {
                let captioner = self.server.captioner.as_ref().ok_or_else(no_captioner)?;
                let (name, preprocess) = (upload.name.clone(), captioner.preprocess.clone());
                let prepare = move |picture: &_| preprocess.prepare(picture);
                let pixels = self.server.decoder.prepare(upload, None, prepare).await?;
                let caption = self.caption(captioner, pixels, Overrides::default()).await?;
                let (caption, tokens) = (&*caption.text, &*caption.tokens);
                Ok(row_json(&caption::Row { image: &name, caption, tokens })?)
            }
            Wanted::Tags(thresholds) => {
                let tagger = self.server.tagger.as_ref().ok_or_else(no_tagger)?;
                self.tags(upload, tagger, thresholds).await
            }
        }
    }

    async fn task(&self, upload: Upload, task: &Arc<Task>, overrides: Overrides) -> Outcome {
        let needs_caption = matches!(&**task, Task::Prompt(prompt) if prompt.needs_caption());
        let captioner = self.server.captioner.as_ref().filter(|_| needs_caption);
        let (clip, name) = (self.server.clip.clone(), upload.name.clone());
        let preprocess = captioner.map(|captioner| captioner.preprocess.clone());
        let prepare = move |picture: &_| {
            let for_caption = preprocess.map(|steps| steps.prepare(picture)).transpose()?;
            Ok((clip.tower.prepare(picture)?, for_caption))
        };
        let (pixels, for_caption) = self.server.decoder.prepare(upload, None, prepare).await?;
        let caption = match captioner.zip(for_caption) {
            Some((captioner, pixels)) => {
                Some(self.caption(captioner, pixels, overrides).await?.text)
            }
            None => None,
        };
        let (reply, row) = oneshot::channel();
        let work = Work {
            name,
            caption,
            task: task.clone(),
            progress: task.is_long().then(|| self.steps.clone()),
            reply,
            _admitted: self.admitted.clone(),
        };
        self.server.clip_thread.queue.push(Job { pixels, work }, task.is_long());
        Ok(row.await.map_err(|_| self.server.clip_thread.queue.lost())??)
    }

    async fn caption(
        &self,
        captioner: &Captioner,
        pixels: Pixels,
        overrides: Overrides,
    ) -> Result<interrogate::caption::Caption, Problem> {
        let image = (self.number, pixels);
        captioner.thread.compute(image, overrides, self.admitted.clone()).await
    }

    async fn tags(&self, upload: Upload, tagger: &TagServer, thresholds: &Thresholds) -> Outcome {
        let (name, model) = (upload.name.clone(), tagger.tagger.clone());
        let prepare = move |picture: &_| model.prepare(picture);
        let pixels = self.server.decoder.prepare(upload, Some(BACKGROUND), prepare).await?;
        let image = (self.number, pixels);
        let scores = tagger.thread.compute(image, (), self.admitted.clone()).await?;
        let choice = &tagger.choice;
        let found = tag::chosen(tagger.tagger.select(&scores, thresholds), choice);
        let style = Style { separator: Some(choice.separator.clone()), ..Style::default() };
        let tags = tag::written(&found, choice, &style);
        Ok(row_json(&tag::Row::new(&name, &tags, found))?)
    }
}

/// The problem of a request for captions if the server has no caption model.
pub(super) fn no_captioner() -> Problem {
    Problem::new(axum::http::StatusCode::NOT_FOUND, "the server has no caption model")
        .with_hint("start it with --caption-model")
}

/// The problem of a request for tags if the server has no tagger.
pub(super) fn no_tagger() -> Problem {
    Problem::new(axum::http::StatusCode::NOT_FOUND, "the server has no tagger")
        .with_hint("start it with --tagger")
}
