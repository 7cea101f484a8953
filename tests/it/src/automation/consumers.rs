//! A17: every secret at every door. The whole table is a reviewed snapshot, `docs/snapshots/tokens.txt`, written with `SALLYPORT_WRITE_TOKENS=1`.

mod doors;
mod world;

use std::path::Path;

use sallyport_testkit::client::Client;

use self::world::World;

/// What stands above the table.
const HEAD: &str = "\
# Secrets that the server gives or is shown, each at its doors. 200 is let in, 101 is a stream that begins, pending is a device that was
# enrolled and unknown one that was not. There are no id tokens and no refresh tokens: the server issues none, and no door takes one.
# A grant is for its device alone, which checks it, and a webhook's secret is for its receiver: they open nothing here. A nonce opens nothing
# by itself either: whose a request is says the key that signs it. Where a reset of a factor is held, its link is an activation link, a day later.
";

/// What is shown at the doors.
const TOKENS: [&str; 29] = [
    "access token",
    "program's token",
    "program's code",
    "device code",
    "device code's token",
    "session cookie",
    "client assertion",
    "DPoP proof",
    "invitation link",
    "address link",
    "notice's link",
    "recovery code",
    "nonce",
    "licence",
    "host's assertion",
    "grant envelope",
    "device-bound session response",
    "stream ticket",
    "device's stream ticket",
    "enrolment token",
    "set-up link",
    "activation link",
    "password",
    "authenticator's code",
    "passkey's sign-in",
    "passkey's step-up",
    "passkey's approval",
    "typed code",
    "webhook's secret",
];

/// Where it is shown.
const DOORS: [&str; 27] = [
    "API as DPoP token",
    "API as bearer token",
    "API as cookie",
    "API as proof",
    "token endpoint as assertion",
    "token endpoint as code",
    "polling as device code",
    "token endpoint as licence",
    "token endpoint as host",
    "revocation as assertion",
    "invitation as link",
    "address as link",
    "not me as link",
    "client stream",
    "device stream",
    "device session renewal",
    "enrolment",
    "set-up as link",
    "activation as link",
    "sign-in as password",
    "sign-in as code",
    "sign-in as passkey",
    "step-up as code",
    "step-up as passkey",
    "request as code",
    "request as passkey",
    "code that is typed",
];

fn lets_in(answer: &str) -> bool {
    answer.starts_with('2') || answer == "101" || answer == "pending"
}

#[tokio::test]
async fn a17_every_secret_opens_its_own_door_alone() {
    let mut world = World::new().await;
    let mut table = HEAD.to_owned();
    let mut opened = Vec::new();
    for (turn, kind) in TOKENS.into_iter().enumerate() {
        world.proves().await;
        world.browses().await;
        if turn % 5 == 0 {
            world.signs_in().await;
        }
        for (at, door) in DOORS.into_iter().enumerate() {
            if at % 8 == 0 {
                world.ends_programs().await;
            }
            // A person has only so many codes for programs that nobody used: the oldest ones lapse.
            world.installation.server.clock.advance(if kind == "program's code" { 6 } else { 1 });
            let shown = world.token(kind).await;
            let answer = world.answer(&shown, door).await;
            if lets_in(&answer) {
                opened.push((kind, door));
            }
            table.push_str(&format!("{kind:<31}{door:<29}{answer}\n"));
        }
    }
    let wanted = [
        ("access token", "API as DPoP token"),
        ("program's token", "API as DPoP token"),
        ("program's code", "token endpoint as code"),
        ("device code", "polling as device code"),
        ("device code's token", "API as DPoP token"),
        ("session cookie", "API as cookie"),
        ("client assertion", "token endpoint as assertion"),
        ("client assertion", "revocation as assertion"),
        ("DPoP proof", "API as proof"),
        ("invitation link", "invitation as link"),
        ("invitation link", "activation as link"),
        ("address link", "address as link"),
        ("notice's link", "not me as link"),
        ("recovery code", "sign-in as code"),
        ("licence", "token endpoint as licence"),
        ("host's assertion", "token endpoint as host"),
        ("device-bound session response", "device session renewal"),
        ("stream ticket", "client stream"),
        ("device's stream ticket", "device stream"),
        ("enrolment token", "enrolment"),
        ("set-up link", "set-up as link"),
        ("activation link", "invitation as link"),
        ("activation link", "activation as link"),
        ("password", "sign-in as password"),
        ("authenticator's code", "sign-in as code"),
        ("authenticator's code", "step-up as code"),
        ("authenticator's code", "request as code"),
        ("passkey's sign-in", "sign-in as passkey"),
        ("passkey's step-up", "step-up as passkey"),
        ("passkey's approval", "request as passkey"),
        ("typed code", "code that is typed"),
    ];
    assert_eq!(opened, wanted, "{table}");
    every_secret_has_a_door(&world).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/snapshots/tokens.txt");
    if std::env::var_os("SALLYPORT_WRITE_TOKENS").is_some() {
        std::fs::write(&file, &table).expect("a file");
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(table == reviewed, "docs/snapshots/tokens.txt differs; read the change, then write it with SALLYPORT_WRITE_TOKENS=1:\n{table}");
}

/// Public routes that take a secret, by door; and those that take none, or the secret of another one again with something more.
const ROUTES: [(&str, &str); 24] = [
    ("GET /.well-known/oauth-authorization-server", "nothing is shown"),
    ("GET /v1/nonce", "nothing is shown"),
    ("GET /v1/openapi.json", "nothing is shown"),
    ("GET /v1/remote-sessions/stream", "client stream"),
    ("GET /v1/setup", "nothing is shown"),
    ("POST /v1/addresses/approve", "address as link, with one more click"),
    ("POST /v1/addresses/look", "address as link"),
    ("POST /v1/device-session/register", "API as cookie, with a signature of a key that is new"),
    ("POST /v1/device-session/renew", "device session renewal"),
    ("POST /v1/invitations/finish", "activation as link, with a code of the new authenticator"),
    ("POST /v1/invitations/look", "invitation as link"),
    ("POST /v1/invitations/start", "activation as link"),
    ("POST /v1/not-me", "not me as link"),
    ("POST /v1/oauth/device", "nothing is shown"),
    ("POST /v1/oauth/keys", "token endpoint as assertion, twice: of the present key and of the next (rotation.rs)"),
    ("POST /v1/oauth/revoke", "revocation as assertion"),
    ("POST /v1/oauth/token", "token endpoint as assertion, as code, as licence, as host; polling as device code"),
    ("POST /v1/setup/finish", "set-up as link, with a code of the new authenticator and the authority's signature"),
    ("POST /v1/setup/start", "set-up as link"),
    ("POST /v1/sign-in", "sign-in as password, as code"),
    ("POST /v1/sign-in/kit/finish", "sign-in as password, with the signature of a key that no secret here is (accounts/kit.rs)"),
    ("POST /v1/sign-in/kit/start", "nothing is shown"),
    ("POST /v1/sign-in/passkey/finish", "sign-in as passkey"),
    ("POST /v1/sign-in/passkey/start", "nothing is shown"),
];

/// A route that anybody may call is a consumer: a new one gets a door, or says here why it has none.
async fn every_secret_has_a_door(world: &World) {
    let document = Client::new(&world.fresh, 93).get("/v1/openapi.json").await.json();
    let mut public: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if !operation["description"].as_str().is_some_and(|text| text.starts_with("Needs `")) {
                public.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    public.sort_unstable();
    let mut known: Vec<&str> = ROUTES.iter().map(|(route, _)| *route).collect();
    known.sort_unstable();
    assert_eq!(public, known);
}
