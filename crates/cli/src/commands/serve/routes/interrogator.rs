//! The routes of clip-interrogator-ext, and what the other compatible routes share.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::super::requests::{Running, Wanted};
use super::super::server::Server;
use super::super::tasks::{self, Analyze, Task};
use super::super::upload::{Bounded, Data, Reserved, Upload};
use crate::args::Mode;
use crate::captions::Overrides;

/// The number of labels of a table in an analysis.
const LABELS: usize = 5;

/// The tables of an analysis, in the order of its fields.
const TABLES: [&str; 5] = ["mediums", "artists", "movements", "trendings", "flavors"];

/// A request for an analysis.
#[derive(Deserialize, ToSchema)]
pub(super) struct AnalyzeRequest {
    /// The bytes of an image file in base64.
    image: Option<String>,
    /// The server's model, or nothing.
    #[serde(default)]
    clip_model_name: String,
}

/// A request for a prompt.
#[derive(Deserialize, ToSchema)]
pub(super) struct PromptRequest {
    /// The bytes of an image file in base64.
    image: Option<String>,
    /// The server's model, or nothing.
    #[serde(default)]
    clip_model_name: String,
    #[serde(default = "fast")]
    mode: Mode,
}

fn fast() -> Mode {
    Mode::Fast
}

/// A prompt.
#[derive(Serialize, ToSchema)]
pub(super) struct PromptResponse {
    prompt: String,
}

/// The best labels of five tables with their cosines, best first.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Analysis {
    pub(super) medium: Labels,
    pub(super) artist: Labels,
    pub(super) movement: Labels,
    pub(super) trending: Labels,
    pub(super) flavor: Labels,
}

/// Labels with their scores, which are an object in JSON that keeps their order.
#[derive(Debug, Default, ToSchema)]
#[schema(value_type = std::collections::HashMap<String, f64>)]
pub(super) struct Labels(pub(super) Vec<(String, f64)>);

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(label, score)| map.serialize_entry(label, score))?;
        map.end()
    }
}

/// Lists the models: the one of the server.
#[utoipa::path(
    get, path = "/interrogator/models", tag = "compatible",
    responses((status = 200, body = Vec<String>))
)]
pub(super) async fn models(State(server): State<Arc<Server>>) -> Json<Vec<String>> {
    Json(vec![server.clip.name()])
}

/// Writes a prompt, as clip-interrogator-ext does.
#[utoipa::path(
    post, path = "/interrogator/prompt", tag = "compatible", request_body = PromptRequest,
    responses(
        (status = 200, body = PromptResponse),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn prompt(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<PromptResponse>, Problem> {
    let (request, reserved): (PromptRequest, _) = server.memory.read(request).await?.json()?;
    check_model(&server, &request.clip_model_name)?;
    let prompt = tasks::Prompt { mode: request.mode, ..tasks::Prompt::default() };
    let prompt =
        prompt_of(&server, image(request.image, reserved)?, prompt, Overrides::default()).await?;
    Ok(Json(PromptResponse { prompt }))
}

/// Returns the best labels of five tables, as clip-interrogator-ext does.
#[utoipa::path(
    post, path = "/interrogator/analyze", tag = "compatible", request_body = AnalyzeRequest,
    responses(
        (status = 200, body = Analysis),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn analyze(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<Analysis>, Problem> {
    let (request, reserved): (AnalyzeRequest, _) = server.memory.read(request).await?.json()?;
    check_model(&server, &request.clip_model_name)?;
    Ok(Json(analysis(&server, image(request.image, reserved)?).await?))
}

/// Returns the image of a request.
///
/// # Errors
/// Status 404 with the web UI's message if there is none.
pub(super) fn image(image: Option<String>, reserved: Reserved) -> Result<Upload, Problem> {
    let found = image.filter(|image| !image.is_empty());
    let data = found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Image not found"))?;
    Ok(Upload { name: "image".to_owned(), data: Data::Base64(data), _reserved: reserved })
}

/// Checks that the server has the model `name`.
pub(super) fn check_model(server: &Server, name: &str) -> Result<(), Problem> {
    if server.clip.is_named(name) {
        return Ok(());
    }
    Err(model_not_found(&server.clip.name()))
}

/// The problem of a model that the server does not have, in the words of the web UI.
pub(super) fn model_not_found(model: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Model not found")
        .with_hint(format!("this server has {model}; start another with --model"))
}

/// Writes the prompt of one image.
pub(super) async fn prompt_of(
    server: &Arc<Server>,
    image: Upload,
    prompt: tasks::Prompt,
    overrides: Overrides,
) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Row {
        prompt: String,
    }
    let wanted = Wanted::Task(Arc::new(Task::Prompt(prompt)), overrides);
    let row: Row = row(server, image, &wanted).await?;
    Ok(row.prompt)
}

/// Analyzes one image. Tables that the index does not have are empty.
pub(super) async fn analysis(server: &Arc<Server>, image: Upload) -> Result<Analysis, Problem> {
    #[derive(Deserialize)]
    struct Row {
        tables: std::collections::BTreeMap<String, Vec<Match>>,
    }
    #[derive(Deserialize)]
    struct Match {
        label: String,
        score: f64,
    }
    let has = |name: &&str| server.clip.index.tables().iter().any(|table| table.name() == *name);
    let tables: Vec<String> =
        TABLES.iter().filter(|name| has(name)).map(|it| (*it).to_owned()).collect();
    if tables.is_empty() {
        return Ok(Analysis::default());
    }
    let analyze = Analyze { k: LABELS, tables: Bounded(tables) };
    let wanted = Wanted::Task(Arc::new(Task::Analyze(analyze)), Overrides::default());
    let mut row: Row = row(server, image, &wanted).await?;
    let [medium, artist, movement, trending, flavor] = TABLES.map(|name| {
        let matches = row.tables.remove(name).unwrap_or_default();
        Labels(matches.into_iter().map(|found| (found.label, found.score)).collect())
    });
    Ok(Analysis { medium, artist, movement, trending, flavor })
}

/// Computes one image and parses its row.
pub(super) async fn row<T: DeserializeOwned>(
    server: &Arc<Server>,
    image: Upload,
    wanted: &Wanted,
) -> Result<T, Problem> {
    let outcomes = Running::start(server, vec![image], wanted)?.finish().await?;
    let (_, row) = outcomes.into_iter().next().ok_or_else(Problem::internal)?;
    let row = row?;
    server.log_row(&row);
    serde_json::from_str(&row).map_err(|_| Problem::internal())
}
