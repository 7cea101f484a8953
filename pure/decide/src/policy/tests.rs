use std::collections::BTreeSet;
use std::sync::Arc;

use sallyport_model::{CustomerId, RoleId, SiteId};

use super::Role::{Admin, Auditor, Owner, Support, Technician};
use super::Stage::{Codes, DeviceCode, Factorless, Full, NewPassword};
use super::*;

fn actor(rights: Rights, stage: Stage) -> Actor {
    Actor {
        tenant: TenantId::from_bytes([1; 16]),
        user: UserId::from_bytes([2; 16]),
        email: "a@b".into(),
        name: "A".into(),
        rights,
        session: SessionId::from_bytes([3; 16]),
        stage,
        step_up_until: None,
        step_up_kind: None,
    }
}

fn of(role: Role) -> Actor {
    actor(Rights::of(role), Full)
}

fn customer(n: u8) -> CustomerId {
    CustomerId::from_bytes([n; 16])
}

fn place(of: u8, site: u8) -> Place {
    Place { customer: customer(of), site: SiteId::from_bytes([site; 16]) }
}

fn scoped(role: Role, scope: Scope) -> Assignment {
    Assignment { role: AssignedRole::BuiltIn(role), scope }
}

fn custom(words: &[&str]) -> AssignedRole {
    let capabilities = words.iter().map(|word| (*word).to_owned()).collect();
    AssignedRole::Custom(Arc::new(CustomRole { id: RoleId::from_bytes([9; 16]), name: "Night shift".into(), capabilities }))
}

#[test]
fn a_session_that_must_save_its_codes_may_do_only_that() {
    let allowed: Vec<_> = TABLE.iter().filter(|row| row.stages.contains(&Codes)).map(|row| row.name).collect();
    let self_only = allowed.iter().all(|name| name.starts_with("self."));
    assert!(self_only && allowed.contains(&"self.confirm_recovery_codes"), "{allowed:?}");
    assert_eq!(permit::<RunScripts>(&actor(Rights::of(Owner), Codes)).unwrap_err(), PolicyError::Stage);
}

#[test]
fn a_session_without_a_factor_reads_and_never_acts() {
    for row in TABLE.iter().filter(|row| row.stages.contains(&Factorless) && row.holds != Holds::Oneself) {
        assert!(row.name.ends_with(".read"), "{}", row.name);
    }
    assert_eq!(permit::<RunScripts>(&actor(Rights::of(Technician), Factorless)).unwrap_err(), PolicyError::Stage);
}

#[test]
fn pwd_04_a_session_with_a_breached_password_changes_it_and_nothing_else() {
    let allowed: BTreeSet<_> = TABLE.iter().filter(|row| row.stages.contains(&NewPassword)).map(|row| row.name).collect();
    assert_eq!(allowed, BTreeSet::from(["self.elevate", "self.factors", "self.not_me", "self.password", "self.read", "self.sign_out"]));
}

#[test]
fn oa_22_a_session_by_device_code_proves_nothing_and_changes_nothing_about_its_person() {
    let without: BTreeSet<_> =
        TABLE.iter().filter(|row| row.stages.contains(&Full) && !row.stages.contains(&DeviceCode)).map(|row| row.name).collect();
    let proves = ["requests.prove", "requests.second", "self.elevate", "self.check_up"];
    let own = [
        "self.addresses",
        "self.enrol",
        "self.factors",
        "self.password",
        "self.programs",
        "self.recovery_codes",
        "self.remove_factor",
        "self.sessions",
        "self.stop_reset",
    ];
    // No proof stands between these and other vendors' systems.
    let beyond = ["connections.use"];
    assert_eq!(without, proves.into_iter().chain(own).chain(beyond).collect());
    assert!(TABLE.iter().filter(|row| row.stages.contains(&DeviceCode)).all(|row| row.stages.contains(&Full)), "never more than others");
    let program = actor(Rights::of(Owner), DeviceCode);
    assert_eq!(permit::<ProveRequests>(&program).unwrap_err(), PolicyError::Stage);
    assert!(permit::<RunScripts>(&program).is_ok(), "it asks");
}

#[test]
fn an_auditor_changes_nothing() {
    assert_eq!(permit::<RunScripts>(&of(Auditor)).unwrap_err(), PolicyError::Role);
    assert!(permit::<ReadAudit>(&of(Auditor)).is_ok());
}

#[test]
fn every_capability_has_its_own_word_and_says_what_it_allows() {
    let words: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(words.len(), TABLE.len());
    assert!(TABLE.iter().all(|row| row.about.ends_with('.')));
}

#[test]
fn az_01_a_role_of_a_customer_reaches_its_sites_and_no_other() {
    let rights = Rights::new(vec![scoped(Technician, Scope::Customer(customer(1))), scoped(Technician, Scope::Site(place(2, 5).site))]);
    let permit = permit::<RunScripts>(&actor(rights, Full)).unwrap();
    let covered = [place(1, 1), place(1, 2), place(2, 5), place(2, 6), place(3, 7)].map(|place| permit.reach().covers(place));
    assert_eq!(covered, [true, true, true, false, false]);
    assert!(permit.reach().covers_customer(customer(1)) && !permit.reach().covers_customer(customer(2)), "one site is not its customer");
}

#[test]
fn az_01_what_concerns_the_tenant_is_not_given_by_a_customers_role() {
    let rights = Rights::new(vec![scoped(Admin, Scope::Customer(customer(1)))]);
    let admin = actor(rights, Full);
    for row in TABLE.iter().filter(|row| row.holds == Holds::Tenant) {
        assert_eq!(decide(row, &admin), Err(PolicyError::Role), "{}", row.name);
    }
    assert!(permit::<ReadScripts>(&admin).is_ok(), "the library is shared");
}

#[test]
fn az_01_rights_of_different_scopes_are_not_mixed() {
    let rights = Rights::new(vec![scoped(Auditor, Scope::Tenant), scoped(Technician, Scope::Customer(customer(1)))]);
    let mixed = actor(rights, Full);
    assert!(permit::<ReadDevices>(&mixed).unwrap().reach().is_tenant());
    assert!(!permit::<RunScripts>(&mixed).unwrap().reach().covers(place(2, 1)), "reading everywhere is not acting everywhere");
}

#[test]
fn nobody_without_roles_may_do_more_than_see_themselves() {
    let nobody = actor(Rights::default(), Full);
    for row in TABLE {
        assert_eq!(decide(row, &nobody).is_ok(), row.holds == Holds::Oneself && row.stages.contains(&Full), "{}", row.name);
    }
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    let built_in = |role| AssignedRole::BuiltIn(role);
    assert!(may_give(&Rights::of(Owner), &built_in(Owner)) && !may_give(&Rights::of(Admin), &built_in(Owner)));
    assert!(may_give(&Rights::of(Admin), &built_in(Admin)));
    let desk = Rights::new(vec![Assignment { role: custom(&["people.read", "people.write", "devices.read"]), scope: Scope::Tenant }]);
    assert!(may_give(&desk, &custom(&["devices.read"])));
    for more in [built_in(Admin), built_in(Technician), built_in(Support), custom(&["devices.read", "jobs.run"])] {
        assert!(!may_give(&desk, &more), "{more:?}");
    }
    assert!(!may_act_on(&desk, &Rights::of(Admin)), "a help desk cannot reset an administrator");
}

#[test]
fn a_custom_role_never_makes_an_owner() {
    let rights = Rights::new(vec![Assignment { role: custom(&["people.owners", "self.read", "unknown"]), scope: Scope::Tenant }]);
    assert_eq!(permit::<ManageOwners>(&actor(rights, Full)).unwrap_err(), PolicyError::Role);
}

#[test]
fn who_manages_others_administers() {
    assert!(Rights::of(Owner).administers() && Rights::of(Admin).administers());
    assert!(!Rights::of(Technician).administers() && !Rights::of(Support).administers());
    for word in ["people.write", "policy.write", "roles.write", "networks.write"] {
        assert!(Rights::new(vec![Assignment { role: custom(&[word]), scope: Scope::Tenant }]).administers(), "{word}");
    }
    assert!(Rights::new(vec![scoped(Admin, Scope::Customer(customer(1)))]).administers());
}
