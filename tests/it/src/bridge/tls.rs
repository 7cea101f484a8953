//! A vendor behind TLS, served by somebody else's library: certificates that are trusted, and those that are not.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::simulated::Certificate;
use serde_json::json;

use super::vendor::{SECRET, Vendor};
use super::{assert_refused, listing, wanted};

const VENDOR: &str = r#"
import http.server, json, ssl, sys

class Vendor(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.headers["authorization"] == "Bearer " + sys.argv[3]
        body = json.dumps({"path": self.path, "host": self.headers["host"]}).encode()
        self.send_response(200 if good else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct TlsVendor {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl TlsVendor {
    fn start() -> Self {
        let (folder, certificate) = (tempfile::tempdir().expect("a folder"), Certificate::new());
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        std::fs::write(&chain, &certificate.certificate).expect("a file");
        std::fs::write(&key, &certificate.key).expect("a file");
        let mut command = Command::new("python3");
        command.args(["-c", VENDOR]).args([&chain, &key]).arg(SECRET).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says its port");
        let port = line.trim().parse().expect("a port");
        Self { child, port, folder }
    }
}

impl Drop for TlsVendor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_vendor_behind_tls_is_reached_where_its_certificate_is_trusted() {
    let (tls, plain) = (TlsVendor::start(), Vendor::start().await);
    for (trusted, name, status) in [(true, "localhost", 200), (false, "localhost", 502), (true, "127.0.0.1", 502)] {
        let server = TestServer::configured(Engine::Sqlite, |raw| {
            listing(raw);
            raw.outbound_ca = trusted.then(|| tls.folder.path().join("chain.pem"));
        })
        .await;
        let mut owner = Owner::set_up(&server).await;
        let url = format!("https://{name}:{}/api", tls.port);
        let body = wanted(&server, &plain, json!({ "base_url": url }));
        let made = owner.does(&server, Call::new("POST", "/v1/connections").body(body)).await.json();
        let id = made["action"]["connection"].as_str().unwrap_or_else(|| panic!("an id: {made}"));
        let reply = owner.client.get(&format!("/v1/connections/{id}/proxy/tickets")).await;
        assert_eq!(reply.status, status, "{trusted} {name}: {}", String::from_utf8_lossy(&reply.body));
        if status == 502 {
            assert_refused(&reply, 502, "vendor_unreachable");
            assert!(reply.json()["detail"].as_str().is_some_and(|detail| detail.contains("certificate")), "{}", reply.json());
        } else {
            assert_eq!(reply.json(), json!({ "path": "/api/tickets", "host": format!("localhost:{}", tls.port) }));
        }
    }
}
