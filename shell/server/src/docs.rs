//! The API's description, and the reviewed tables of this program as text.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use sallyport_api::Code;

use crate::{App, Refusal, routes};

/// The OpenAPI document. Making it is work, and it never changes: once, when somebody wants it.
pub(crate) async fn openapi(State(_): State<App>) -> Result<Response, Refusal> {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let document = routes::described(&routes::table());
        Bytes::from(serde_json::to_vec(&document).expect("the document is plain data"))
    });
    let document = tokio::task::spawn_blocking(|| DOCUMENT.clone()).await.map_err(|_| Code::Internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document).into_response())
}

/// The OpenAPI document as text.
///
/// # Errors
/// Never in practice: the document is plain data.
pub fn print_openapi() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&routes::described(&routes::table()))
}

/// Who may do what.
pub fn print_roles() -> String {
    let mut text = sallyport_decide::policy::print();
    text.push_str("\naction                        lowest class\n");
    for kind in sallyport_decide::actions::ActionKind::ALL {
        text.push_str(&format!("{:<30}{}\n", kind.as_str(), u8::from(kind.class())));
    }
    text
}

/// A page about every code that a refusal can carry.
pub fn print_errors() -> String {
    let mut text = String::from("# Errors\n\nEvery refusal is an RFC 9457 problem with one of these codes.\n");
    for code in Code::ALL {
        let (word, title, remedy) = (code.as_str(), code.title(), code.remedy());
        text.push_str(&format!("\n## {word}\n\nHTTP {}. {title}.\n\n{remedy}\n", code.status()));
    }
    text
}

/// Messages to agents that carry no grant, each with the reason why it needs none.
pub fn print_unsigned_messages() -> String {
    sallyport_wire::UNSIGNED_MESSAGES.iter().map(|(name, why)| format!("{name:<20}{why}\n")).collect()
}
