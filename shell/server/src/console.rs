//! The console's files: embedded in release builds, read from disk in debug builds.

use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::App;

/// `web/dist` as it was when the server was built. Rust work needs no Node: a missing folder is an empty one.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// Nothing inline, nothing from elsewhere, and no string becomes markup or script by itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; \
    require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

/// The file of that path, or the page.
pub(crate) async fn serve(app: &App, path: &str, headers: &HeaderMap) -> Response {
    let wanted = path.trim_start_matches('/');
    if let Some(response) = find(app, wanted, headers).await {
        return response;
    }
    if wanted.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    find(app, "index.html", headers)
        .await
        .unwrap_or_else(|| (StatusCode::NOT_FOUND, "The console is not built: run `npm ci && npm run build` in web/.\n").into_response())
}

async fn find(app: &App, wanted: &str, headers: &HeaderMap) -> Option<Response> {
    if wanted.is_empty() || wanted.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return None;
    }
    let brotli = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("br"));
    if brotli && let Some(bytes) = read(app, &format!("{wanted}.br")).await {
        return Some(answer(wanted, bytes, Some("br")));
    }
    read(app, wanted).await.map(|bytes| answer(wanted, bytes, None))
}

async fn read(app: &App, name: &str) -> Option<Vec<u8>> {
    match app.config.console_dir.clone().or_else(beside_the_source) {
        Some(dir) => tokio::fs::read(dir.join(name)).await.ok(),
        None => Files::get(name).map(|file| file.data.into_owned()),
    }
}

/// Debug builds read the folder itself, which may be built after the server; embedding fixes its path only if it is there before.
fn beside_the_source() -> Option<PathBuf> {
    cfg!(debug_assertions).then(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist"))
}

fn answer(name: &str, bytes: Vec<u8>, encoding: Option<&'static str>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    // Built names carry a hash of their content: what has one never changes.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
