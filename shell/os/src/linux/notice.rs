//! A line on somebody's terminal, as `wall` writes it.

use std::io;

use rustix::fs::{Mode, OFlags};

/// Writes a line to a terminal that is named as in utmp(5), `pts/0` or `tty2`. A terminal that takes nothing is not waited
/// for.
///
/// Fails with `InvalidInput` where the name leads elsewhere or is no terminal's.
pub fn write_to_terminal(name: &str, line: &str) -> io::Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    if name.is_empty() || name.starts_with('/') || !name.bytes().all(plain) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(format!("/dev/{name}"), flags, Mode::empty())?;
    if !rustix::termios::isatty(&terminal) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Nothing in the line may move the cursor or change what the terminal does.
    let harmless: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    rustix::io::write(&terminal, format!("\r\n{harmless}\r\n").as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::pty::OpenptFlags;

    use super::*;

    #[test]
    fn a_line_arrives_without_what_moves_the_cursor() {
        let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("terminal");
        rustix::pty::unlockpt(&ours).expect("unlock");
        let theirs = rustix::pty::ptsname(&ours, Vec::new()).expect("name").into_string().expect("text");
        let name = theirs.strip_prefix("/dev/").expect("a device");
        let _open = std::fs::File::open(&theirs).expect("somebody reads");
        write_to_terminal(name, "ada\u{1b}[2J is here").expect("written");
        let mut seen = [0; 64];
        let read = std::fs::File::from(ours).read(&mut seen).expect("read");
        let seen = String::from_utf8_lossy(&seen[..read]);
        assert!(seen.contains("ada [2J is here") && !seen.contains('\u{1b}'), "{seen:?}");
    }

    #[test]
    fn only_terminals_are_written_to() {
        for name in ["", "null", "../etc/passwd", "/dev/null", "pts/../null", "zero", "no-such"] {
            assert!(write_to_terminal(name, "x").is_err(), "{name}");
        }
    }
}
