//! The routes of the web UI's tagger extension.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use interrogate::tagger::Thresholds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::super::requests::{Wanted, no_tagger};
use super::super::server::Server;
use super::interrogator::{Labels, image, model_not_found, row};
use super::v1::check_score;

/// A request for tags.
#[derive(Deserialize, ToSchema)]
pub(super) struct TaggerRequest {
    /// The bytes of an image file in base64.
    image: Option<String>,
    /// The server's tagger, or nothing.
    #[serde(default)]
    model: String,
    /// Lowest score of a tag, 0 to 1. The default is the server's for general tags.
    threshold: Option<f32>,
}

/// The tags of an image with their scores: ratings, characters and general tags, best first.
#[derive(Serialize, ToSchema)]
pub(super) struct TaggerResponse {
    caption: Labels,
}

/// The taggers.
#[derive(Serialize, ToSchema)]
pub(super) struct Taggers {
    models: Vec<String>,
}

/// Lists the taggers: the one of the server, if it has one.
#[utoipa::path(
    get, path = "/tagger/v1/interrogators", tag = "compatible",
    responses((status = 200, body = Taggers))
)]
pub(super) async fn interrogators(State(server): State<Arc<Server>>) -> Json<Taggers> {
    let models = server.tagger.iter().map(|tagger| tagger.name.clone());
    Json(Taggers { models: models.collect() })
}

/// Tags an image, as the tagger extension does.
#[utoipa::path(
    post, path = "/tagger/v1/interrogate", tag = "compatible", request_body = TaggerRequest,
    responses(
        (status = 200, body = TaggerResponse),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn interrogate(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<TaggerResponse>, Problem> {
    #[derive(Deserialize)]
    struct Tag {
        tag: String,
        score: f64,
    }
    #[derive(Deserialize)]
    struct Row {
        rating: Option<Tag>,
        characters: Vec<Tag>,
        general: Vec<Tag>,
    }
    let (request, reserved): (TaggerRequest, _) = server.memory.read(request).await?.json()?;
    let image = image(request.image, reserved)?;
    let tagger = server.tagger.as_ref().ok_or_else(no_tagger)?;
    if !request.model.is_empty() && request.model != tagger.name {
        return Err(model_not_found(&tagger.name));
    }
    let threshold = request.threshold.unwrap_or(tagger.thresholds().general);
    check_score("threshold", threshold)?;
    let thresholds = Thresholds { general: threshold, character: threshold };
    let row: Row = row(&server, image, &Wanted::Tags(thresholds)).await?;
    let tags = row.rating.into_iter().chain(row.characters).chain(row.general);
    Ok(Json(TaggerResponse { caption: Labels(tags.map(|it| (it.tag, it.score)).collect()) }))
}
