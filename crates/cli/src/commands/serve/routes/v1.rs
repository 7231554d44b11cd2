//! The server's own routes: many images at once, with the rows of the program.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use interrogate::tagger::Thresholds;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::super::reply;
use super::super::requests::{Running, Wanted, no_captioner, no_tagger};
use super::super::server::Server;
use super::super::tasks::{Analyze, Embed, Prompt, Rank, Task};
use super::super::upload::{JsonImage, Upload};
use crate::captions::Overrides;
use interrogate::limits;
use interrogate::prompt::Mode;

/// A request in JSON. A form has the images as files and the options as texts.
#[derive(ToSchema)]
#[allow(dead_code)] // for the schema alone
pub(super) struct ImagesRequest<T> {
    image: Option<JsonImage>,
    #[schema(max_items = 64)]
    images: Option<Vec<JsonImage>>,
    #[serde(flatten)]
    options: T,
}

/// A request as a form.
#[derive(ToSchema)]
#[allow(dead_code)] // for the schema alone
pub(super) struct ImagesForm<T> {
    /// Image files. The other fields are options; lists are separated by commas.
    #[schema(value_type = Vec<String>, format = Binary, required = true)]
    image: Vec<u8>,
    #[serde(flatten)]
    options: T,
}

/// The rows of the images, in order.
#[derive(ToSchema)]
#[allow(dead_code)] // for the schema alone
pub(super) struct Results {
    /// A row of an image has "image" and the fields that the program's `--format jsonl` writes;
    /// that of an image that failed has "image" and "error".
    results: Vec<serde_json::Value>,
}

macro_rules! images_route {
    ($(#[$doc:meta])* $path:literal, $name:ident, $options:ty, $wanted:expr) => {
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "v1",
            request_body(content(
                (ImagesRequest<$options> = "application/json"),
                (ImagesForm<$options> = "multipart/form-data")
            )),
            responses(
                (status = 200, content(
                    (Results = "application/json"),
                    (String = "application/x-ndjson"),
                    (String = "text/event-stream")
                )),
                (status = "4XX", body = Problem, content_type = "application/problem+json"),
                (status = "5XX", body = Problem, content_type = "application/problem+json")
            )
        )]
        pub(super) async fn $name(
            State(server): State<Arc<Server>>,
            request: Request,
        ) -> Result<Response, Problem> {
            let wanted: fn(&Server, $options) -> Result<Wanted, Problem> = $wanted;
            run(&server, request, |options| wanted(&server, options)).await
        }
    };
}

images_route!(
    /// Writes a prompt for each image: caption, medium, movement, flavors.
    "/v1/prompt", prompt, Prompt, |_, options| task(Task::Prompt(options))
);
images_route!(
    /// Ranks the labels of a table for each image.
    "/v1/rank", rank, Rank, |_, options| task(Task::Rank(options))
);
images_route!(
    /// Returns the best labels of every table for each image.
    "/v1/analyze", analyze, Analyze, |_, options| task(Task::Analyze(options))
);
images_route!(
    /// Computes the features of each image, of unit length.
    "/v1/embed", embed, Embed, |_, options| task(Task::Embed(options))
);
images_route!(
    /// Captions each image.
    "/v1/caption", caption, Embed, |server, Embed {}| {
        server.captioner.as_ref().map(|_| Wanted::Caption).ok_or_else(no_captioner)
    }
);
images_route!(
    /// Tags each image.
    "/v1/tag", tag, Tag, |server, options| {
        let tagger = server.tagger.as_ref().ok_or_else(no_tagger)?;
        Ok(Wanted::Tags(options.thresholds(tagger.thresholds())?))
    }
);

/// The options of `/v1/tag`.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tag {
    /// Lowest score of a general tag, 0 to 1. The default is the server's.
    general_threshold: Option<f32>,
    /// Lowest score of a character, 0 to 1. The default is the server's.
    character_threshold: Option<f32>,
}

impl Tag {
    fn thresholds(&self, defaults: Thresholds) -> Result<Thresholds, Problem> {
        let general = self.general_threshold.unwrap_or(defaults.general);
        let character = self.character_threshold.unwrap_or(defaults.character);
        for (name, score) in [("general_threshold", general), ("character_threshold", character)] {
            check_score(name, score)?;
        }
        Ok(Thresholds { general, character })
    }
}

/// Checks a threshold.
///
/// # Errors
/// Status 422 if it is not 0 to 1.
pub(super) fn check_score(name: &str, score: f32) -> Result<(), Problem> {
    if (0.0..=1.0).contains(&score) {
        return Ok(());
    }
    Err(Problem::unprocessable(format!("{name}: expected 0 to 1, found {score}")))
}

fn task(task: Task) -> Result<Wanted, Problem> {
    Ok(Wanted::Task(Arc::new(task), Overrides::default()))
}

async fn run<T: DeserializeOwned>(
    server: &Arc<Server>,
    request: Request,
    wanted: impl FnOnce(T) -> Result<Wanted, Problem>,
) -> Result<Response, Problem> {
    let headers: HeaderMap = request.headers().clone();
    let (uploads, options): (Vec<Upload>, T) = server.memory.read(request).await?.images().await?;
    let running = Running::start(server, uploads, &wanted(options)?)?;
    reply::rows(server, &headers, running).await
}

/// The models, tables and limits of the server.
#[derive(Serialize, ToSchema)]
pub(super) struct Info {
    version: &'static str,
    model: ModelInfo,
    tables: Vec<TableInfo>,
    caption_model: Option<String>,
    tagger: Option<String>,
    modes: Vec<&'static str>,
    limits: Limits,
}

#[derive(Serialize, ToSchema)]
struct ModelInfo {
    id: String,
    device: String,
    precision: String,
    notice: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct TableInfo {
    name: String,
    labels: usize,
}

#[derive(Serialize, ToSchema)]
struct Limits {
    body_bytes: usize,
    images: usize,
    queue: usize,
}

/// Returns the models, tables and limits.
#[utoipa::path(get, path = "/v1/info", tag = "v1", responses((status = 200, body = Info)))]
pub(super) async fn info(State(server): State<Arc<Server>>) -> Json<Info> {
    let clip = &server.clip;
    let table = |table: &interrogate::index::Table| TableInfo {
        name: table.name().to_owned(),
        labels: table.len(),
    };
    Json(Info {
        version: env!("CARGO_PKG_VERSION"),
        model: ModelInfo {
            id: clip.name(),
            device: clip.model.compute().device.to_string(),
            precision: clip.model.precision().to_string(),
            notice: clip.model.notice(),
        },
        tables: clip.index.tables().iter().map(table).collect(),
        caption_model: server.captioner.as_ref().map(|captioner| captioner.name.clone()),
        tagger: server.tagger.as_ref().map(|tagger| tagger.name.clone()),
        modes: Mode::ALL.iter().map(|mode| mode.name()).collect(),
        limits: Limits {
            body_bytes: limits::REQUEST_BODY,
            images: limits::REQUEST_IMAGES,
            queue: server.queue,
        },
    })
}
