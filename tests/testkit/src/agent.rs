//! The real agent as a process of its own, in a folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// Where a program of this workspace is. It is built first, unless `SALLYPORT_BIN_DIR` names a folder that has it.
///
/// # Panics
/// Where it does not build.
pub fn program(name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(name.to_owned()).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    // The agent as it is handed out is built otherwise than everything else.
    if let Some(agent) = std::env::var_os("SALLYPORT_AGENT").filter(|_| name == "sallyport-agent") {
        return agent.into();
    }
    if let Some(folder) = std::env::var_os("SALLYPORT_BIN_DIR") {
        return Path::new(&folder).join(name);
    }
    let mut path = std::env::current_exe().expect("a path");
    // Programs that are no tests lie beside the programs that they start, which were built the same way.
    if !path.components().any(|part| part.as_os_str() == "deps") {
        return path.with_file_name(name);
    }
    // An up-to-date build takes a fraction of a second, and no lock is held while tests run.
    let status = Command::new(env!("CARGO")).args(["build", "--quiet", "--workspace", "--bin", name]).status();
    assert!(status.expect("cargo runs").success(), "{name} builds");
    while path.file_name().is_some_and(|name| name != "deps") {
        path.pop();
    }
    path.pop();
    path.join(name)
}

/// A machine with an agent.
pub struct Machine {
    folder: TempDir,
    child: Option<Child>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// A machine whose agent was never started.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), child: None }
    }

    /// Where the agent keeps everything.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Starts the agent; it waits for an enrolment file where there is none.
    pub fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let child = Command::new(program("sallyport-agent"))
            .args(["run", "--state"])
            .arg(self.state())
            // Shells there read no profile of whoever runs the tests.
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("the agent starts"));
    }

    /// Ends the agent as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The agent's process, where it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Gives the agent its enrolment file.
    pub fn enrol(&self, file: &str) {
        let path = self.folder.path().join("enrolment-file.json");
        std::fs::write(&path, file).expect("a file");
        let done = self.agent(&["enrol".as_ref(), path.as_os_str(), "--state".as_ref(), self.state().as_os_str()]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// What `sallyport-agent status --json` says.
    pub fn status(&self) -> serde_json::Value {
        let done = self.agent(&["status".as_ref(), "--json".as_ref(), "--state".as_ref(), self.state().as_os_str()]);
        serde_json::from_slice(&done.stdout).expect("JSON")
    }

    fn agent(&self, args: &[&std::ffi::OsStr]) -> std::process::Output {
        Command::new(program("sallyport-agent")).args(args).stdin(Stdio::null()).output().expect("the agent runs")
    }

    /// What the agent wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The folder above the state.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}
