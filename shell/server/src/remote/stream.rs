//! The WebSocket routes of streams: a ticket, and nothing else, says whose socket it is.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use sallyport_api::Code;
use sallyport_decide::accounts::session::Token;
use sallyport_model::limits;
use sallyport_store::ops::accounts::live_session_by_id;
use sallyport_store::ops::networks::{is_challenged, rules};
use sallyport_store::ops::remote::{Attachment, attachment, may_attach};
use sallyport_wire::stream::{SUBPROTOCOL, TICKET_PREFIX};

use super::streams::Arrival;
use super::{Side, relay};
use crate::{App, Refusal};

/// About one frame of a file. It is cleared before each reading, so that more would slow keystrokes down.
const READ_BYTES: usize = 32 * 1024;
/// Frames that came together leave together.
const WRITE_BYTES: usize = 64 * 1024;

/// A client's end. Browsers say where they come from, and that must be here (A21); a program says that it is none.
pub(crate) async fn client(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let is_program = parts.headers.get("sallyport-client").is_some_and(|value| value.as_bytes() == b"cli");
    // The guard compared an origin that is there; one that is absent could be anybody's.
    if !parts.headers.contains_key(header::ORIGIN) && !is_program {
        return Err(Code::OriginRefused.into());
    }
    accept(app, parts, Side::Client).await
}

/// The route of the agents' ends.
pub(crate) fn agent_route() -> MethodRouter<App> {
    get(agent)
}

/// A device's end. Agents are no browsers.
async fn agent(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    if parts.headers.contains_key(header::ORIGIN) || parts.headers.contains_key("sec-fetch-site") {
        return Err(Code::OriginRefused.into());
    }
    accept(app, parts, Side::Device).await
}

async fn accept(app: App, mut parts: Parts, side: Side) -> Result<Response, Refusal> {
    let token = offered(&parts).ok_or(Code::TicketRefused)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await.map_err(|_| Refusal::from(Code::Malformed))?;
    let ticket = app.remote.take_ticket(&token, app.clock.now()).filter(|ticket| ticket.side == side).ok_or(Code::TicketRefused)?;
    let attachment = attachment(&mut app.store.read().await?, ticket.tenant, ticket.grant).await?.ok_or(Code::RemoteSessionEnded)?;
    let ConnectInfo(client) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Code::Internal)?;
    let from = client.ip().to_canonical();
    if !stands(&app, &attachment).await? || side == Side::Client && !may_come_from(&app, &attachment, from).await? {
        return Err(Code::TicketRefused.into());
    }
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(limits::STREAM_MESSAGE_BYTES)
        .max_frame_size(limits::STREAM_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| serve(app, attachment, side, socket, from)).into_response())
}

/// The ticket among the offered subprotocols; browsers can set no other header.
fn offered(parts: &Parts) -> Option<Token> {
    let lines = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offered: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    match offered[..] {
        [SUBPROTOCOL, ticket] => Token::parse(ticket.strip_prefix(TICKET_PREFIX)?).ok(),
        _ => None,
    }
}

/// Whether the person's session lives and waits for no factor, and their rights suffice; from now on the sweep looks after that.
async fn stands(app: &App, attachment: &Attachment) -> Result<bool, Refusal> {
    let mut reader = app.store.read().await?;
    let live = live_session_by_id(&mut reader, attachment.user_session).await?;
    match live
        .filter(|live| live.session.lives(app.clock.now()).is_ok() && (live.user, live.tenant) == (attachment.person, attachment.tenant))
    {
        Some(_) if is_challenged(&mut reader, attachment.user_session).await? => Ok(false),
        Some(live) => Ok(may_attach(&mut reader, &live.rights, attachment.attaching()).await?),
        None => Ok(false),
    }
}

/// Whether the tenant's rules let the person use it from here.
async fn may_come_from(app: &App, attachment: &Attachment, from: IpAddr) -> Result<bool, Refusal> {
    Ok(rules(&mut app.store.read().await?, attachment.tenant).await?.rules.allows_remote(from))
}

async fn serve(app: App, attachment: Attachment, side: Side, socket: WebSocket, from: IpAddr) {
    match app.remote.arrive(attachment.grant, side, socket, from) {
        Arrival::Met => {}
        Arrival::First { socket, other, place } => Box::pin(relay::first(app, attachment, side, socket, other, place)).await,
    }
}
