//! Settings as operators give them to the program: flags win over the environment, which wins over the file; what is wrong ends the start with its
//! key and what to do.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sallyport_testkit::agent::program;
use sallyport_testkit::client::exchange;
use sallyport_testkit::installation::free_port;
use sallyport_testkit::postgres;

/// How long a start may take, or the end of one.
const PATIENCE: Duration = Duration::from_secs(30);

/// `sallyport serve` with a file, without anything of whoever runs the tests.
fn serve(folder: &Path, file: &str) -> Command {
    let path = folder.join("sallyport.toml");
    std::fs::write(&path, file).expect("a file");
    let mut command = Command::new(program("sallyport"));
    command
        .args(["serve", "--config"])
        .arg(path)
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| !name.starts_with("SALLYPORT_") && !name.starts_with("RUST_")));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(at(port)).is_ok()
}

/// What a server that was started so says of itself: its own address, and which of the ports it listens on.
async fn shown(mut command: Command, ports: [u16; 3]) -> (String, Vec<u16>) {
    let mut running = Running(command.spawn().expect("it starts"));
    let begun = Instant::now();
    while !ports.iter().any(|port| listens(*port)) {
        let ended = running.0.try_wait().expect("a child");
        assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let open: Vec<u16> = ports.into_iter().filter(|port| listens(*port)).collect();
    let ask = b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let issuer = exchange(at(open[0]), ask).await.json()["issuer"].as_str().expect("an issuer").to_owned();
    (issuer, open)
}

#[tokio::test]
async fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let ports = [free_port(), free_port(), free_port()];
    let [of_file, of_environment, of_flags] = ports;
    let folder = tempfile::tempdir().expect("a folder");
    let data = |whose: &str| folder.path().join(whose);
    let file = format!(
        "listen = \"127.0.0.1:{of_file}\"\npublic_url = \"https://file.example.test\"\ndata_dir = {:?}\ndatabase = \"sqlite:{}\"\nlog = \"off\"\n",
        data("file"),
        data("file.db").display(),
    );
    let environment = |command: &mut Command| {
        command
            .env("SALLYPORT_LISTEN", format!("127.0.0.1:{of_environment}"))
            .env("SALLYPORT_PUBLIC_URL", "https://environment.example.test");
        command
            .env("SALLYPORT_DATA_DIR", data("environment"))
            .env("SALLYPORT_DATABASE", format!("sqlite:{}", data("environment.db").display()));
    };
    let made = |whose: &str| data(whose).join("master.key").exists() && data(&format!("{whose}.db")).exists();

    assert_eq!(shown(serve(folder.path(), &file), ports).await, ("https://file.example.test".to_owned(), vec![of_file]));
    assert!(made("file") && !made("environment") && !made("flags"));

    let mut command = serve(folder.path(), &file);
    environment(&mut command);
    assert_eq!(shown(command, ports).await, ("https://environment.example.test".to_owned(), vec![of_environment]));
    assert!(made("environment") && !made("flags"));

    let mut command = serve(folder.path(), &file);
    environment(&mut command);
    command.args(["--listen", &format!("127.0.0.1:{of_flags}"), "--public-url", "https://flags.example.test", "--data-dir"]);
    command.arg(data("flags")).args(["--database", &format!("sqlite:{}", data("flags.db").display())]);
    assert_eq!(shown(command, ports).await, ("https://flags.example.test".to_owned(), vec![of_flags]));
    assert!(made("flags"));

    // One by one: what is not said at the top is taken from below.
    let mut command = serve(folder.path(), &file);
    command.env("SALLYPORT_PUBLIC_URL", "https://environment.example.test").args(["--listen", &format!("127.0.0.1:{of_flags}")]);
    assert_eq!(shown(command, ports).await, ("https://environment.example.test".to_owned(), vec![of_flags]));

    // The file itself may be named in the environment.
    let mut command = Command::new(program("sallyport"));
    command.arg("serve").env("SALLYPORT_CONFIG", folder.path().join("sallyport.toml")).stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(Stdio::null()).env_remove("SALLYPORT_DATABASE");
    assert_eq!(shown(command, ports).await.1, vec![of_file]);
}

/// What a start says that fails.
fn refusal(mut command: Command) -> String {
    let mut child = command.spawn().expect("it starts");
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("it serves with a wrong setting");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("it ended");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn whatever_is_wrong_the_error_names_the_key_and_the_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address");
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("text"), "neither a certificate nor a database\n").expect("a file");
    let empty = postgres::fresh_database();
    let nowhere = empty.replace("/test_", "/no_such_database_");
    let nobody = format!("postgres://somebody@127.0.0.1:{}/x", free_port());
    for (settings, key, fix) in [
        ("listen = \"here\"".to_owned(), "listen: ", "Write it like 127.0.0.1:8800"),
        ("listen = \"0.0.0.0:8800\"".to_owned(), "listen: ", "Set tls_certificate and tls_key"),
        (format!("listen = \"{taken}\""), "listen: ", "Free it, or choose another"),
        ("public_url = \"rmm.example.test\"".to_owned(), "public_url: ", "Write it like https://"),
        (format!("data_dir = \"{}\"", place("text")), "data_dir: ", "name another folder"),
        ("database = \"mysql://localhost/x\"".to_owned(), "database: ", "Write it like sqlite:"),
        (format!("database = \"{nowhere}\""), "database: ", "Check that it is there"),
        (format!("database = \"{nobody}\""), "database: ", "Check that it is there"),
        (format!("database = \"sqlite:{}\"", place("text")), "database: ", "Check that it is there"),
        (format!("master_key = \"{}\"", place("text")), "master_key: ", "Put the key there that belongs"),
        (format!("tls_certificate = \"{}\"", place("text")), "tls_key: missing", "Set it to the PEM file"),
        (format!("tls_certificate = \"{0}\"\ntls_key = \"{0}\"", place("none")), "tls_certificate, tls_key: ", "Set them to the PEM files"),
        (format!("tls_certificate = \"{0}\"\ntls_key = \"{0}\"", place("text")), "tls_certificate, tls_key: ", "Set them to the PEM files"),
        (format!("tls_ca = \"{}\"", place("none")), "tls_ca: ", "Set it to a PEM file"),
        ("metrics_listen = \"9090\"".to_owned(), "metrics_listen: ", "Write it like"),
        (format!("metrics_listen = \"{taken}\""), "metrics_listen: ", "Free it, or choose another"),
        ("log_format = \"xml\"".to_owned(), "log_format: ", "neither text nor json"),
        ("log = \"sallyport=loud\"".to_owned(), "log: ", "a filter like info"),
        (format!("console_dir = \"{}\"", place("none")), "console_dir: ", "leave it out"),
        (format!("breached_passwords = \"{}\"", place("none")), "breached_passwords: ", "leave it out"),
        (format!("breached_passwords = \"{}\"", place("text")), "breached_passwords: ", "leave it out"),
        ("breached_range_url = \"http://lists.example.test\"".to_owned(), "breached_range_url: ", "Write it like https://"),
        ("device_bound_sessions = \"yes\"".to_owned(), "device_bound_sessions: ", "Write offered or off"),
        (format!("place_database = \"{}\"", place("none")), "place_database: ", "leave place_database out"),
        (format!("network_database = \"{}\"", place("text")), "network_database: ", "Download it again"),
        ("trusted_proxies = [\"proxy.example\"]".to_owned(), "trusted_proxies: ", "Write it like"),
        ("forwarded_header = \"x-real-ip\"".to_owned(), "forwarded_header: ", "Write x-forwarded-for or forwarded"),
        ("proxy_protocol = \"v1\"".to_owned(), "proxy_protocol: ", "Write v2"),
        ("outbound_networks = [\"inside\"]".to_owned(), "outbound_networks: ", "Write it like"),
        ("outbound_http = \"yes\"".to_owned(), "outbound_http: ", "Write refused or listed"),
        (format!("outbound_ca = \"{}\"", place("none")), "outbound_ca: ", "leave it out"),
        ("mail.smtp = \"smtp://mail.example.test\"".to_owned(), "mail.smtp: ", "Write it like smtps://"),
        ("mail.smtp = \"smtps://mail.example.test\"".to_owned(), "mail.from: ", "Write it like"),
        ("lisen = \"x\"".to_owned(), "configuration file: ", "See docs/guide/configuration.md"),
        ("listen = 8800".to_owned(), "configuration file: ", "See docs/guide/configuration.md"),
    ] {
        let mut file = format!("{settings}\n");
        if !settings.starts_with("listen") {
            file.push_str(&format!("listen = \"127.0.0.1:{}\"\n", free_port()));
        }
        if !settings.starts_with("data_dir") {
            file.push_str(&format!("data_dir = \"{}\"\n", place("data")));
        }
        // What belongs to a table stands in its own at the end.
        let (tables, plain): (Vec<&str>, Vec<&str>) = file.lines().partition(|line| line.starts_with("mail."));
        let said = refusal(serve(folder.path(), &[plain, tables].concat().join("\n")));
        assert!(said.contains(key) && said.contains(fix), "{settings}: {said}");
        let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines < 12, "one error and no flood: {said}");
    }
    // The same from the environment and from a flag.
    let mut command = serve(folder.path(), "");
    command.env("SALLYPORT_OUTBOUND_HTTP", "yes");
    assert!(refusal(command).contains("outbound_http: \"yes\" is unknown. Write refused or listed"));
    let mut command = serve(folder.path(), "");
    command.args(["--listen", "here"]);
    assert!(refusal(command).contains("listen: \"here\" is not an address and a port. Write it like"));
}
