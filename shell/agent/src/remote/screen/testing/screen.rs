//! A real X server, and what runs on it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, ImageFormat};

use super::super::find::Seat;
use super::super::x11::Link;

/// A display that ends with the test.
pub(crate) struct TestScreen {
    pub(crate) number: u32,
    server: Child,
    programs: Vec<Child>,
    pub(crate) folder: tempfile::TempDir,
}

impl TestScreen {
    /// Xvfb, which can do everything but change its size.
    pub(crate) fn of_size(size: &str) -> Self {
        Self::served_by(Command::new("Xvfb").args(["-screen", "0", &format!("{size}x24"), "-nolisten", "tcp", "-noreset"]))
    }

    /// The same without shared memory, as where a display is reached from another container.
    pub(crate) fn without_shared_memory(size: &str) -> Self {
        let screen = format!("{size}x24");
        Self::served_by(Command::new("Xvfb").args(["-screen", "0", &screen, "-nolisten", "tcp", "-noreset", "-extension", "MIT-SHM"]))
    }

    /// A server that can change its size; nobody connects to its own VNC port.
    pub(crate) fn resizable() -> Self {
        Self::served_by(Command::new("Xtigervnc").args([
            "-geometry",
            "640x480",
            "-SecurityTypes",
            "None",
            "-rfbport",
            "-1",
            "-nolisten",
            "tcp",
        ]))
    }

    fn served_by(command: &mut Command) -> Self {
        let mut server =
            command.args(["-displayfd", "1"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("an X server is installed");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("a number");
        let number = line.trim().parse().expect("a number");
        Self { number, server, programs: Vec::new(), folder: tempfile::tempdir().expect("folder") }
    }

    pub(crate) fn seat(&self) -> Seat {
        Seat::of_own(self.number)
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", format!(":{}", self.number)).env("LANG", "C.UTF-8").stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(program).args(arguments).output().expect("the program is installed");
        assert!(output.status.success(), "{program} {arguments:?}");
        output.stdout
    }

    /// Starts a program that ends with the test.
    pub(crate) fn start(&mut self, program: &str, arguments: &[&str]) {
        let child = self.command(program).args(arguments).stdout(Stdio::null()).spawn().expect("the program is installed");
        self.programs.push(child);
    }

    /// A terminal over the whole screen that writes every line that is typed into the file.
    pub(crate) fn typewriter(&mut self) -> PathBuf {
        let file = self.folder.path().join("typed");
        let keep = format!("touch '{0}'; exec cat >'{0}'", file.display());
        self.start("xterm", &["-u8", "-geometry", "80x20+0+0", "-bg", "black", "-fg", "white", "-e", "sh", "-c", &keep]);
        wait_until("the terminal is there", || file.exists());
        file
    }

    /// What the screen shows, by `xwd`: neither our capture nor our protocol.
    pub(crate) fn truth(&self) -> Vec<u32> {
        let dump = self.run("xwd", &["-root", "-silent"]);
        let word = |at: usize| u32::from_be_bytes(dump[at * 4..at * 4 + 4].try_into().expect("a header")) as usize;
        let (header, width, height, stride, colours) = (word(0), word(4), word(5), word(12), word(19));
        let pixels = &dump[header + colours * 12..];
        let row = |y: usize| pixels[y * stride..y * stride + width * 4].chunks(4);
        (0..height).flat_map(row).map(|four| u32::from_le_bytes([four[0], four[1], four[2], 0])).collect()
    }

    /// Draws many colours into the lower right corner of a screen of 640 by 400.
    pub(crate) fn draw_photo(&self) {
        let link = Link::connect(&self.seat()).expect("a screen");
        let context = link.connection.generate_id().expect("an id");
        link.connection.create_gc(context, link.root, &CreateGCAux::new()).expect("sent");
        let pixel = |x: u32, y: u32| (x << 17 | y << 9 | (x + y)).to_le_bytes();
        let pixels: Vec<u8> = (0..120).flat_map(|y| (0..120).flat_map(move |x| pixel(x, y))).collect();
        let put = link.connection.put_image(ImageFormat::Z_PIXMAP, link.root, context, 120, 120, 520, 280, 0, 24, &pixels);
        put.expect("sent").check().expect("drawn");
    }

    /// Ends the server at once, as when somebody signs out.
    pub(crate) fn end_server(&mut self) {
        self.server.kill().and_then(|()| self.server.wait()).expect("ended");
    }
}

impl Drop for TestScreen {
    fn drop(&mut self) {
        for child in self.programs.iter_mut().chain([&mut self.server]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn content(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
