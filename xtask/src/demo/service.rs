//! A program that runs beside us, with its log in a file. It has a process group of its own: Ctrl-C reaches us alone, and we stop it
//! in order.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::terminate;

/// How long a service may take to finish what it does.
const GRACE: Duration = Duration::from_secs(15);

pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    pid_file: PathBuf,
}

impl Service {
    pub(crate) fn start(name: &'static str, program: &Path, arguments: &[&str], dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        // The server's log holds the one-time link of the set-up.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(dir).process_group(0);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid_file = dir.join(format!("{name}.pid"));
        fs::write(&pid_file, child.id().to_string()).with_context(|| format!("cannot write {}", pid_file.display()))?;
        Ok(Self { name, child, log, pid_file })
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did, with the end of its log.
    pub(crate) fn ended(&mut self) -> Result<Option<String>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(10)..].join("\n");
        Ok(Some(format!("the {} ended with {status}; the end of {}:\n{tail}", self.name, self.log.display())))
    }

    /// Asks it to end, waits, and kills it only when it does not.
    pub(crate) fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            terminate(self.child.id());
            let start = Instant::now();
            while start.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(20));
            }
        }
        self.child.kill().ok();
        self.child.wait().ok();
        // The next one of this name may have begun already.
        if fs::read_to_string(&self.pid_file).is_ok_and(|text| text == self.child.id().to_string()) {
            fs::remove_file(&self.pid_file).ok();
        }
    }
}

impl Drop for Service {
    /// Also when something else failed: nothing is left running.
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends what a demo that was killed itself has left running in this folder.
pub(crate) fn stop_left_over(dir: &Path) -> Result<()> {
    for name in ["agent", "fleet", "server"] {
        let Some(pid) = fs::read_to_string(dir.join(format!("{name}.pid"))).ok().and_then(|text| text.trim().parse::<u32>().ok()) else {
            continue;
        };
        if is_ours(pid, dir) {
            println!("stopping the {name} of an earlier demo (pid {pid})");
            terminate(pid);
            let start = Instant::now();
            while start.elapsed() < GRACE && is_ours(pid, dir) {
                thread::sleep(Duration::from_millis(50));
            }
        }
        fs::remove_file(dir.join(format!("{name}.pid"))).ok();
    }
    Ok(())
}

/// A pid may have been given to another program meanwhile; ours works in the demo's folder and is called sallyport.
fn is_ours(pid: u32, dir: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| fs::canonicalize(dir).is_ok_and(|dir| dir == cwd));
    here && fs::read_to_string(process.join("comm")).is_ok_and(|name| name.starts_with("sallyport"))
}

/// Whether this path answers 200 on the loopback port.
pub(crate) fn answers(port: u16, path: &str) -> bool {
    let second = Duration::from_secs(1);
    let Ok(mut stream) = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), second) else { return false };
    let timeouts = stream.set_read_timeout(Some(second)).and_then(|()| stream.set_write_timeout(Some(second)));
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    let asked = timeouts.and_then(|()| stream.write_all(request.as_bytes()));
    let mut head = [0; 12];
    asked.and_then(|()| stream.read_exact(&mut head)).is_ok() && &head[9..] == b"200"
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("sallyport-xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_service_is_stopped_and_leaves_no_pid_file() {
        let dir = folder("stop");
        let mut service = Service::start("server", Path::new("/bin/sleep"), &["60"], &dir).unwrap();
        assert_eq!(service.ended().unwrap(), None);
        service.stop();
        assert!(service.ended().unwrap().is_some());
        assert!(!dir.join("server.pid").exists());
        let next = Service::start("server", Path::new("/bin/sleep"), &["60"], &dir).unwrap();
        drop(service);
        assert!(dir.join("server.pid").exists(), "that of the next one stays");
        drop(next);
        assert!(!dir.join("server.pid").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_service_that_ends_by_itself_says_why() {
        let dir = folder("end");
        let mut service = Service::start("agent", Path::new("/bin/sh"), &["-c", "echo the port is taken >&2; exit 3"], &dir).unwrap();
        let end = loop {
            if let Some(end) = service.ended().unwrap() {
                break end;
            }
        };
        assert!(end.contains("the port is taken") && end.contains('3'), "{end}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_pid_that_belongs_to_somebody_else_is_left_alone() {
        let dir = folder("pid");
        let mut other = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        fs::write(dir.join("server.pid"), other.id().to_string()).unwrap();
        stop_left_over(&dir).unwrap();
        assert_eq!(other.try_wait().unwrap(), None);
        assert!(!dir.join("server.pid").exists());
        other.kill().unwrap();
        other.wait().unwrap();
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_a_200_is_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap();
                assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                // In one piece: who asks hangs up after the status.
                stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
            }
        });
        assert!(!answers(port, "/readyz"));
        assert!(answers(port, "/readyz"));
        server.join().unwrap();
        assert!(!answers(port, "/readyz"), "nobody listens any more");
    }
}
