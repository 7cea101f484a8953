//! Metrics on a listener of their own, and the limit of open files.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{interval, timeout};

use crate::ServeError;

/// Samples are kept one by one until they are summed up: also while nobody scrapes.
const SUM_UP: Duration = Duration::from_secs(5);
/// A scraper that is slower than this comes again.
const ANSWER: Duration = Duration::from_secs(10);

/// Serves Prometheus text at every path of an address that only operators reach.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve_metrics(address: SocketAddr) -> Result<(), ServeError> {
    let wrong = |error: &dyn std::fmt::Display| ServeError::Metrics(error.to_string());
    let handle = PrometheusBuilder::new().install_recorder().map_err(|error| wrong(&error))?;
    let listener = TcpListener::bind(address).await.map_err(|error| wrong(&error))?;
    tokio::spawn(async move {
        let mut sum_up = interval(SUM_UP);
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => drop(tokio::spawn(timeout(ANSWER, answer(stream, handle.clone())))),
                _ = sum_up.tick() => handle.run_upkeep(),
            }
        }
    });
    Ok(())
}

/// One answer per connection: that is all that a scraper needs.
async fn answer(mut stream: tokio::net::TcpStream, handle: PrometheusHandle) {
    let mut request = [0u8; 2048];
    let _ = stream.read(&mut request).await;
    let body = handle.render();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}

/// Files that are kept for the store, the console and logs.
const OTHER_FILES: u64 = 1000;

/// Raises the soft limit of open files to the hard one; says how many that is and how many agents fit.
pub fn files_and_agents() -> (u64, u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let files = limit.maximum.unwrap_or(u64::MAX);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let files = if raised.is_ok() { files } else { limit.current.unwrap_or(files) };
    (files, files.saturating_sub(OTHER_FILES))
}
