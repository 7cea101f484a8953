//! The script library. A version is written once and never changed; deleting hides a script and keeps its versions.

use sallyport_decide::policy::{Permit, WriteScripts};
use sallyport_decide::schedules::Void;
use sallyport_decide::scripts::{CheckedScript, Parameter, interpreter, interpreter_word};
use sallyport_grant::body::Interpreter;
use sallyport_model::{Digest, ScriptId, TenantId, Timestamp, limits};
use serde_json::json;

use super::schedules::void_of_script;
use crate::{Actor, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A script in a list, at one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptRow {
    pub id: ScriptId,
    pub name: String,
    pub description: String,
    pub interpreter: Interpreter,
    /// The version that is shown.
    pub version: u32,
    pub sha256: Digest,
    pub saved: Timestamp,
    pub saved_by: String,
    pub last_run: Option<Timestamp>,
    pub last_run_version: Option<u32>,
}

/// One version in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptText {
    pub row: ScriptRow,
    /// The newest version's number.
    pub newest: u32,
    pub text: String,
    pub parameters: Vec<Parameter>,
}

/// A version in a script's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    pub version: u32,
    pub sha256: Digest,
    pub saved: Timestamp,
    pub saved_by: String,
}

/// All scripts at their newest versions, by name: there are never more than [`limits::SCRIPTS`].
pub async fn list(reader: &mut Reader, tenant: TenantId) -> Result<Vec<ScriptRow>, StoreError> {
    let sql = "SELECT s.id, s.name, s.description, s.last_run, s.last_run_version, v.version, v.interpreter, v.sha256, v.saved, v.saved_by \
               FROM scripts s JOIN script_versions v ON v.script = s.id AND v.version = s.version \
               WHERE s.tenant = $1 AND s.deleted IS NULL LIMIT $2";
    let rows = reader.fetch_all(sql, values![tenant, limits::SCRIPTS]).await?;
    let mut scripts = rows.iter().map(script_row).collect::<Result<Vec<_>, _>>()?;
    scripts.sort_by_cached_key(|script| (script.name.to_lowercase(), script.id));
    Ok(scripts)
}

/// How many scripts a tenant has.
pub async fn count(reader: &mut Reader, tenant: TenantId) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS scripts FROM scripts WHERE tenant = $1 AND deleted IS NULL";
    reader.fetch_one(sql, values![tenant]).await?.uint("scripts")
}

/// One version of a script that is not deleted; the newest where none is named.
pub async fn script(reader: &mut Reader, tenant: TenantId, id: ScriptId, version: Option<u32>) -> Result<ScriptText, StoreError> {
    let sql = "SELECT s.id, s.name, s.description, s.last_run, s.last_run_version, s.version AS newest, \
               v.version, v.interpreter, v.content, v.sha256, v.parameters, v.saved, v.saved_by \
               FROM scripts s JOIN script_versions v ON v.script = s.id AND v.version = COALESCE($3, s.version) \
               WHERE s.tenant = $1 AND s.id = $2 AND s.deleted IS NULL";
    let row = reader.fetch_one(sql, values![tenant, id, version]).await?;
    Ok(ScriptText {
        row: script_row(&row)?,
        newest: row.get("newest")?,
        text: row.text("content")?,
        parameters: serde_json::from_str(&row.text("parameters")?).map_err(|_| StoreError::Corrupt("parameters"))?,
    })
}

/// The versions of a script, newest first.
pub async fn versions(reader: &mut Reader, tenant: TenantId, id: ScriptId, limit: u32) -> Result<Vec<VersionRow>, StoreError> {
    let sql = "SELECT v.version, v.sha256, v.saved, v.saved_by FROM script_versions v JOIN scripts s ON s.id = v.script \
               WHERE s.tenant = $1 AND s.id = $2 ORDER BY v.version DESC LIMIT $3";
    let read = |row: &Row| {
        Ok(VersionRow {
            version: row.get("version")?,
            sha256: row.digest("sha256")?,
            saved: row.time("saved")?,
            saved_by: row.text("saved_by")?,
        })
    };
    reader.fetch_all(sql, values![tenant, id, limit]).await?.iter().map(read).collect()
}

fn script_row(row: &Row) -> Result<ScriptRow, StoreError> {
    Ok(ScriptRow {
        id: row.get("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        interpreter: interpreter(&row.text("interpreter")?).ok_or(StoreError::Corrupt("interpreter"))?,
        version: row.get("version")?,
        sha256: row.digest("sha256")?,
        saved: row.time("saved")?,
        saved_by: row.text("saved_by")?,
        last_run: row.time_opt("last_run")?,
        last_run_version: row.get_opt("last_run_version")?,
    })
}

/// Adds a script with its first version.
pub struct CreateScript {
    pub permit: Permit<WriteScripts>,
    pub id: ScriptId,
    pub script: CheckedScript,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for CreateScript {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let sql = "INSERT INTO scripts (id, tenant, name, description, version) VALUES ($1, $2, $3, $4, 1)";
        tx.execute(sql, values![self.id, actor.tenant, self.script.name(), self.script.description()]).await?;
        insert_version(tx, self.id, 1, &self.script, &actor.name, self.at).await?;
        let entry = Entry::new("script.created", Actor::of(actor), self.at, self.salt, payload(self.id, 1, &self.script));
        tx.append(actor.tenant, entry).await?;
        Ok(())
    }
}

/// Adds a version; [`StoreError::Conflict`] where the newest is not the one that was edited.
pub struct SaveScript {
    pub permit: Permit<WriteScripts>,
    pub id: ScriptId,
    pub script: CheckedScript,
    pub based_on: u32,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for SaveScript {
    type Out = u32;

    async fn apply(&self, tx: &mut Tx) -> Result<u32, StoreError> {
        let actor = self.permit.actor();
        exists(tx, actor.tenant, self.id).await?;
        let version = self.based_on.checked_add(1).ok_or(StoreError::Conflict)?;
        let sql = "UPDATE scripts SET name = $4, description = $5, version = $6 WHERE tenant = $1 AND id = $2 AND version = $3 AND deleted IS NULL";
        let args = values![actor.tenant, self.id, self.based_on, self.script.name(), self.script.description(), version];
        tx.execute_versioned(sql, args).await?;
        insert_version(tx, self.id, version, &self.script, &actor.name, self.at).await?;
        let entry = Entry::new("script.saved", Actor::of(actor), self.at, self.salt, payload(self.id, version, &self.script));
        tx.append(actor.tenant, entry).await?;
        let what = (actor.tenant, self.id);
        void_of_script(tx, what, Void::ScriptChanged, Actor::of(actor), (self.at, self.salt)).await?;
        Ok(version)
    }
}

async fn exists(tx: &mut Tx, tenant: TenantId, id: ScriptId) -> Result<(), StoreError> {
    let sql = "SELECT id FROM scripts WHERE tenant = $1 AND id = $2 AND deleted IS NULL";
    tx.fetch_one(sql, values![tenant, id]).await.map(|_| ())
}

async fn insert_version(
    tx: &mut Tx,
    id: ScriptId,
    version: u32,
    script: &CheckedScript,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO script_versions (script, version, interpreter, content, sha256, parameters, saved, saved_by) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let parameters = serde_json::to_string(script.parameters()).map_err(|_| StoreError::Corrupt("parameters"))?;
    let word = interpreter_word(script.interpreter());
    tx.execute(sql, values![id, version, word, script.text(), script.sha256(), parameters, at, by]).await?;
    Ok(())
}

fn payload(id: ScriptId, version: u32, script: &CheckedScript) -> serde_json::Value {
    json!({ "script": id, "name": script.name(), "version": version, "interpreter": interpreter_word(script.interpreter()),
        "sha256": script.sha256(), "bytes": script.text().len() })
}

/// Hides a script; jobs that ran it keep their text, and so do its versions.
pub struct DeleteScript {
    pub permit: Permit<WriteScripts>,
    pub id: ScriptId,
    /// The version that it must still have, where that matters; another one is a [`StoreError::Conflict`].
    pub version: Option<u32>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for DeleteScript {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        exists(tx, actor.tenant, self.id).await?;
        let sql = "UPDATE scripts SET deleted = $3 WHERE tenant = $1 AND id = $2 AND deleted IS NULL AND version = COALESCE($4, version) \
                   RETURNING name, version";
        let row = tx.fetch_optional(sql, values![actor.tenant, self.id, self.at, self.version]).await?.ok_or(StoreError::Conflict)?;
        let payload = json!({ "script": self.id, "name": row.text("name")?, "version": row.int("version")? });
        tx.append(actor.tenant, Entry::new("script.deleted", Actor::of(actor), self.at, self.salt, payload)).await?;
        void_of_script(tx, (actor.tenant, self.id), Void::ScriptDeleted, Actor::of(actor), (self.at, self.salt)).await
    }
}
