//! A private PostgreSQL for tests: one server for each test process (under nextest, which starts a
//! process for each test, one for each run), one empty database for each call.
//!
//! Nothing of it outlives the tests: a shell starts the server, and stops it and removes its files when
//! the pipe from this process closes or nextest is gone, however that came. The server listens on a
//! Unix socket in a folder of its own, and writes nothing through to the disk.
//!
//! Only the standard library and `tempfile` are used, so that the store's own tests can include this file.

use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the server may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);
/// The superuser's name inside the server.
const USER: &str = "sallyport";

/// $1 = folder of the programs, $2 = the server's folder, $3 = the process to outlast; where there is
/// none, it ends when standard input does.
const SCRIPT: &str = r#"
trap : INT TERM
"$1/initdb" -A trust --no-sync -U sallyport -E UTF8 --locale=C -D "$2/data" >"$2/log" 2>&1 </dev/null || exit 1
"$1/postgres" -D "$2/data" -c listen_addresses= -c unix_socket_directories="$2" -c fsync=off -c full_page_writes=off \
    -c max_connections=300 -c shared_buffers=32MB -c max_wal_size=256MB >>"$2/log" 2>&1 </dev/null &
server=$!
if [ -n "$3" ]; then
    while [ -d "/proc/$3" ]; do sleep 0.3; done
else
    read -r _
fi
kill -INT $server
wait $server
rm -rf "$2"
"#;

/// The address of a new, empty database, as `sallyport_store::Store::open` takes it.
///
/// # Panics
/// Where PostgreSQL is not installed or does not start: tests are never skipped.
pub fn fresh_database() -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| Server::start().expect("PostgreSQL must start: install the package postgresql"));
    // The numbers of processes come again within a run of thousands of them.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!("test_{}_{}_{now}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    query(&server.folder, "postgres", &format!("CREATE DATABASE {name}")).expect("a database must be created");
    format!("postgres://{USER}@localhost/{name}?host={}", server.folder.display())
}

/// Every row of a database, binary columns also as the bytes that they hold.
///
/// # Panics
/// Where `pg_dump` does not work.
#[allow(dead_code, reason = "the store's own tests include this file and need no dump")]
pub fn dump(address: &str) -> Vec<u8> {
    let programs = find_programs().expect("PostgreSQL is installed");
    let output = Command::new(programs.join("pg_dump")).args(["--data-only", "--inserts", address]).output().expect("pg_dump runs");
    assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let digits = |hex: &str| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks_exact(2).map_while(|pair| std::str::from_utf8(pair).ok());
        pairs.map_while(|pair| u8::from_str_radix(pair, 16).ok()).collect()
    };
    let binary: Vec<u8> = text.split("'\\x").skip(1).flat_map(digits).collect();
    [output.stdout, binary].concat()
}

/// Runs statements in a database, as somebody who sits beside the server.
///
/// # Panics
/// Where one of them fails.
#[allow(dead_code, reason = "the store's own tests include this file and have the store itself")]
pub fn run(address: &str, sql: &str) {
    let (name, folder) =
        address.strip_prefix("postgres://").and_then(|rest| rest.split_once('/')?.1.split_once("?host=")).expect("our address");
    query(Path::new(folder), name, sql).expect("the statements run");
}

struct Server {
    folder: PathBuf,
    /// Its standard input is the pipe that keeps the server alive; `None` where another process started it.
    _keeper: Option<Child>,
}

impl Server {
    fn start() -> io::Result<Self> {
        match std::env::var("NEXTEST_RUN_ID") {
            Ok(run) => Self::share(std::env::temp_dir().join(format!("sallyport-pg-{run}"))),
            Err(_) => Self::own(tempfile::Builder::new().prefix("sallyport-pg-").tempdir()?.keep(), String::new()),
        }
    }

    /// The first process of the run to make the folder starts the server for all of them.
    fn share(folder: PathBuf) -> io::Result<Self> {
        match std::fs::create_dir(&folder) {
            Ok(()) => Self::own(folder, std::os::unix::process::parent_id().to_string()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                wait_until_ready(&folder, None)?;
                Ok(Self { folder, _keeper: None })
            }
            Err(error) => Err(error),
        }
    }

    fn own(folder: PathBuf, outlast: String) -> io::Result<Self> {
        let programs = find_programs().ok_or_else(|| io::Error::other("no initdb in PATH or /usr/lib/postgresql"))?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        let mut keeper = command(&folder)?
            .args(["-c", SCRIPT, "sh"])
            .args([&programs, &folder])
            .arg(outlast)
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        wait_until_ready(&folder, Some(&mut keeper))?;
        Ok(Self { folder, _keeper: Some(keeper) })
    }
}

/// The shell, as a user that PostgreSQL accepts: it refuses to run as root.
fn command(folder: &Path) -> io::Result<Command> {
    let own = std::fs::metadata(folder)?;
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return Ok(Command::new("sh"));
    }
    let (uid, gid) = unprivileged_user()?;
    chown(folder, Some(uid), Some(gid))?;
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups", "sh"]);
    Ok(command)
}

fn unprivileged_user() -> io::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids_of = |wanted: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids_of("postgres").or_else(|| ids_of("nobody")).ok_or_else(|| io::Error::other("neither postgres nor nobody is a user here"))
}

/// The newest installed version, or what PATH offers.
fn find_programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<(u32, PathBuf)> =
        installed.filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin")))).collect();
    installed.sort();
    let newest_first = installed.into_iter().rev().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest_first.chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Asks until the server answers a query, or its keeper is gone.
fn wait_until_ready(folder: &Path, mut keeper: Option<&mut Child>) -> io::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < START {
        if let Some(keeper) = &mut keeper
            && keeper.try_wait()?.is_some()
        {
            break;
        }
        if query(folder, "postgres", "SELECT 1").is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other(std::fs::read_to_string(folder.join("log")).unwrap_or_default()))
}

/// Runs one statement over the plain protocol (PostgreSQL documentation, "Message Flow"): start-up, then Query.
fn query(folder: &Path, database: &str, sql: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(folder.join(".s.PGSQL.5432"))?;
    stream.set_read_timeout(Some(START))?;
    let start = format!("\0\x03\0\0user\0{USER}\0database\0{database}\0\0");
    stream.write_all(&framed(start.as_bytes()))?;
    until_ready(&mut stream)?;
    stream.write_all(b"Q")?;
    stream.write_all(&framed(format!("{sql}\0").as_bytes()))?;
    until_ready(&mut stream)
}

/// A body with its length before it, which counts itself.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

/// Reads messages until ReadyForQuery ('Z'); an ErrorResponse ('E') is an error.
fn until_ready(stream: &mut UnixStream) -> io::Result<()> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
        stream.read_exact(&mut body)?;
        match kind {
            b'Z' => return Ok(()),
            b'E' => return Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
            _ => {}
        }
    }
}
