//! `sallyport-screen`: the agent's viewer for one X display on a port of this machine, without an agent and without any grant.
//! For measurements and for checks with other people's clients; never part of a package.

use std::net::TcpListener;

use clap::Parser;
use sallyport_agent_core::remote::screen::find::Seat;
use sallyport_agent_core::remote::screen::local;

/// Shows an X display of this account to VNC clients on this machine.
#[derive(Parser)]
#[command(name = "sallyport-screen", version)]
struct Wishes {
    /// The display's number.
    #[arg(long)]
    display: u32,
    /// The port on the loopback address.
    #[arg(long)]
    port: u16,
}

fn main() -> anyhow::Result<()> {
    let wishes = Wishes::parse();
    let listener = TcpListener::bind(("127.0.0.1", wishes.port))?;
    for stream in listener.incoming() {
        let (stream, seat) = (stream?, Seat::of_own(wishes.display));
        std::thread::spawn(move || local::serve(seat, stream));
    }
    Ok(())
}
