//! `interrogate serve`: an HTTP server with a page for the browser.
//!
//! ```text
//! connection -> access -> body -> Running: decode -> caption -> clip thread -> row -> response
//! ```
//!
//! Each model belongs to one thread, which computes the waiting images of all requests in
//! batches. A row does not depend on its batch, so answers are those of the program.

mod access;
mod body;
mod clip;
mod clip_thread;
mod decoder;
mod form_text;
mod listener;
mod log;
mod metrics;
mod model_thread;
mod option_error;
mod page;
mod problem;
mod queue;
mod reply;
mod requests;
mod routes;
mod server;
mod tasks;
mod upload;

use std::sync::Arc;

use access::Access;
use server::Server;

use crate::args;
use crate::error::CliError;
use crate::interrupt;
use crate::logger::Logger;
use crate::outcome::Outcome;

/// Serves until a signal comes.
pub(crate) fn run(args: args::Serve, logger: &Logger) -> Result<Outcome, CliError> {
    let access = Access::open(&args.access, args.addr)?;
    let (addr, drain, format) = (args.addr, args.drain, args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(interrogate::Error::io("start", "the runtime"))?;
    // Before the models: an address in use is reported at once.
    let listener = runtime.block_on(listener::bind(addr)).map_err(|error| {
        let message = format!("cannot listen on {addr}: {error}");
        CliError::Arguments {
            message,
            hint: "choose another address: --addr 127.0.0.1:0".to_owned(),
        }
    })?;
    let bound = listener.local_addr().unwrap_or(addr);
    let server = Arc::new(Server::open(args, access, logger)?);
    log::start(format, logger.is_quiet());
    logger.note(format_args!("listening on http://{bound}"));
    if server.access.needs_key() {
        logger.note("every request needs the API key");
    }
    // The process waits for this after a signal, until it returns from main.
    std::mem::forget(interrupt::Work::finish_file());
    let app = routes::router(server.clone());
    let finished = runtime.block_on(listener::serve(listener, app, &server, drain));
    server.cancel();
    runtime.shutdown_background();
    let failed = usize::from(!finished);
    Ok(Outcome { done: 1, failed, interrupted: false })
}
