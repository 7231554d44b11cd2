//! The description of the routes.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::{RefOr, Schema};

use super::{interrogator, operators, sdapi, tagger, v1};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "interrogate",
        description = "What does this image look like, in words? Prompts, rankings, captions and tags."
    ),
    paths(
        v1::info,
        v1::prompt,
        v1::rank,
        v1::analyze,
        v1::caption,
        v1::tag,
        v1::embed,
        interrogator::models,
        interrogator::prompt,
        interrogator::analyze,
        sdapi::interrogate,
        sdapi::openclip_models,
        sdapi::openclip,
        tagger::interrogators,
        tagger::interrogate,
        operators::health,
        operators::ready,
        operators::metrics
    )
)]
struct Document;

/// Returns the OpenAPI document.
pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    let mut document = Document::openapi();
    let schemas = document.components.iter_mut().flat_map(|it| it.schemas.values_mut());
    schemas.for_each(open_to_other_fields);
    Json(document)
}

/// Lets an object have other fields than its own. The options of a route are one part of a
/// request and its images the other (`allOf`), so neither part may refuse the other's fields.
fn open_to_other_fields(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => object.additional_properties = None,
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(open_to_other_fields),
        _ => {}
    }
}
