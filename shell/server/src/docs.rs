//! The API's description, and the reviewed tables of this program as text.

use axum::extract::State;
use sallyport_api::Code;

use crate::{App, Json, routes};

/// The OpenAPI document.
pub(crate) async fn openapi(State(_): State<App>) -> Json<utoipa::openapi::OpenApi> {
    Json(routes::document(&routes::table()))
}

/// The OpenAPI document as text.
///
/// # Errors
/// Never in practice: the document is plain data.
pub fn print_openapi() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&routes::document(&routes::table()))
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
