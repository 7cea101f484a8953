//! Asks this machine what a background session would be asked, without server, grant or link: for trying things in a container.
//!
//! `background REQUEST [PUSHES]` prints every message up to the end of the request, and then so many pushes. It fails when
//! the request does.

use std::time::Duration;

use sallyport_agent_core::remote::background::background;
use sallyport_agent_core::remote::kind::rig::{Client, Got, Rig, session};
use sallyport_grant::body::{Access, RemoteKind};

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let request = arguments.next().ok_or("a request is missing")?;
    let pushes = arguments.next().map_or(Ok(0), |number| number.parse::<u32>()).map_err(|error| error.to_string())?;
    let mut rig = Rig::open(background, session(RemoteKind::Background));
    let mut client = rig.attach("container", Access::Control);
    client.text(&request);
    let succeeded = end(&mut client).await?;
    for _ in 0..pushes {
        println!("{}", next(&mut client).await?);
    }
    if succeeded { Ok(()) } else { Err("the request failed".to_owned()) }
}

async fn end(client: &mut Client) -> Result<bool, String> {
    loop {
        let message = next(client).await?;
        println!("{message}");
        match message["t"].as_str() {
            Some("ok") => return Ok(true),
            Some("error") => return Ok(false),
            _ => {}
        }
    }
}

async fn next(client: &mut Client) -> Result<serde_json::Value, String> {
    match client.next_within(PATIENCE).await {
        Some(Got::Control(message)) => Ok(message),
        other => Err(format!("{other:?} instead of a message")),
    }
}
