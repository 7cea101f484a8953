//! What the API promises holds for a command too, whose requests go through the door of `sallyport tool exec`.

use sallyport_testkit::client::Call;
use serde_json::{Value, json};

use super::foreign::{Bench, live, text};

/// An answer, as curl shows it with its head.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }
}

/// What a command gets for one call of curl.
pub(crate) fn curl(bench: &Bench, path: &str, more: &[&str]) -> Answer {
    let quoted: Vec<String> = more.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("curl -sS -i -H \"Authorization: Bearer $SALLYPORT_TOKEN\" {} \"$SALLYPORT_URL{path}\"", quoted.join(" "));
    let done = bench.exec(&line);
    assert!(done.status.success() && done.stderr.is_empty(), "{line}: {}", text(&done.stderr));
    let said = text(&done.stdout);
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a head: {said}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let head = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, head, body: body.to_owned() }
}

async fn bench() -> Bench {
    let (server, owner) = live().await;
    Bench::on(server, owner, &["customers.write", "devices.read", "jobs.run", "scripts.read", "scripts.write"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_of_a_command_is_kept() {
    let mut bench = bench().await;
    let script = bench.owner.script("uptime", "uptime").await;
    let path = format!("/v1/scripts/{script}");
    let read = curl(&bench, &path, &[]);
    let tag = read.header("etag").expect("the tag of what was read").to_owned();
    assert_eq!((read.status, read.header("content-type")), (200, Some("application/json")));
    let unchanged = curl(&bench, &path, &["-H", &format!("If-None-Match: {tag}")]);
    assert_eq!((unchanged.status, unchanged.body.as_str(), unchanged.header("etag")), (304, "", Some(tag.as_str())));

    let put = |bench: &Bench, line: &str, based_on: u32, tag: &str| {
        let body = json!({ "name": "uptime", "interpreter": "sh", "text": line, "based_on": based_on }).to_string();
        let condition = format!("If-Match: {tag}");
        curl(bench, &path, &["-X", "PUT", "-H", &condition, "-H", "Content-Type: application/json", "--data-binary", &body])
    };
    let theirs = json!({ "name": "uptime", "interpreter": "sh", "text": "uptime -p", "based_on": 1 });
    assert_eq!(bench.owner.client.send(Call::new("PUT", &path).body(theirs)).await.status, 200, "somebody else was faster");
    let late = put(&bench, "reboot", 2, &tag);
    assert_eq!((late.status, &late.json()["code"]), (412, &json!("precondition_failed")));
    let kept = curl(&bench, &path, &["-H", &format!("If-None-Match: {tag}")]);
    assert_eq!((kept.status, &kept.json()["text"]), (200, &json!("uptime -p")), "{}", kept.body);
    let tag = kept.header("etag").expect("a tag").to_owned();
    assert_eq!(put(&bench, "uptime -s", 2, &tag).status, 200, "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_sends_again_is_done_once() {
    let mut bench = bench().await;
    let make = |bench: &Bench, name: &str, key: &str| {
        let (body, key) = (json!({ "name": name }).to_string(), format!("Idempotency-Key: {key}"));
        curl(bench, "/v1/customers", &["-H", &key, "--json", &body])
    };
    let (first, again) = (make(&bench, "Adler", "one"), make(&bench, "Adler", "one"));
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    assert_eq!((again.status, again.header("idempotency-replayed"), &again.body), (201, Some("true"), &first.body));
    assert_eq!(make(&bench, "Biber", "one").json()["code"], "idempotency_key_reused", "the key itself arrives");
    let customers = bench.owner.client.get("/v1/customers").await.json();
    let made = customers["items"].as_array().expect("a list").iter().filter(|one| one["name"] == "Adler" || one["name"] == "Biber").count();
    assert_eq!(made, 1);
    for name in ["ratelimit", "ratelimit-policy", "x-request-id"] {
        assert!(first.header(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    assert_eq!((first.header("dpop-nonce"), first.header("set-cookie")), (None, None), "what is the door's own business");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_door_cannot_pass_on_is_refused_and_not_forgotten() {
    let mut bench = bench().await;
    let before = bench.owner.client.get("/v1/customers").await.json();
    for (header, field) in [("Range: bytes=0-5", "range"), ("If-Range: \"x\"", "if-range"), ("Content-Encoding: gzip", "content-encoding")]
    {
        let stays = curl(&bench, "/v1/customers", &["-H", header, "--json", "{\"name\":\"Adler\"}"]);
        assert_eq!((stays.status, stays.header("content-type")), (400, Some("application/problem+json")), "{header}");
        assert_eq!((&stays.json()["code"], &stays.json()["field"]), (&json!("header_not_passed"), &json!(field)));
    }
    let length = curl(&bench, "/v1/customers", &["-H", "Transfer-Encoding: chunked", "--json", "{\"name\":\"Adler\"}"]);
    assert_eq!((length.status, &length.json()["code"]), (411, &json!("length_required")));
    assert_eq!(bench.owner.client.get("/v1/customers").await.json(), before, "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_comes_on_a_descriptor_where_no_environment_should_have_it() {
    let bench = bench().await;
    let script = "word=$(cat <&$SALLYPORT_TOKEN_FD); env | grep -c \"$word\"; echo ${SALLYPORT_TOKEN-none}; \
        curl -sS -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $word\" \"$SALLYPORT_URL/v1/devices\"";
    let done = bench.runs(&["--token-fd", "--", "bash", "-c", script]);
    assert_eq!(text(&done.stdout).lines().collect::<Vec<_>>(), ["0", "none", "200"], "{}", text(&done.stderr));
    let shown = bench.runs(&["--", "bash", "-c", "env | grep -c \"^SALLYPORT_TOKEN=$SALLYPORT_TOKEN\"; echo ${SALLYPORT_TOKEN_FD-none}"]);
    assert_eq!(text(&shown.stdout).lines().collect::<Vec<_>>(), ["1", "none"], "the control: {}", text(&shown.stderr));
}
