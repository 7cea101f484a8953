//! Python programs that are not ours: each with its packages in an environment of its own beside the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A python3 that has a module: made once, out of these packages, in this folder beside the build.
///
/// # Panics
/// Where it cannot be made: tests are never skipped.
pub fn python_with(module: &str, folder: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(folder);
    let own = folder.join("bin/python");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lock = std::fs::File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("the lock");
    if !has(&own, module) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet"]).args(packages));
    }
    own
}

/// Whether a python3 has a module.
pub(crate) fn has(python: &Path, module: &str) -> bool {
    let mut import = Command::new(python);
    import.args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
