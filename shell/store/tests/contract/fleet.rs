//! Customers, devices, installers and scripts: what people see and change, tenant by tenant.

use std::collections::BTreeSet;

use sallyport_decide::policy::{self, Capability, Permit, Rights, Role, Stage, permit};
use sallyport_decide::scripts::{CheckedScript, Parameter, WantedScript};
use sallyport_model::{CustomerId, DeviceId, Digest, InstallerId, Name, ScriptId, SessionId, SiteId, Tag, TenantId, UserId};
use sallyport_store::ops::customers::{AddCustomer, AddSite, places};
use sallyport_store::ops::devices::{DeviceState, TagDevice, Which};
use sallyport_store::ops::installers::RevokeInstaller;
use sallyport_store::ops::people::Within;
use sallyport_store::ops::scripts::{CreateScript, DeleteScript, SaveScript};
use sallyport_store::ops::{devices, installers, names, scripts};
use sallyport_store::{Store, StoreError, log, values};

use crate::world::{Sql, moment, ours, theirs};

pub(crate) fn allowed<C: Capability>(tenant: TenantId) -> Permit<C> {
    let actor = policy::Actor {
        tenant,
        user: UserId::from_bytes([5; 16]),
        email: "anna@example.test".into(),
        name: "Anna".into(),
        rights: Rights::of(Role::Owner),
        session: SessionId::from_bytes([6; 16]),
        stage: Stage::Full,
        step_up_until: None,
        step_up_kind: None,
    };
    permit(&actor).unwrap()
}

fn customer(n: u8) -> CustomerId {
    CustomerId::from_bytes([n; 16])
}

fn site(n: u8) -> SiteId {
    SiteId::from_bytes([n; 16])
}

fn device(n: u8) -> DeviceId {
    DeviceId::from_bytes([n; 16])
}

async fn add_customer(store: &Store, tenant: TenantId, n: u8, name: &str) -> Result<(), StoreError> {
    let name = Name::parse(name).unwrap();
    store.commit(AddCustomer { permit: allowed(tenant), id: customer(n), name, at: moment(1), salt: [n; 32] }).await
}

async fn add_site(store: &Store, tenant: TenantId, n: u8, of: u8, name: &str) -> Result<(), StoreError> {
    let name = Name::parse(name).unwrap();
    store.commit(AddSite { permit: allowed(tenant), id: site(n), customer: customer(of), name, at: moment(2), salt: [n; 32] }).await
}

/// One customer with one site, both numbered 1.
async fn with_site(store: &Store) {
    add_customer(store, ours(), 1, "Nordwind").await.unwrap();
    add_site(store, ours(), 1, 1, "Lyon").await.unwrap();
}

async fn add_device(store: &Store, n: u8, state: &'static str) {
    let sql = "INSERT INTO devices (id, tenant, site, thumbprint, device_key, seal_key, name, os, agent_version, state, installer, enrolled, \
               enrolled_from, tags, signed_in, alerts, last_seen, version) \
               VALUES ($1, $2, $3, $4, $4, $4, $5, 'Debian', '1', $6, $1, 0, '192.0.2.1', '', $7, '', $8, 1)";
    let signed_in = if n == 1 { "root\n\u{dc}nal" } else { "" };
    let args = values![device(n), ours(), site(1), [n; 32], format!("web-{n}"), state, signed_in, (n == 1).then(|| moment(5))];
    store.reserve(Sql(sql, args.to_vec())).await.unwrap();
}

async fn add_installer(store: &Store, n: u8) {
    let sql = "INSERT INTO installers (id, tenant, site, label, platform, uses, used, secret_hash, created, created_by, expires) \
               VALUES ($1, $2, $3, $4, 'linux', 5, 0, $5, 0, 'Anna', 1)";
    let args = values![InstallerId::from_bytes([n; 16]), ours(), site(1), format!("Label {n}"), [n; 32]];
    store.reserve(Sql(sql, args.to_vec())).await.unwrap();
}

fn checked(name: &str, text: &str) -> CheckedScript {
    let parameters = vec![Parameter { name: "DAYS".into(), default: "14".into(), ..Parameter::default() }];
    CheckedScript::check(WantedScript {
        name: name.into(),
        interpreter: "bash".into(),
        text: text.into(),
        parameters,
        ..WantedScript::default()
    })
    .unwrap()
}

fn script_id() -> ScriptId {
    ScriptId::from_bytes([9; 16])
}

async fn create(store: &Store, text: &str) {
    let change = CreateScript { permit: allowed(ours()), id: script_id(), script: checked("Clean", text), at: moment(1), salt: [1; 32] };
    store.commit(change).await.unwrap();
}

async fn save(store: &Store, tenant: TenantId, based_on: u32, text: &str) -> Result<u32, StoreError> {
    let change =
        SaveScript { permit: allowed(tenant), id: script_id(), script: checked("Cleaner", text), based_on, at: moment(2), salt: [2; 32] };
    store.commit(change).await
}

/// The newest entry: its kind and payload.
async fn last_entry(store: &Store) -> (String, serde_json::Value) {
    let page = log::page(&mut store.read().await.unwrap(), ours(), &log::Filter::default(), None, 1).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(page.entries[0].body.as_deref().unwrap()).unwrap();
    (page.entries[0].kind.clone(), body["payload"].clone())
}

on_both! {
    async fn customers_and_sites_are_listed_by_name_whatever_its_case(world) {
        for (n, name) in [(1, "zeta"), (2, "Alpha"), (3, "beta")] {
            add_customer(&world.store, ours(), n, name).await.unwrap();
        }
        add_site(&world.store, ours(), 1, 2, "Paris").await.unwrap();
        add_site(&world.store, ours(), 2, 2, "lyon").await.unwrap();
        assert_eq!(last_entry(&world.store).await.0, "site.created");
        let places = places(&mut world.store.read().await.unwrap(), ours()).await.unwrap();
        assert_eq!(places.customers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Alpha", "beta", "zeta"]);
        assert_eq!(places.sites.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["lyon", "Paris"]);
        assert_eq!(places.by_site()[&site(2)].customer_name, "Alpha");
    }

    async fn a_name_is_taken_once_and_another_tenants_customer_is_not_there(world) {
        add_customer(&world.store, ours(), 1, "Nordwind").await.unwrap();
        assert!(matches!(add_customer(&world.store, ours(), 2, "Nordwind").await, Err(StoreError::Exists)));
        add_customer(&world.store, theirs(), 2, "Nordwind").await.unwrap();
        assert!(matches!(add_site(&world.store, ours(), 1, 2, "Lyon").await, Err(StoreError::NotFound)));
        assert_eq!(world.check_log(ours()).await, 1);
    }

    async fn labels_are_replaced_sorted_and_logged(world) {
        with_site(&world.store).await;
        add_device(&world.store, 1, "approved").await;
        let tags: BTreeSet<Tag> = ["prod", "db"].map(|tag| Tag::parse(tag).unwrap()).into();
        let tag = |tenant, n| TagDevice { permit: allowed(tenant), device: device(n), tags: tags.clone(), at: moment(3), salt: [3; 32] };
        world.store.commit(tag(ours(), 1)).await.unwrap();
        let facts = devices::device(&mut world.store.read().await.unwrap(), ours(), device(1)).await.unwrap();
        assert_eq!((facts.row.tags.as_str(), facts.row.state), ("db prod", DeviceState::Approved));
        assert_eq!(last_entry(&world.store).await.1, serde_json::json!({ "device": device(1), "name": "web-1", "tags": ["db", "prod"] }));
        assert!(matches!(world.store.commit(tag(theirs(), 1)).await, Err(StoreError::NotFound)));
        add_device(&world.store, 2, "removed").await;
        assert!(matches!(world.store.commit(tag(ours(), 2)).await, Err(StoreError::NotFound)));
    }

    async fn devices_are_listed_apart_from_the_removed_and_from_other_tenants(world) {
        with_site(&world.store).await;
        for (n, state) in [(1, "approved"), (2, "pending"), (3, "quarantined"), (4, "removed")] {
            add_device(&world.store, n, state).await;
        }
        let mut reader = world.store.read().await.unwrap();
        let found: BTreeSet<_> = devices::list(&mut reader, ours(), Which::Managed).await.unwrap().into_iter().map(|row| row.id).collect();
        assert_eq!(found, [1, 2, 3].map(device).into());
        let mut listed = devices::list(&mut reader, ours(), Which::Managed).await.unwrap();
        listed.sort_by_key(|row| row.id);
        for (n, row) in (1..).zip(listed) {
            assert_eq!(row, devices::device(&mut reader, ours(), device(n)).await.unwrap().row, "a list says the same as the details");
        }
        assert_eq!(devices::list(&mut reader, ours(), Which::Removed).await.unwrap()[0].state, DeviceState::Removed);
        assert!(devices::list(&mut reader, theirs(), Which::Managed).await.unwrap().is_empty());
        assert_eq!(devices::inventory(&mut reader, ours(), device(1)).await.unwrap(), None);
        assert!(matches!(devices::inventory(&mut reader, theirs(), device(1)).await, Err(StoreError::NotFound)));
    }

    async fn installers_come_newest_first_and_are_revoked_once(world) {
        with_site(&world.store).await;
        for n in 1..=3 {
            add_installer(&world.store, n).await;
        }
        let id = |n: u8| InstallerId::from_bytes([n; 16]);
        let list = async |after, limit| -> Vec<InstallerId> {
            let rows = installers::list(&mut world.store.read().await.unwrap(), ours(), &Within::All, after, limit).await.unwrap();
            rows.into_iter().map(|row| row.id).collect()
        };
        assert_eq!((list(None, 2).await, list(Some(id(2)), 2).await), (vec![id(3), id(2)], vec![id(1)]));
        let revoke = |tenant| RevokeInstaller { permit: allowed(tenant), installer: id(2), at: moment(7), salt: [7; 32] };
        assert!(matches!(world.store.commit(revoke(theirs())).await, Err(StoreError::NotFound)));
        world.store.commit(revoke(ours())).await.unwrap();
        assert_eq!(last_entry(&world.store).await.0, "installer.revoked");
        let row = installers::one(&mut world.store.read().await.unwrap(), ours(), id(2)).await.unwrap();
        assert_eq!((row.revoked, row.customer_name.as_str(), row.site_name.as_str()), (Some(moment(7)), "Nordwind", "Lyon"));
        assert!(matches!(world.store.commit(revoke(ours())).await, Err(StoreError::NotFound)));
    }

    async fn versions_of_a_script_never_change_and_keep_every_byte(world) {
        let first = "\u{feff}#!/bin/sh\r\necho caf\u{e9}\t\n\n ";
        create(&world.store, first).await;
        assert_eq!(save(&world.store, ours(), 1, "second").await.unwrap(), 2);
        let (kind, payload) = last_entry(&world.store).await;
        assert_eq!((kind.as_str(), &payload["sha256"]), ("script.saved", &serde_json::json!(checked("x", "second").sha256())));
        let mut reader = world.store.read().await.unwrap();
        let old = scripts::script(&mut reader, ours(), script_id(), Some(1)).await.unwrap();
        assert_eq!((old.text.as_bytes(), old.newest, old.row.sha256), (first.as_bytes(), 2, checked("x", first).sha256()));
        assert_eq!(old.parameters[0].default, "14");
        let new = scripts::script(&mut reader, ours(), script_id(), None).await.unwrap();
        assert_eq!((new.text.as_str(), new.row.name.as_str(), new.row.version), ("second", "Cleaner", 2));
        let versions: Vec<(u32, Digest)> =
            scripts::versions(&mut reader, ours(), script_id(), 10).await.unwrap().into_iter().map(|one| (one.version, one.sha256)).collect();
        assert_eq!(versions, [(2, new.row.sha256), (1, old.row.sha256)]);
        assert!(matches!(scripts::script(&mut reader, theirs(), script_id(), None).await, Err(StoreError::NotFound)));
        assert!(scripts::versions(&mut reader, theirs(), script_id(), 10).await.unwrap().is_empty());
    }

    async fn who_saves_what_another_one_saved_meanwhile_is_told(world) {
        create(&world.store, "one").await;
        let answers = crate::world::together(&world.store, ["a", "b", "c"].map(|text| SaveScript {
            permit: allowed(ours()), id: script_id(), script: checked("Clean", text), based_on: 1, at: moment(2), salt: [2; 32],
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer, Ok(2) | Err(StoreError::Conflict))));
        assert!(matches!(save(&world.store, theirs(), 2, "x").await, Err(StoreError::NotFound)));
        assert_eq!(world.check_log(ours()).await, 2);
    }

    async fn a_deleted_script_is_gone_from_the_library_and_keeps_its_name_for_the_log(world) {
        create(&world.store, "one").await;
        let delete = |tenant| DeleteScript { permit: allowed(tenant), id: script_id(), version: None, at: moment(3), salt: [3; 32] };
        assert!(matches!(world.store.commit(delete(theirs())).await, Err(StoreError::NotFound)));
        world.store.commit(delete(ours())).await.unwrap();
        assert!(matches!(world.store.commit(delete(ours())).await, Err(StoreError::NotFound)));
        assert!(matches!(save(&world.store, ours(), 1, "x").await, Err(StoreError::NotFound)));
        let mut reader = world.store.read().await.unwrap();
        assert!(scripts::list(&mut reader, ours()).await.unwrap().is_empty());
        assert_eq!(scripts::count(&mut reader, ours()).await.unwrap(), 0);
        let ids: BTreeSet<String> = [script_id().to_string(), customer(1).to_string(), "system".into()].into();
        assert_eq!(names::names(&mut reader, ours(), &ids).await.unwrap(), [(script_id().to_string(), "Clean".to_owned())].into());
        assert!(names::names(&mut reader, theirs(), &ids).await.unwrap().is_empty());
    }
}
