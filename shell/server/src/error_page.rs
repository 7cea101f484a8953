//! The page that the `type` of every problem leads to: what each code means and what to do next. It needs no sign-in and no script.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use data_encoding::BASE64;
use sallyport_api::Code;
use sha2::{Digest as _, Sha256};

/// Where it is. A code's own part is its fragment.
pub(crate) const PATH: &str = "/docs/errors";

const STYLE: &str = "\
    :root{color-scheme:light dark;font:16px/1.55 system-ui,sans-serif}\
    body{max-width:44rem;margin:0 auto;padding:2rem 1.25rem 60vh}\
    h1{font-size:1.6rem;margin:0 0 .25rem}p{margin:.3rem 0}\
    section{border-top:1px solid color-mix(in srgb,currentColor 18%,transparent);padding:1rem .75rem;scroll-margin-top:1rem}\
    section:target{background:color-mix(in srgb,#3b82f6 14%,transparent);border-radius:.4rem}\
    h2{font-size:1rem;margin:0;display:flex;gap:.75rem;flex-wrap:wrap;align-items:baseline}\
    code{font:600 .95rem/1.4 ui-monospace,monospace}a{color:inherit}\
    .status{font-weight:400;opacity:.75}";

/// The page and what it may load: nothing but its own style.
struct Page {
    html: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| Page {
    html: html(),
    policy: format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        BASE64.encode(&Sha256::digest(STYLE))
    ),
});

/// Answers with the page.
pub(crate) async fn show() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE.policy.as_str()),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, PAGE.html.as_str())
}

fn html() -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Errors · Sallyport</title><style>{STYLE}</style></head><body><main><h1>Errors</h1>\
         <p>Every refusal carries one of these codes (RFC 9457). The number that stands beside it in an answer, the request's id, finds it in the server's log.</p>"
    );
    for code in Code::ALL {
        let word = code.as_str();
        let (title, remedy) = (escaped(code.title()), escaped(code.remedy()));
        let status = code.status();
        writeln!(
            html,
            "<section id=\"{word}\"><h2><a href=\"#{word}\"><code>{word}</code></a> <span class=\"status\">HTTP {status}</span></h2>\
             <p><strong>{title}.</strong></p><p>{remedy}</p></section>"
        )
        .expect("writing to a string");
    }
    html.push_str("</main></body></html>\n");
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
