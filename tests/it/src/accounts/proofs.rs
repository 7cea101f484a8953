use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::TestServer;

#[tokio::test]
async fn oa_17_a_proof_counts_once_and_not_after_a_restart_either() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.client.get("/v1/me").await;
    let call = Call::new("GET", "/v1/me");
    let proof = owner.client.proof(&call);
    assert_eq!(owner.client.send_with(&call, Some(&proof)).await.status, 200);
    assert_eq!(owner.client.send_with(&call, Some(&proof)).await.code(), "proof_refused");
    let restarted = server.restart().await;
    assert_eq!(owner.client.at(&restarted).send_with(&call, Some(&proof)).await.code(), "use_dpop_nonce");
}

#[tokio::test]
async fn oa_18_the_nonce_is_asked_for_and_one_retry_is_enough() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let call = Call::new("GET", "/v1/me");
    let mut fresh = Client::new(&server, 1);
    fresh.cookie.clone_from(&owner.client.cookie);
    let without = fresh.send_with(&call, Some(&fresh.proof(&call))).await;
    assert_eq!((without.status, without.code().as_str()), (401, "use_dpop_nonce"));
    assert!(without.header("dpop-nonce").is_some_and(|nonce| nonce.len() == 22));
    assert_eq!(fresh.send(call).await.status, 200);
    assert_eq!(fresh.get("/v1/nonce").await.status, 204);
}

#[tokio::test]
async fn oa_12_13_a_proof_is_for_one_method_url_query_and_body() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.client.get("/v1/me").await;
    let sent = Call::new("GET", "/v1/me?a=1");
    for other in [
        Call::new("POST", "/v1/me?a=1"),
        Call::new("GET", "/v1/me/factors?a=1"),
        Call::new("GET", "/v1/me?a=2"),
        Call::new("GET", "/v1/me"),
    ] {
        let proof = owner.client.proof(&other);
        assert_eq!(owner.client.send_with(&sent, Some(&proof)).await.code(), "proof_refused", "{other:?}");
    }
    let proof = owner.client.proof(&sent);
    assert_eq!(owner.client.send_with(&sent, Some(&proof)).await.status, 200, "control");
}

#[tokio::test]
async fn oa_15_a_proof_from_a_minute_ago_is_refused() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.client.get("/v1/me").await;
    let call = Call::new("GET", "/v1/me");
    let proof = owner.client.proof(&call);
    server.clock.advance(61);
    assert_eq!(owner.client.send_with(&call, Some(&proof)).await.code(), "proof_refused");
}
