//! The routes of the Stable Diffusion web UI and of SD.Next.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::super::server::Server;
use super::super::tasks::Prompt;
use super::interrogator::{Labels, analysis, check_model, image, model_not_found, prompt_of};
use crate::args::Mode;
use crate::captions::Overrides;

/// A request of the web UI.
#[derive(Deserialize, ToSchema)]
pub(super) struct InterrogateRequest {
    /// The bytes of an image file in base64.
    image: Option<String>,
    /// "clip"
    #[serde(default = "clip")]
    model: String,
}

fn clip() -> String {
    "clip".to_owned()
}

/// A prompt under the name that the web UI gives it.
#[derive(Serialize, ToSchema)]
pub(super) struct InterrogateResponse {
    caption: String,
}

/// Writes a prompt, as the Stable Diffusion web UI does.
#[utoipa::path(
    post, path = "/sdapi/v1/interrogate", tag = "compatible", request_body = InterrogateRequest,
    responses(
        (status = 200, body = InterrogateResponse),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn interrogate(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<InterrogateResponse>, Problem> {
    let (request, reserved): (InterrogateRequest, _) = server.memory.read(request).await?.json()?;
    let image = image(request.image, reserved)?;
    if request.model != "clip" {
        return Err(model_not_found("clip"));
    }
    let caption = prompt_of(&server, image, Prompt::default(), Overrides::default()).await?;
    Ok(Json(InterrogateResponse { caption }))
}

/// Lists the models: the one of the server.
#[utoipa::path(
    get, path = "/sdapi/v1/openclip", tag = "compatible",
    responses((status = 200, body = Vec<String>))
)]
pub(super) async fn openclip_models(State(server): State<Arc<Server>>) -> Json<Vec<String>> {
    Json(vec![server.clip.name()])
}

/// A request of SD.Next.
#[derive(Deserialize, ToSchema)]
pub(super) struct OpenClipRequest {
    /// The bytes of an image file in base64.
    image: Option<String>,
    /// The server's model, or nothing.
    #[serde(default)]
    model: String,
    /// The server's model, or nothing.
    #[serde(default)]
    clip_model: String,
    /// The server's caption model, or nothing.
    #[serde(default)]
    blip_model: String,
    #[serde(default = "best")]
    mode: Mode,
    /// Also return the best label of five tables.
    #[serde(default)]
    analyze: bool,
    min_flavors: Option<usize>,
    max_flavors: Option<usize>,
    /// Number of labels that a chain chooses from.
    flavor_count: Option<usize>,
    /// Beams of the caption model.
    num_beams: Option<usize>,
    /// Tokens of a caption.
    max_length: Option<usize>,
}

fn best() -> Mode {
    Mode::Best
}

/// A prompt and, if asked for, the best label of each table.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct OpenClipResponse {
    caption: Option<String>,
    medium: Option<String>,
    artist: Option<String>,
    movement: Option<String>,
    trending: Option<String>,
    flavor: Option<String>,
}

/// Writes a prompt, as SD.Next does.
#[utoipa::path(
    post, path = "/sdapi/v1/openclip", tag = "compatible", request_body = OpenClipRequest,
    responses(
        (status = 200, body = OpenClipResponse),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn openclip(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<OpenClipResponse>, Problem> {
    let (request, reserved): (OpenClipRequest, _) = server.memory.read(request).await?.json()?;
    let image = image(request.image, reserved)?;
    check_model(&server, &request.model)?;
    check_model(&server, &request.clip_model)?;
    let captioner = server.captioner.as_ref().map(|captioner| captioner.name.as_str());
    if !request.blip_model.is_empty() && captioner.is_some_and(|name| name != request.blip_model) {
        return Err(model_not_found(captioner.unwrap_or_default()));
    }
    let defaults = Prompt::default();
    let prompt = Prompt {
        mode: request.mode,
        min_flavors: request.min_flavors.unwrap_or(defaults.min_flavors),
        max_flavors: request.max_flavors,
        chain_candidates: request.flavor_count,
        ..defaults
    };
    let overrides = Overrides { num_beams: request.num_beams, max_length: request.max_length };
    let analyzed =
        if request.analyze { Some(analysis(&server, image.clone()).await?) } else { None };
    let caption = Some(prompt_of(&server, image, prompt, overrides).await?);
    let best = |labels: Labels| labels.0.into_iter().next().map(|(label, _)| label);
    Ok(Json(match analyzed {
        Some(found) => OpenClipResponse {
            caption,
            medium: best(found.medium),
            artist: best(found.artist),
            movement: best(found.movement),
            trending: best(found.trending),
            flavor: best(found.flavor),
        },
        None => OpenClipResponse { caption, ..OpenClipResponse::default() },
    }))
}
