//! `sallyport audit verify`: the log key from the trust root, a signed checkpoint, and a proof for each entry.

use std::path::PathBuf;

use sallyport_api as api;
use sallyport_grant::body::RootBody;
use sallyport_grant::merkle::{TreeHead, inclusion_holds};
use sallyport_grant::{AuthorityPin, TrustRoot, checkpoint};
use sallyport_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::screen::{Screen, Tone};
use crate::{clock, safe, say, session};

/// What was seen last, so that a log that shrinks or changes its past at the same size is noticed.
#[derive(Serialize, Deserialize)]
struct Seen {
    origin: String,
    pin: Digest,
    size: u64,
    root: Digest,
}

/// Checks and tells.
pub(super) fn verify(client: &mut Client, screen: Screen, last: usize, pin: Option<&str>) -> Result<Outcome, Failure> {
    let trust: api::Trust = client.read("/v1/trust")?;
    let known = pin.map(parse_pin).transpose()?;
    let root = root(&trust, known)?;
    let newest: api::Checkpoint = client.read("/v1/audit/checkpoint")?;
    let head = signed(&newest, root.body())?;
    let seen = Seen { origin: root.body().log.origin.clone(), pin: trust.authority_pin, size: head.size, root: head.root };
    let place = client.path().with_file_name("log.json");
    let before = earlier(&place, &seen)?;
    let entries: Vec<api::AuditEntry> = client.read_up_to("/v1/audit", &Query::default(), last)?;
    for entry in &entries {
        included(client, entry, head, root.body())?;
    }
    remember(&place, &seen)?;
    let indexes: Vec<u64> = entries.iter().map(|entry| entry.index).collect();
    let document = json!({
        "holds": true, "authority_pin": trust.authority_pin, "pin_was_given": known.is_some(), "origin": seen.origin,
        "size": head.size, "root": head.root, "checked_entries": indexes,
    });
    screen.give(&document, |screen| tell(screen, &seen, entries.len(), known, before.as_ref()));
    Ok(Outcome::Done)
}

pub(super) fn parse_pin(text: &str) -> Result<Digest, Failure> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    bare.parse().map_err(|_| Failure::Input("a pin is 64 hexadecimal digits".to_owned()))
}

fn root(trust: &api::Trust, known: Option<Digest>) -> Result<TrustRoot, Failure> {
    let pin = known.unwrap_or(trust.authority_pin);
    if pin != trust.authority_pin {
        return Err(Failure::Log(format!("the server's authority has the pin {}, not yours", trust.authority_pin)));
    }
    TrustRoot::verify(trust.root_envelope.as_bytes(), AuthorityPin(pin), clock::now())
        .map_err(|error| Failure::Log(format!("the trust root: {error}")))
}

/// The tree that a checkpoint signs; what else the server says about it must be the same.
fn signed(checkpoint: &api::Checkpoint, root: &RootBody) -> Result<TreeHead, Failure> {
    let head = checkpoint::verify(&checkpoint.note, &root.log.origin, &root.log.key)
        .map_err(|error| Failure::Log(format!("the checkpoint: {error}")))?;
    if head.size == checkpoint.size && head.root == checkpoint.root {
        Ok(head)
    } else {
        Err(Failure::Log("the server says something else of the checkpoint than the signed note".to_owned()))
    }
}

fn included(client: &mut Client, entry: &api::AuditEntry, newest: TreeHead, root: &RootBody) -> Result<(), Failure> {
    let proof: api::InclusionProof = client.read(&format!("/v1/audit/{}/proof", entry.index))?;
    let head = signed(&proof.checkpoint, root)?;
    let no = |why: &str| Err(Failure::Log(format!("entry {}: {why}", entry.index)));
    if head.size < newest.size {
        return no("its proof is for an older tree than the newest checkpoint");
    }
    if head.size == newest.size && head.root != newest.root {
        return no("two signed trees of one size differ");
    }
    if proof.index != entry.index || proof.leaf != entry.leaf {
        return no("its proof is for another entry");
    }
    if !inclusion_holds(&entry.leaf, entry.index, head.size, &proof.hashes, &head.root) {
        return no("it is not in the signed tree");
    }
    Ok(())
}

/// What was seen before, where it fits with what is seen now.
fn earlier(place: &PathBuf, now: &Seen) -> Result<Option<Seen>, Failure> {
    let bytes = match std::fs::read(place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Whoever cannot look back cannot say that nothing was taken back.
        Err(why) => return Err(Failure::File { path: place.clone(), why }),
    };
    let seen: Seen = serde_json::from_slice(&bytes)
        .map_err(|_| Failure::Content { path: place.clone(), why: "cannot be read; remove it to begin anew" })?;
    if seen.origin != now.origin {
        return Ok(None);
    }
    let broken = match () {
        () if seen.pin != now.pin => Some("the authority is another one than at the last check".to_owned()),
        () if seen.size > now.size => Some(format!("it had {} entries at the last check and has {} now", seen.size, now.size)),
        () if seen.size == now.size && seen.root != now.root => Some("it has other entries than at the last check".to_owned()),
        () => None,
    };
    broken.map_or(Ok(Some(seen)), |why| Err(Failure::Log(why)))
}

fn remember(place: &std::path::Path, seen: &Seen) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(seen).map_err(|error| Failure::Answer(error.to_string()))?;
    session::write_private(place, &text)
}

fn tell(screen: Screen, seen: &Seen, checked: usize, known: Option<Digest>, before: Option<&Seen>) {
    screen.say_in(Tone::Good, format!("The log holds: {checked} newest entries are in the tree that the tenant's log key signed."));
    screen.facts(&[
        ("pin", say::groups(&seen.pin)),
        ("log", safe::one_line(&seen.origin)),
        ("entries", seen.size.to_string()),
        ("root", say::groups(&seen.root)),
        (
            "last check",
            before.map_or_else(
                || "this is the first one here".to_owned(),
                |before| format!("{} entries, nothing was taken back", before.size),
            ),
        ),
    ]);
    if known.is_none() {
        screen.say("The pin came from the server. Compare it with the authority kit or `sallyport-agent status`, and give it with --pin.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(size: u64, root: u8, pin: u8) -> Seen {
        Seen { origin: "sallyport/ten_1".into(), pin: Digest::from_bytes([pin; 32]), size, root: Digest::from_bytes([root; 32]) }
    }

    #[test]
    fn a_log_that_goes_back_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("log.json");
        assert!(earlier(&place, &seen(5, 1, 1)).unwrap().is_none());
        remember(&place, &seen(5, 1, 1)).unwrap();
        assert_eq!(earlier(&place, &seen(9, 2, 1)).unwrap().unwrap().size, 5);
        assert!(earlier(&place, &seen(5, 1, 1)).unwrap().is_some());
        for other in [seen(4, 1, 1), seen(5, 2, 1), seen(9, 2, 2)] {
            assert!(matches!(earlier(&place, &other), Err(Failure::Log(_))));
        }
        assert!(
            matches!(earlier(&folder.path().to_owned(), &seen(5, 1, 1)), Err(Failure::File { .. })),
            "what cannot be read is not missing"
        );
        let stranger = Seen { origin: "sallyport/ten_2".into(), ..seen(1, 1, 1) };
        assert!(earlier(&place, &stranger).unwrap().is_none());
    }

    #[test]
    fn pins_are_read_in_groups_too() {
        let text = "0123 ".repeat(16);
        assert_eq!(parse_pin(&text).unwrap().to_string(), "0123".repeat(16));
        assert!(parse_pin("0123").is_err());
    }
}
