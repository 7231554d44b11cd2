//! The state of the server, for supervisors and Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::super::server::Server;

/// The state of the server.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/health", tag = "operators", responses((status = 200, body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests are accepted.
#[utoipa::path(
    get, path = "/ready", tag = "operators",
    responses((status = 200, body = Health), (status = 503, body = Problem))
)]
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Result<Json<Health>, Problem> {
    if server.is_ending() {
        return Err(Problem::ending());
    }
    Ok(Json(Health { status: "ready" }))
}

/// Counters in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operators",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(server): State<Arc<Server>>) -> impl IntoResponse {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, TYPE)], server.metrics_text())
}
