//! Reading small system files: bounded, and never an error; what cannot be read is empty.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest file that is read: package lists of big machines.
const FILE_BYTES: u64 = 32 * 1024 * 1024;

pub(super) fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let mut content = Vec::new();
    if let Ok(file) = File::open(path) {
        // What was read before an error is still something.
        let _ = file.take(FILE_BYTES).read_to_end(&mut content);
    }
    content
}

pub(super) fn read(path: impl AsRef<Path>) -> String {
    String::from_utf8_lossy(&bytes(path)).into_owned()
}

/// A file that holds one line, without its end.
pub(super) fn line(path: impl AsRef<Path>) -> String {
    read(path).trim().to_owned()
}

/// The value behind `name` and `separator`, in the first line that has them.
pub(super) fn value<'a>(text: &'a str, name: &str, separator: char) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// `kB` lines of /proc files, in bytes.
pub(super) fn kilobytes(text: &str, name: &str) -> u64 {
    let number = value(text, name, ':').and_then(|value| value.split_ascii_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default().saturating_mul(1024)
}

/// Runs a program of the system and reads what it says; nothing where it fails.
pub(super) fn output_of(program: &str, arguments: &[&str]) -> String {
    let Some(path) = sallyport_os::find_program(program) else { return String::new() };
    let mut command = std::process::Command::new(path);
    command.args(arguments).env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(std::process::Stdio::null());
    match command.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => String::new(),
    }
}
