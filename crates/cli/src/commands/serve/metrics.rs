//! Counters for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the time of a request, in seconds.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// Upper bounds of the number of images in a batch.
const BATCH: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];

/// What the server counts.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    images: Family<OutcomeLabels, Counter>,
    batches: Family<ModelLabels, Histogram, fn() -> Histogram>,
    in_work: Gauge,
    waiting: Family<ModelLabels, Gauge>,
    resident: Gauge<i64>,
    uptime: Gauge<f64, AtomicU64>,
    started: std::time::Instant,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelLabels {
    model: &'static str,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("interrogate");
        let requests = Family::default();
        registry.register("requests", "Requests by route and status", requests.clone());
        let seconds: Family<RouteLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let help = "Time until the response begins";
        registry.register_with_unit("request", help, Unit::Seconds, seconds.clone());
        let images = Family::default();
        registry.register("images", "Images by outcome", images.clone());
        let batches: Family<ModelLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BATCH));
        registry.register("batch_images", "Images of a model's batch", batches.clone());
        let in_work = Gauge::default();
        registry.register("images_in_work", "Images that are queued or computed", in_work.clone());
        let waiting = Family::default();
        registry.register("images_waiting", "Images that wait for a model", waiting.clone());
        let resident = Gauge::default();
        let help = "Resident memory (Linux)";
        registry.register_with_unit("resident_memory", help, Unit::Bytes, resident.clone());
        let uptime = Gauge::default();
        registry.register_with_unit(
            "uptime",
            "Time since the start",
            Unit::Seconds,
            uptime.clone(),
        );
        let started = std::time::Instant::now();
        Metrics {
            registry,
            requests,
            seconds,
            images,
            batches,
            in_work,
            waiting,
            resident,
            uptime,
            started,
        }
    }

    /// Counts a response.
    pub(super) fn request(&self, route: &str, status: u16, time: Duration) {
        let route = route.to_owned();
        self.seconds
            .get_or_create(&RouteLabels { route: route.clone() })
            .observe(time.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
    }

    /// Counts an image.
    pub(super) fn image(&self, is_ok: bool) {
        let outcome = if is_ok { "done" } else { "failed" };
        self.images.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a batch of a model.
    pub(super) fn batch(&self, model: &'static str, images: usize) {
        self.batches.get_or_create(&ModelLabels { model }).observe(images as f64);
    }

    /// Returns all values as Prometheus reads them. `in_work` counts the images that are queued
    /// or computed, `waiting` those that wait for each model.
    pub(super) fn text(&self, in_work: usize, waiting: &[(&'static str, usize)]) -> String {
        self.in_work.set(in_work as i64);
        for &(model, count) in waiting {
            self.waiting.get_or_create(&ModelLabels { model }).set(count as i64);
        }
        self.resident.set(resident_bytes().unwrap_or_default());
        self.uptime.set(self.started.elapsed().as_secs_f64());
        let mut text = String::new();
        let _ = encode(&mut text, &self.registry); // a String takes everything
        text
    }
}

/// Returns the resident memory of this process; `None` where the system does not say.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<i64>().ok()?.checked_mul(1024)
}
