//! Monitors as displays, and other sizes for screens that can change theirs.

use sallyport_model::limits;
use x11rb::connection::Connection as _;
use x11rb::protocol::randr::{self, ModeInfo};
use x11rb::protocol::xproto::ConnectionExt as _;

use super::{Link, ScreenError};
use crate::remote::screen::picture::rect::Rect;

/// Something that can be shown: one monitor, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Display {
    pub(crate) name: String,
    pub(crate) place: Rect,
    pub(crate) primary: Primary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primary {
    Yes,
    No,
}

/// The name under which all monitors are shown together.
pub(crate) const ALL: &str = "all";

/// What can be shown, all monitors together first.
pub(crate) fn displays(link: &Link) -> Result<Vec<Display>, ScreenError> {
    let whole = Rect::of_size(link.size());
    let mut displays = vec![Display { name: ALL.to_owned(), place: whole, primary: Primary::No }];
    if !link.has(randr::X11_EXTENSION_NAME)? {
        return Ok(displays);
    }
    // Servers older than RandR 1.5 answer with an error: they are shown whole.
    let Ok(reply) = randr::get_monitors(&link.connection, link.root, true)?.reply() else { return Ok(displays) };
    for monitor in reply.monitors {
        let name = link.connection.get_atom_name(monitor.name)?.reply()?.name;
        let from = (monitor.x.max(0) as u32, monitor.y.max(0) as u32);
        let place = Rect::between(from, (from.0 + u32::from(monitor.width), from.1 + u32::from(monitor.height))).intersect(whole);
        let name: String = String::from_utf8_lossy(&name).chars().take(limits::AGENT_NAME_CHARS).collect();
        let primary = if monitor.primary { Primary::Yes } else { Primary::No };
        displays.push(Display { name, place, primary });
    }
    displays.retain(|display| !display.place.is_empty());
    Ok(displays)
}

/// Gives the screen another size. `None` where it cannot have that: it has several monitors, or no such mode.
pub(crate) fn resize(link: &Link, size: (u16, u16)) -> Result<Option<()>, ScreenError> {
    if size.0 > limits::SCREEN_SIDE_PIXELS || size.1 > limits::SCREEN_SIDE_PIXELS || !link.has(randr::X11_EXTENSION_NAME)? {
        return Ok(None);
    }
    match try_resize(link, size) {
        Ok(done) => Ok(done),
        // A refusal by the server is an answer; only a lost connection is not.
        Err(Trouble::Refused) => Ok(None),
        Err(Trouble::Lost(error)) => Err(error),
    }
}

enum Trouble {
    Refused,
    Lost(ScreenError),
}

impl From<x11rb::errors::ConnectionError> for Trouble {
    fn from(error: x11rb::errors::ConnectionError) -> Self {
        Self::Lost(error.into())
    }
}

impl From<x11rb::errors::ReplyError> for Trouble {
    fn from(error: x11rb::errors::ReplyError) -> Self {
        match error {
            x11rb::errors::ReplyError::X11Error(_) => Self::Refused,
            x11rb::errors::ReplyError::ConnectionError(error) => error.into(),
        }
    }
}

fn try_resize(link: &Link, size: (u16, u16)) -> Result<Option<()>, Trouble> {
    let connection = &link.connection;
    let resources = randr::get_screen_resources_current(connection, link.root)?.reply()?;
    let mut lit = Vec::new();
    for crtc in &resources.crtcs {
        let state = randr::get_crtc_info(connection, *crtc, resources.config_timestamp)?.reply()?;
        if state.mode != 0 {
            lit.push((*crtc, state));
        }
    }
    // Which of several monitors would change is nothing that a size says.
    let [(crtc, state)] = &lit[..] else { return Ok(None) };
    let Some(output) = state.outputs.first() else { return Ok(None) };
    let known = randr::get_output_info(connection, *output, resources.config_timestamp)?.reply()?;
    let fits = |mode: &&ModeInfo| (mode.width, mode.height) == size && known.modes.contains(&mode.id);
    let mode = match resources.modes.iter().find(fits) {
        Some(mode) => mode.id,
        None => add_mode(link, *output, size)?,
    };
    set_mode(link, Target { crtc: *crtc, output: *output, mode, rotation: state.rotation }, size)
}

/// Screens that exist in memory only take any mode; real ones refuse.
fn add_mode(link: &Link, output: u32, size: (u16, u16)) -> Result<u32, Trouble> {
    let name = format!("sallyport-{}x{}", size.0, size.1);
    let (total_width, total_height) = (size.0 + size.0 / 4, size.1 + size.1 / 25 + 4);
    let mode = ModeInfo {
        width: size.0,
        height: size.1,
        dot_clock: u32::from(total_width) * u32::from(total_height) * 60,
        hsync_start: size.0 + size.0 / 16,
        hsync_end: size.0 + size.0 / 8,
        htotal: total_width,
        vsync_start: size.1 + 1,
        vsync_end: size.1 + 3,
        vtotal: total_height,
        name_len: name.len() as u16,
        ..ModeInfo::default()
    };
    let mode = randr::create_mode(&link.connection, link.root, mode, name.as_bytes())?.reply()?.mode;
    randr::add_output_mode(&link.connection, output, mode)?.check()?;
    Ok(mode)
}

struct Target {
    crtc: u32,
    output: u32,
    mode: u32,
    rotation: randr::Rotation,
}

/// A screen must hold its monitor at every moment, so it grows before and shrinks after.
fn set_mode(link: &Link, target: Target, size: (u16, u16)) -> Result<Option<()>, Trouble> {
    let connection = &link.connection;
    let (before, millimetres) = (link.size(), |pixels: u16| u32::from(pixels) * 254 / 960);
    let screen =
        |width: u16, height: u16| randr::set_screen_size(connection, link.root, width, height, millimetres(width), millimetres(height));
    let around = (before.0.max(size.0), before.1.max(size.1));
    if around != before {
        screen(around.0, around.1)?.check()?;
    }
    let (now, outputs) = (x11rb::CURRENT_TIME, [target.output]);
    let set = randr::set_crtc_config(connection, target.crtc, now, now, 0, 0, target.mode, target.rotation, &outputs)?.reply()?;
    if set.status != randr::SetConfig::SUCCESS {
        return Ok(None);
    }
    if around != size {
        screen(size.0, size.1)?.check()?;
    }
    connection.flush()?;
    Ok(Some(()))
}
