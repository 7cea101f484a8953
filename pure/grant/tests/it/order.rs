//! The order of the device's checks: whatever else is wrong with an offer, the first check that it fails is the one that is told.

use sallyport_grant::body::{ProofMethod, Statement};
use sallyport_grant::verify::{Clock, Profile, Verifier};
use sallyport_grant::{Envelope, PayloadType, json};
use sallyport_model::{TenantId, limits};

use crate::world::{World, class};

/// What can be wrong, in the order in which a device looks, with the code that is told.
const FAULTS: [(Fault, &str); 10] = [
    (Fault::Envelope, "malformed"),
    (Fault::Root, "root_expired"),
    (Fault::Signer, "unknown_signer"),
    (Fault::Class, "class_too_low"),
    (Fault::Proof, "proof_missing"),
    (Fault::Tenant, "wrong_tenant"),
    (Fault::Device, "wrong_device"),
    (Fault::Window, "window_too_long"),
    (Fault::Id, "used"),
    (Fault::Log, "not_in_log"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Envelope,
    Root,
    Signer,
    Class,
    Proof,
    Tenant,
    Device,
    Window,
    Id,
    Log,
}

/// What a device says to an offer with these faults.
fn told(faults: &[Fault]) -> Result<(), &'static str> {
    let has = |fault| faults.contains(&fault);
    let mut world = World::seeded(1);
    let mut body = world.body(3);
    if has(Fault::Class) {
        body.class = class(1);
    }
    if has(Fault::Tenant) {
        body.tenant = TenantId::from_bytes([2; 16]);
    }
    if has(Fault::Window) {
        body.expires = body.not_before.plus_secs(limits::GRANT_LIFETIME_SECS + limits::GRANT_SKEW_SECS + 1);
    }
    if has(Fault::Id) {
        world.used.0.insert(body.id);
    }
    let unsigned = Envelope::unsigned(PayloadType::Grant, json::write(&body));
    let mut statement: Statement = world.statement(&unsigned);
    if has(Fault::Proof) {
        statement.proofs[0].method = ProofMethod::StepUp;
    }
    let key = if has(Fault::Signer) { "stranger" } else { "attestation" };
    let envelope = world.attest_text(unsigned, &json::write(&statement), key);
    let mut offered = world.publish(&envelope, &body, 3);
    if has(Fault::Log) {
        offered.log_index += 1;
    }
    if has(Fault::Envelope) {
        offered.envelope.pop();
    }
    let root = world.root();
    let now = if has(Fault::Root) { root.body().expires } else { world.now };
    let device = world.public(if has(Fault::Device) { "device-9" } else { "device-0" });
    let clock = Clock { now, floor: world.now };
    let verifier = Verifier { root: &root, profile: Profile::Starter, device: &device, clock, used: &world.used };
    verifier.verify(&offered.as_offer()).map(|_| ()).map_err(|error| error.code())
}

#[test]
fn of_any_number_of_faults_the_first_is_told() {
    assert_eq!(told(&[]), Ok(()));
    for chosen in 1_u32..1 << FAULTS.len() {
        let wrong: Vec<(Fault, &str)> = (0..FAULTS.len()).filter(|at| chosen & 1 << at != 0).map(|at| FAULTS[at]).collect();
        let faults: Vec<Fault> = wrong.iter().map(|(fault, _)| *fault).collect();
        assert_eq!(told(&faults), Err(wrong[0].1), "{faults:?}");
    }
}
