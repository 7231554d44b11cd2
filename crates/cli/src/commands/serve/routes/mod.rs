//! The routes.

mod interrogator;
mod openapi;
mod operators;
mod sdapi;
mod tagger;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use super::problem::Problem;
use super::server::Server;
use super::{access, log, page};

/// Returns the service of `server`.
pub(super) fn router(server: Arc<Server>) -> Router {
    let id = HeaderName::from_static(log::REQUEST_ID);
    let router = Router::new()
        .route("/v1/info", get(v1::info))
        .route("/v1/prompt", post(v1::prompt))
        .route("/v1/rank", post(v1::rank))
        .route("/v1/analyze", post(v1::analyze))
        .route("/v1/caption", post(v1::caption))
        .route("/v1/tag", post(v1::tag))
        .route("/v1/embed", post(v1::embed))
        .route("/interrogator/models", get(interrogator::models))
        .route("/interrogator/prompt", post(interrogator::prompt))
        .route("/interrogator/analyze", post(interrogator::analyze))
        .route("/sdapi/v1/interrogate", post(sdapi::interrogate))
        .route("/sdapi/v1/openclip", get(sdapi::openclip_models).post(sdapi::openclip))
        .route("/tagger/v1/interrogators", get(tagger::interrogators))
        .route("/tagger/v1/interrogate", post(tagger::interrogate))
        .route("/health", get(operators::health))
        .route("/ready", get(operators::ready))
        .route("/metrics", get(operators::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/", get(page::index))
        .route("/page/{name}", get(page::asset))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    let router = router
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(DefaultBodyLimit::disable()) // body.rs has its own
        .layer(middleware::from_fn_with_state(server.access.clone(), access::guard))
        .layer(middleware::from_fn_with_state(server.clone(), log::requests));
    let router = match cors(&server.access.origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(PropagateRequestIdLayer::new(id.clone()))
        .layer(SetRequestIdLayer::new(id, MakeRequestUuid))
        .layer(middleware::from_fn(log::limit_id))
        .with_state(server)
}

/// Lets pages of `origins` use the server.
fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let headers =
        [header::CONTENT_TYPE, header::AUTHORIZATION, HeaderName::from_static("x-api-key")];
    let cors = || {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins.iter().cloned()))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(headers)
    };
    (!origins.is_empty()).then(cors)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such route").with_hint("/openapi.json lists the routes")
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the route has another method")
        .with_hint("/openapi.json lists the routes")
}
