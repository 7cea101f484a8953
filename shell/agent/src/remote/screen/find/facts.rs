//! What the system says about displays: servers, sessions, virtual terminals. Everything read is bounded, because users can
//! write much of it.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Cookie, Seat, authority, own_uid};

/// What is read of a file at most.
const BYTES: u64 = 256 * 1024;
/// Programs that show X windows; Xwayland is none of them, because it has windows and no screen.
const SERVERS: [&str; 10] = ["Xorg", "X", "Xorg.bin", "Xvfb", "Xephyr", "Xtigervnc", "Xvnc", "Xtightvnc", "Xspice", "Xdummy"];

/// Everything that decides which display is meant.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(super) root: PathBuf,
    pub(super) servers: Vec<Server>,
    pub(super) sessions: Vec<Session>,
    /// The virtual terminal in front.
    pub(super) active_vt: Option<u32>,
}

/// A running X server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(super) pid: u32,
    pub(super) display: u32,
    pub(super) owner: u32,
    pub(super) vt: Option<u32>,
    pub(super) authority: Option<PathBuf>,
}

/// A session as systemd-logind knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(super) uid: u32,
    pub(super) kind: SessionKind,
    pub(super) vt: Option<u32>,
    pub(super) display: Option<u32>,
    pub(super) active: bool,
    pub(super) seat: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionKind {
    X11,
    Wayland,
    Other,
}

impl Session {
    /// Whether it is what somebody at the machine sees.
    pub(super) fn is_in_front(&self) -> bool {
        self.active && self.seat.is_some() && self.kind != SessionKind::Other
    }
}

impl Facts {
    /// Reads what there is below `root`, which is `/` but for tests.
    pub(crate) fn gather(root: &Path) -> Self {
        Self { servers: servers(root), sessions: sessions(root), active_vt: active_vt(root), root: root.to_owned() }
    }

    /// The session that a server shows.
    pub(super) fn session_of(&self, server: &Server) -> Option<&Session> {
        let shown = |session: &&Session| session.display == Some(server.display) || (session.vt.is_some() && session.vt == server.vt);
        self.sessions.iter().filter(|session| session.kind == SessionKind::X11).find(shown)
    }

    /// How to be let in: the server's own file, or what programs of its user have.
    pub(crate) fn seat_of(&self, server: &Server) -> Seat {
        let users = [Some(server.owner), self.session_of(server).map(|session| session.uid)];
        let users: Vec<u32> = users.into_iter().flatten().collect();
        let own = server.authority.as_deref().and_then(|path| authority::cookie(path, server.display));
        let cookie = own.or_else(|| self.cookie_of_programs(server.display, &users));
        Seat { socket: socket(&self.root, server.display), cookie, servers: [&users[..], &[0, own_uid()]].concat() }
    }

    fn cookie_of_programs(&self, display: u32, users: &[u32]) -> Option<Cookie> {
        processes(&self.root).filter(|process| users.contains(&process.owner)).find_map(|process| {
            let environment = read(&process.folder.join("environ"))?;
            let mut variables = environment.split(|byte| *byte == 0);
            variables.clone().find(|variable| is_display(variable, display))?;
            let path = variables.find_map(|variable| variable.strip_prefix(b"XAUTHORITY="))?;
            authority::cookie(Path::new(std::str::from_utf8(path).ok()?), display)
        })
    }
}

fn is_display(variable: &[u8], display: u32) -> bool {
    let named = variable.strip_prefix(b"DISPLAY=:").and_then(|rest| rest.split(|byte| *byte == b'.').next());
    named.is_some_and(|number| number == display.to_string().as_bytes())
}

/// Where a display's clients connect.
pub(super) fn socket(root: &Path, display: u32) -> PathBuf {
    root.join(format!("tmp/.X11-unix/X{display}"))
}

struct Process {
    pid: u32,
    owner: u32,
    folder: PathBuf,
}

fn processes(root: &Path) -> impl Iterator<Item = Process> {
    std::fs::read_dir(root.join("proc")).into_iter().flatten().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some(Process { pid, owner: entry.metadata().ok()?.uid(), folder: entry.path() })
    })
}

fn servers(root: &Path) -> Vec<Server> {
    processes(root).filter_map(|process| server(root, &process)).collect()
}

fn server(root: &Path, process: &Process) -> Option<Server> {
    let command = read(&process.folder.join("cmdline"))?;
    let arguments: Vec<&str> = command.split(|byte| *byte == 0).filter_map(|argument| std::str::from_utf8(argument).ok()).collect();
    let (program, arguments) = arguments.split_first()?;
    let program = program.rsplit('/').next()?;
    if !SERVERS.contains(&program) {
        return None;
    }
    let named = arguments.iter().find_map(|argument| argument.strip_prefix(':')?.parse().ok());
    let after = |name: &str| arguments.iter().position(|argument| *argument == name).and_then(|at| arguments.get(at + 1));
    Some(Server {
        pid: process.pid,
        display: named.or_else(|| display_by_lock(root, process.pid))?,
        owner: process.owner,
        vt: arguments.iter().find_map(|argument| argument.strip_prefix("vt")?.parse().ok()),
        authority: after("-auth").map(PathBuf::from),
    })
}

/// Servers that choose their number themselves write their process id into its lock.
fn display_by_lock(root: &Path, pid: u32) -> Option<u32> {
    std::fs::read_dir(root.join("tmp")).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name();
        let display = name.to_str()?.strip_prefix(".X")?.strip_suffix("-lock")?.parse().ok()?;
        let content = read(&entry.path())?;
        (std::str::from_utf8(&content).ok()?.trim().parse() == Ok(pid)).then_some(display)
    })
}

fn sessions(root: &Path) -> Vec<Session> {
    let folder = std::fs::read_dir(root.join("run/systemd/sessions"));
    let files = folder.into_iter().flatten().flatten().filter(|entry| !entry.file_name().to_string_lossy().contains('.'));
    files.filter_map(|entry| session(&read(&entry.path())?)).collect()
}

fn session(content: &[u8]) -> Option<Session> {
    let text = std::str::from_utf8(content).ok()?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Some(Session {
        uid: value("UID")?.parse().ok()?,
        kind: match value("TYPE") {
            Some("x11") => SessionKind::X11,
            Some("wayland") => SessionKind::Wayland,
            _ => SessionKind::Other,
        },
        vt: value("VTNR").and_then(|vt| vt.parse().ok()).filter(|vt| *vt != 0),
        display: value("DISPLAY").and_then(|name| name.strip_prefix(':')?.split('.').next()?.parse().ok()),
        active: value("ACTIVE") == Some("1"),
        seat: value("SEAT").map(str::to_owned),
    })
}

fn active_vt(root: &Path) -> Option<u32> {
    let content = read(&root.join("sys/class/tty/tty0/active"))?;
    std::str::from_utf8(&content).ok()?.trim().strip_prefix("tty")?.parse().ok()
}

/// Reads a file of unknown origin: no device, no pipe that would never end, and not more than is sensible.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    const NONBLOCK: i32 = 0o4000;
    let file = File::options().read(true).custom_flags(NONBLOCK).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{choose, find};
    use super::*;

    fn write(root: &Path, path: &str, content: &[u8]) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    #[test]
    fn a_display_manager_s_server_is_found_with_its_number_and_cookie() {
        let root = tempfile::tempdir().unwrap();
        let authority = root.path().join("auth");
        std::fs::write(&authority, authority::tests::file(1, b"0123456789abcdef")).unwrap();
        let command = format!("/usr/lib/xorg/Xorg\0vt2\0-displayfd\x003\0-auth\0{}\0-nolisten\0tcp\0", authority.display());
        write(root.path(), "proc/812/cmdline", command.as_bytes());
        write(root.path(), "proc/813/cmdline", b"/usr/bin/Xwayland\0:7\0");
        write(root.path(), "tmp/.X1-lock", b"       812\n");
        write(
            root.path(),
            "run/systemd/sessions/3",
            b"# private\nUID=1000\nUSER=ada\nACTIVE=1\nTYPE=x11\nSEAT=seat0\nVTNR=2\nDISPLAY=:1\n",
        );
        write(root.path(), "sys/class/tty/tty0/active", b"tty2\n");
        let facts = Facts::gather(root.path());
        let server = choose(&facts, Some(1000)).expect("found");
        assert_eq!((server.display, server.vt, facts.servers.len()), (1, Some(2), 1));
        let seat = facts.seat_of(server);
        assert_eq!((seat.cookie, seat.socket.ends_with("tmp/.X11-unix/X1")), (Some(Cookie(b"0123456789abcdef".to_vec())), true));
        assert!(seat.servers.contains(&1000) && !seat.servers.contains(&1001));
    }

    #[test]
    fn the_cookie_of_a_user_s_programs_is_used_where_the_server_names_none() {
        let root = tempfile::tempdir().unwrap();
        let authority = root.path().join("auth");
        std::fs::write(&authority, authority::tests::file(4, b"a cookie of ada!")).unwrap();
        write(root.path(), "proc/20/cmdline", b"Xvfb\0:4\0");
        write(root.path(), "proc/21/cmdline", b"bash\0");
        write(root.path(), "proc/21/environ", format!("HOME=/\0DISPLAY=:4.0\0XAUTHORITY={}\0", authority.display()).as_bytes());
        let facts = Facts::gather(root.path());
        let seat = facts.seat_of(choose(&facts, None).expect("found"));
        assert_eq!(seat.cookie, Some(Cookie(b"a cookie of ada!".to_vec())));
    }

    #[test]
    fn nothing_that_is_no_file_is_read() {
        assert!(read(Path::new("/dev/zero")).is_none());
        assert!(read(Path::new("/proc")).is_none());
        let _ = find(Some(u32::MAX)).expect_err("nobody's");
    }
}
