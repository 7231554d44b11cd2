//! Accepts connections, and ends within the drain time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use interrogate::limits;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::server::Server;
use crate::interrupt;

/// The longest time in which the head of a request has to arrive. It also closes connections
/// that are idle.
const HEAD: Duration = Duration::from_secs(30);

/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// How often a signal is looked for.
const POLL: Duration = Duration::from_millis(50);

/// The pause after an error of `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The time for the last responses, after the drain time.
const LAST: Duration = Duration::from_millis(500);

/// Serves `app` until a signal comes. Then no connection is accepted and the open requests have
/// `drain` to finish. Returns whether all did.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    server: &Arc<Server>,
    drain: Duration,
) -> bool {
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let signal = async {
        while !interrupt::interrupted() {
            sleep(POLL).await;
        }
    };
    tokio::pin!(signal);
    loop {
        let permit = connections.clone().acquire_owned();
        let accepted = async { (permit.await, listener.accept().await) };
        let (permit, stream) = tokio::select! {
            () = &mut signal => break,
            (permit, accepted) = accepted => match accepted {
                Ok((stream, _)) => (permit, stream),
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true); // a delay costs time, not correctness
        let service = TowerToHyperService::new(app.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _permit = permit;
            let _ = connection.await; // a broken connection concerns its client alone
        });
    }
    drop(listener);
    server.end();
    let open = server.in_work();
    tracing::info!(images = open, "ending: no more requests are accepted");
    let closed = graceful.shutdown();
    tokio::pin!(closed);
    if timeout(drain, &mut closed).await.is_ok() {
        return true;
    }
    tracing::error!("the drain time has passed: open requests are cut off");
    server.cancel();
    let _ = timeout(LAST, &mut closed).await;
    false
}

/// Binds `addr`.
///
/// # Errors
/// Those of the system, such as an address in use.
pub(super) async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).await
}
