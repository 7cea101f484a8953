use std::time::Duration;

use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::TestServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The head of the answer to a request whose body is announced, begun, and never finished.
async fn answer_to_half(server: &TestServer, path: &str, cookie: &str, announced: usize, sent: usize) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost:8800\r\n{cookie}dpop: x\r\ncontent-type: application/json\r\ncontent-length: {announced}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let _ = stream.write_all(&vec![b' '; sent]).await;
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
    read.expect("an answer without the rest of the body").expect("an answer");
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

#[tokio::test]
async fn a_stranger_cannot_make_the_server_hold_large_bodies() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let large = 2 * 1024 * 1024;
    assert_eq!(answer_to_half(&server, "/v1/jobs", "", large, 1000).await, "401");
    let unknown = format!("cookie: __Host-sallyport={}\r\n", "A".repeat(43));
    assert_eq!(answer_to_half(&server, "/v1/jobs", &unknown, large, 1000).await, "401");
    assert_eq!(answer_to_half(&server, "/v1/sign-in", "", large, 300_000).await, "413");
    assert_eq!(owner.client.clone().get("/v1/me").await.status, 200);
}
