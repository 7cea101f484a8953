//! Executing a released action: the one place where a guarded operation happens, in one transaction with its entry.

mod at_once;
mod standing;

use sallyport_decide::actions::{Action, ChangeNetworks, GoneFactor, Released, Target};
use sallyport_decide::automation::{ChangeClient, IssueLicence};
use sallyport_decide::bridge::ChangeConnection;
use sallyport_decide::remote_policy::ChangeRemotePolicy;
use sallyport_decide::webhooks::{Event, EventKind};
use sallyport_grant::Envelope;
use sallyport_grant::body::{Body, GrantAction, GrantBody};
use sallyport_grant::log::grant_leaf_data;
use sallyport_grant::targets::TargetTree;
use sallyport_model::{DeviceId, Digest, GrantId, InstallerId, JobId, RequestId, RunId, SessionId, TenantId, Timestamp};
use serde_json::json;

use super::accounts::{RecoveryHashes, UsedFactor};
use super::automation;
use super::bridge;
use super::people::{self, PeopleDone, PeoplePart};
use super::remote::{self, NewAttachment};
use super::requests::insert_proof;
use super::{schedules, webhooks};
use crate::{Actor, Change, Entry, StoreError, Tx, values};
pub use at_once::AtOnce;
use standing::devices_still_are;

/// A released action with what its execution needs beside it: ids, keys' outputs, hashes.
pub struct Execute {
    pub released: Released,
    pub part: Part,
    /// The factor whose proof released it, where one did.
    pub used: Option<UsedFactor>,
    pub salt: [u8; 32],
}

/// What the execution of each kind of action needs that is made outside: random ids, signatures, hashes.
pub enum Part {
    RunScript {
        job: JobId,
        envelope: Envelope,
        runs: Vec<NewRun>,
    },
    CreateInstaller {
        installer: InstallerId,
        secret_hash: Digest,
    },
    ApproveDevices,
    RemoveDevices,
    RegenerateRecoveryCodes {
        hashes: RecoveryHashes,
    },
    OpenRemoteSession(NewAttachment),
    People(PeoplePart),
    RemoveFactor,
    ChangeNetworks,
    ChangeRemotePolicy,
    Client,
    IssueLicence {
        envelope: Envelope,
    },
    PublishSchedule {
        envelope: Envelope,
    },
    /// The sealed secret, where it gets one.
    Webhook {
        secret: Vec<u8>,
    },
    Connection,
}

/// A run's id for each device.
#[derive(Debug, Clone, Copy)]
pub struct NewRun {
    pub run: RunId,
    pub device: DeviceId,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    pub log_index: u64,
    pub job: Option<JobId>,
    pub grant: Option<GrantId>,
    pub devices: Vec<DeviceId>,
    /// What happened to people, where it was about them.
    pub people: PeopleDone,
}

impl Execute {
    fn tenant(&self) -> TenantId {
        self.released.frozen().asker.tenant
    }

    fn request(&self) -> RequestId {
        self.released.request()
    }

    fn at(&self) -> Timestamp {
        self.released.at()
    }

    fn actor(&self) -> Actor {
        Actor::of(&self.released.frozen().asker)
    }

    fn entry(&self, kind: &'static str, mut payload: serde_json::Value) -> Entry {
        payload["request"] = json!(self.request());
        payload["proofs"] = json!(self.released.proofs());
        Entry::new(kind, self.actor(), self.at(), self.salt, payload)
    }
}

impl Change for Execute {
    type Out = Executed;

    async fn apply(&self, tx: &mut Tx) -> Result<Executed, StoreError> {
        if let Some(used) = &self.used {
            used.use_up(tx, self.at()).await?;
        }
        self.close(tx).await?;
        self.asker_still_stands(tx).await?;
        self.others_still_stand(tx).await?;
        self.class_still_suffices(tx).await?;
        let mut people = PeopleDone::default();
        let (log_index, job) = match (&self.released.frozen().action, &self.part) {
            (Action::RunScript(run), Part::RunScript { job, envelope, runs }) => {
                devices_still_are(tx, self.tenant(), &run.targets, "approved").await?;
                (self.run_script(tx, *job, envelope, runs).await?, Some(*job))
            }
            (Action::CreateInstaller(_), Part::CreateInstaller { installer, secret_hash }) => {
                (self.create_installer(tx, *installer, *secret_hash).await?, None)
            }
            (Action::ApproveDevices(targets), Part::ApproveDevices) => {
                devices_still_are(tx, self.tenant(), targets, "pending").await?;
                (self.approve(tx, targets).await?, None)
            }
            (Action::RemoveDevices(targets), Part::RemoveDevices) => (self.remove(tx, targets).await?, None),
            (Action::RegenerateRecoveryCodes, Part::RegenerateRecoveryCodes { hashes }) => (self.recovery_codes(tx, hashes).await?, None),
            (Action::OpenRemoteSession(open), Part::OpenRemoteSession(new)) => {
                devices_still_are(tx, self.tenant(), std::slice::from_ref(&open.target), "approved").await?;
                (remote::open(tx, &self.released, new).await?, None)
            }
            (Action::RemoveFactor(gone), Part::RemoveFactor) => {
                people.stopped.sessions = super::accounts::remove_factor(tx, &self.released.frozen().asker, gone.factor, self.at()).await?;
                (self.removed_factor(tx, gone, &people.stopped.sessions).await?, None)
            }
            (Action::ChangeNetworks(change), Part::ChangeNetworks) => (self.networks(tx, change).await?, None),
            (Action::ChangeRemotePolicy(change), Part::ChangeRemotePolicy) => (self.remote_policy(tx, change).await?, None),
            (Action::CreateClient(client), Part::Client) => (self.create_client(tx, client).await?, None),
            (Action::ChangeClient(client), Part::Client) => (self.change_client(tx, client).await?, None),
            (Action::CreateConnection(new), Part::Connection) => (self.create_connection(tx, new).await?, None),
            (Action::ChangeConnection(change), Part::Connection) => (self.change_connection(tx, change).await?, None),
            (Action::IssueLicence(wanted), Part::IssueLicence { envelope }) => (self.issue_licence(tx, wanted, envelope).await?, None),
            (Action::PublishSchedule(action), Part::PublishSchedule { envelope }) => {
                devices_still_are(tx, self.tenant(), &action.run.targets, "approved").await?;
                (schedules::publish(tx, (&self.released, action), envelope, self.salt).await?, None)
            }
            (action, Part::Webhook { secret }) => {
                let (kind, payload) = webhooks::apply(tx, &self.released, action, secret).await?;
                (tx.append(self.tenant(), self.entry(kind, payload)).await?, None)
            }
            (_, Part::People(part)) => {
                let ground = people::Ground { released: &self.released, salt: self.salt };
                let (done, people::Told(kind, payload)) = people::apply(tx, &ground, part).await?;
                people = done;
                (tx.append(self.tenant(), self.entry(kind, payload)).await?, None)
            }
            _ => return Err(StoreError::Corrupt("action")),
        };
        tx.execute("UPDATE requests SET job = $2, log_index = $3 WHERE id = $1", values![self.request(), job, log_index]).await?;
        self.touch(tx).await?;
        self.announce(tx, job);
        let grant = match &self.released.frozen().action {
            Action::RunScript(run) => Some(run.grant),
            Action::PublishSchedule(publish) => Some(publish.run.grant),
            Action::OpenRemoteSession(open) => Some(open.grant),
            _ => None,
        };
        Ok(Executed {
            log_index,
            job,
            grant,
            devices: self.released.frozen().action.targets().iter().map(|target| target.device).collect(),
            people,
        })
    }
}

impl Execute {
    fn announce(&self, tx: &mut Tx, job: Option<JobId>) {
        let frozen = self.released.frozen();
        let data =
            json!({ "request": frozen.id, "action": frozen.action.kind().as_str(), "summary": frozen.action.sentence(), "job": job });
        tx.announce(self.tenant(), self.at(), frozen.id.as_bytes(), Event { kind: EventKind::RequestExecuted, data });
    }

    /// Once: whoever comes second finds the request closed.
    async fn close(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET state = 'executed' WHERE tenant = $1 AND id = $2 AND state = 'open' AND expires > $3";
        tx.execute_versioned(sql, values![self.tenant(), self.request(), self.at()]).await?;
        for proof in self.released.proofs() {
            insert_proof(tx, self.request(), proof).await?;
        }
        Ok(())
    }

    async fn run_script(&self, tx: &mut Tx, job: JobId, envelope: &Envelope, runs: &[NewRun]) -> Result<u64, StoreError> {
        let frozen = self.released.frozen();
        let Action::RunScript(action) = &frozen.action else { return Err(StoreError::Corrupt("action")) };
        let body = GrantBody::parse(envelope.payload()).map_err(|_| StoreError::Corrupt("envelope"))?;
        let GrantAction::RunScript(run) = &body.action else { return Err(StoreError::Corrupt("envelope")) };
        let payload = json!({ "job": job, "grant": body.id, "script": action.script, "name": run.name, "version": action.version,
            "sha256": run.script_sha256, "targets": action.targets.len(), "class": u8::from(frozen.class),
            "request": frozen.id, "digest": envelope.digest(), "proofs": self.released.proofs() });
        let entry = Entry::grant("job.created", self.actor(), self.at(), grant_leaf_data(envelope, &body), payload);
        let log_index = tx.append(self.tenant(), entry).await?;
        let sql = "INSERT INTO jobs (id, tenant, grant_id, script, script_version, name, content, envelope, requested_by, requested_by_id, created, \
                   expires, log_index, left_runs) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let text = String::from_utf8(envelope.to_bytes()).map_err(|_| StoreError::Corrupt("envelope"))?;
        let args = values![
            job,
            self.tenant(),
            body.id,
            action.script,
            action.version,
            run.name,
            action.text,
            text,
            frozen.asker.name,
            frozen.asker.user,
            self.at(),
            body.expires,
            log_index,
            runs.len(),
        ];
        tx.execute(sql, args).await?;
        self.insert_runs(tx, job, &body, &action.targets, runs).await?;
        let sql = "UPDATE scripts SET last_run = $2, last_run_version = $3 WHERE id = $1";
        tx.execute(sql, values![action.script, self.at(), action.version]).await?;
        Ok(log_index)
    }

    async fn insert_runs(&self, tx: &mut Tx, job: JobId, body: &GrantBody, targets: &[Target], runs: &[NewRun]) -> Result<(), StoreError> {
        let broken = || StoreError::Corrupt("targets");
        let tree = TargetTree::build(self.tenant(), targets.iter().map(|target| target.thumbprint)).map_err(|_| broken())?;
        if tree.targets() != body.targets || targets.len() != runs.len() {
            return Err(broken());
        }
        let columns = &["id", "tenant", "job", "grant_id", "device", "state", "target_index", "target_proof", "next_chunk", "output_bytes"];
        let mut rows = Vec::with_capacity(runs.len());
        for (target, run) in targets.iter().zip(runs) {
            let proof = tree.proof(target.thumbprint).filter(|_| run.device == target.device).ok_or_else(broken)?;
            let hashes: Vec<u8> = proof.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            rows.push(values![run.run, self.tenant(), job, body.id, run.device, "waiting", proof.index, hashes, 0i64, 0i64].to_vec());
        }
        tx.insert_rows("runs", columns, &rows).await
    }

    async fn create_installer(&self, tx: &mut Tx, installer: InstallerId, secret_hash: Digest) -> Result<u64, StoreError> {
        let Action::CreateInstaller(wanted) = &self.released.frozen().action else { return Err(StoreError::Corrupt("action")) };
        let sql = "INSERT INTO installers (id, tenant, site, label, platform, uses, used, network, secret_hash, created, created_by, expires) \
                   VALUES ($1, $2, $3, $4, 'linux', $5, 0, $6, $7, $8, $9, $10)";
        let by = &self.released.frozen().asker.name;
        let args = values![
            installer,
            self.tenant(),
            wanted.site,
            wanted.label,
            wanted.uses,
            wanted.network,
            secret_hash,
            self.at(),
            by,
            wanted.expires,
        ];
        tx.execute(sql, args).await?;
        let payload = json!({ "installer": installer, "label": wanted.label, "site": wanted.site, "place": wanted.place, "uses": wanted.uses,
            "expires": wanted.expires, "network": wanted.network });
        tx.append(self.tenant(), self.entry("installer.created", payload)).await
    }

    async fn approve(&self, tx: &mut Tx, targets: &[Target]) -> Result<u64, StoreError> {
        let sql = "UPDATE devices SET state = 'approved', approved = $3, approved_by = $4, version = version + 1 \
                   WHERE tenant = $1 AND id = $2 AND state = 'pending'";
        let by = &self.released.frozen().asker.name;
        for target in targets {
            tx.execute_versioned(sql, values![self.tenant(), target.device, self.at(), by]).await?;
        }
        tx.append(self.tenant(), self.entry("devices.approved", named(targets))).await
    }

    async fn remove(&self, tx: &mut Tx, targets: &[Target]) -> Result<u64, StoreError> {
        for target in targets {
            let sql = "UPDATE devices SET state = 'removed', version = version + 1 WHERE tenant = $1 AND id = $2 AND state <> 'removed'";
            tx.execute_versioned(sql, values![self.tenant(), target.device]).await?;
        }
        tx.append(self.tenant(), self.entry("devices.removed", named(targets))).await
    }

    async fn recovery_codes(&self, tx: &mut Tx, hashes: &RecoveryHashes) -> Result<u64, StoreError> {
        let user = self.released.frozen().asker.user;
        super::accounts::replace_recovery_codes(tx, user, hashes, self.at()).await?;
        tx.append(self.tenant(), self.entry("recovery_codes.regenerated", json!({ "user": user }))).await
    }

    async fn removed_factor(&self, tx: &mut Tx, gone: &GoneFactor, ended: &[SessionId]) -> Result<u64, StoreError> {
        let user = self.released.frozen().asker.user;
        let payload = json!({ "user": user, "factor": gone.factor, "kind": gone.kind, "name": gone.name, "sessions": ended });
        tx.append(self.tenant(), self.entry("factor.removed", payload)).await
    }

    async fn networks(&self, tx: &mut Tx, change: &ChangeNetworks) -> Result<u64, StoreError> {
        super::networks::replace_rules(tx, self.tenant(), change.version, &change.rules).await?;
        tx.append(self.tenant(), self.entry("networks.changed", json!({ "rules": change.rules }))).await
    }

    async fn remote_policy(&self, tx: &mut Tx, change: &ChangeRemotePolicy) -> Result<u64, StoreError> {
        remote::replace_policy(tx, self.tenant(), change).await?;
        let payload = json!({ "before": change.before, "after": change.after });
        tx.append(self.tenant(), self.entry("policy.remote_changed", payload)).await
    }

    async fn create_client(&self, tx: &mut Tx, client: &ChangeClient) -> Result<u64, StoreError> {
        automation::create(tx, &self.released.frozen().asker, client, self.at()).await?;
        let payload = json!({ "client": client.client, "name": client.after.name, "after": client.after, "key": client.key });
        tx.append(self.tenant(), self.entry("client.created", payload)).await
    }

    async fn change_client(&self, tx: &mut Tx, client: &ChangeClient) -> Result<u64, StoreError> {
        automation::change(tx, &self.released.frozen().asker, client, self.at()).await?;
        let payload = json!({ "client": client.client, "name": client.after.name, "before": client.before, "after": client.after });
        tx.append(self.tenant(), self.entry("client.changed", payload)).await
    }

    async fn create_connection(&self, tx: &mut Tx, new: &ChangeConnection) -> Result<u64, StoreError> {
        bridge::create(tx, (&self.released.frozen().asker, self.request()), new, self.at()).await?;
        let payload = json!({ "connection": new.connection, "name": new.after.name, "after": new.after });
        tx.append(self.tenant(), self.entry("connection.created", payload)).await
    }

    async fn change_connection(&self, tx: &mut Tx, change: &ChangeConnection) -> Result<u64, StoreError> {
        bridge::change(tx, (&self.released.frozen().asker, self.request()), change, self.at()).await?;
        let payload = json!({ "connection": change.connection, "name": change.after.name, "before": change.before, "after": change.after,
            "new_credential": change.secret.is_some() });
        tx.append(self.tenant(), self.entry("connection.changed", payload)).await
    }

    async fn issue_licence(&self, tx: &mut Tx, wanted: &IssueLicence, envelope: &Envelope) -> Result<u64, StoreError> {
        let payload = automation::issue(tx, &self.released.frozen().asker, wanted, envelope, self.at()).await?;
        tx.append(self.tenant(), self.entry("licence.issued", payload)).await
    }

    /// What reaches devices counts into the asker's hour.
    async fn touch(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let frozen = self.released.frozen();
        if !frozen.action.kind().touches_devices() {
            return Ok(());
        }
        let row = |target: &Target| values![self.tenant(), frozen.asker.user, target.device, self.at()].to_vec();
        let rows: Vec<_> = frozen.action.targets().iter().map(row).collect();
        tx.insert_rows("touches", &["tenant", "person", "device", "at"], &rows).await
    }
}

fn named(targets: &[Target]) -> serde_json::Value {
    json!({ "devices": targets.iter().map(|target| json!({ "id": target.device, "name": target.name, "thumbprint": target.thumbprint })).collect::<Vec<_>>() })
}
