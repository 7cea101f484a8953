//! What posture is judged by, in one snapshot; and what a what-if stands on. Nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sallyport_decide::accounts::sign_in::{Account as SigningIn, CodesKept, Counts, RecoveryVerdict};
use sallyport_decide::accounts::throttle::{Charged, FactorCounter};
use sallyport_decide::actions::{Action, Eligible, Hour, Target, classify};
use sallyport_decide::networks::Seen;
use sallyport_decide::policy::Reach;
use sallyport_decide::posture::what_if::{Held, Question, Where, Wish, With, user_state};
use sallyport_decide::posture::{Account, AccountState, ApiClient, Backup, BreachedList, Facts, Installer, Mail, MailFacts};
use sallyport_grant::KeyId;
use sallyport_model::{SiteId, TenantId, Timestamp, UserId, limits};

use super::automation::{ClientRow, recent_clients};
use super::networks::{address_facts, rules};
use super::people::{MailStanding, UserRow, Within, mail_standing, policy, sites_within, touched_places, user, users};
use super::requests::{eligible, hour_of};
use crate::{Reader, Row, StoreError, values};

const DAY_SECS: i64 = 86_400;
/// Given-up mails count for so long.
const MAIL_SECS: i64 = 7 * DAY_SECS;
/// Stopped API clients are looked at for so long.
const STOPPED_SECS: i64 = 31 * DAY_SECS;

/// What the server knows of itself.
pub struct Surroundings {
    pub now: Timestamp,
    pub version: String,
    pub mail: MailServer,
    pub backup: Backup,
    pub breached: BreachedList,
}

/// Whether a mail server is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailServer {
    Configured,
    Absent,
}

/// Everything that a tenant's posture is judged by.
pub async fn facts(reader: &mut Reader, tenant: TenantId, around: Surroundings) -> Result<Facts, StoreError> {
    let now = around.now;
    let pauses = pauses(reader, tenant).await?;
    let accounts = users(reader, tenant, now).await?.into_iter().map(|row| account(row, &pauses, now)).collect();
    let mail = match around.mail {
        MailServer::Absent => Mail::Absent,
        MailServer::Configured => Mail::Configured(mail_facts(mail_standing(reader, tenant, now.plus_secs(-MAIL_SECS)).await?)),
    };
    Ok(Facts {
        now,
        mfa: policy(reader, tenant).await?.mfa,
        networks: rules(reader, tenant).await?.rules,
        accounts,
        installers: installers(reader, tenant, now).await?,
        pending: pending(reader, tenant).await?,
        agents: agents(reader, tenant).await?,
        version: around.version,
        mail,
        newest_record: newest_record(reader, tenant).await?,
        codes: codes(reader, tenant, now.plus_secs(-DAY_SECS)).await?,
        backup: around.backup,
        sessions: sessions(reader, tenant, now).await?,
        clients: recent_clients(reader, tenant, now.plus_secs(-STOPPED_SECS)).await?.into_iter().map(api_client).collect(),
        breached: around.breached,
    })
}

fn api_client(row: ClientRow) -> ApiClient {
    ApiClient {
        id: row.id,
        name: row.state.shape.name,
        owner: row.owner_name,
        networks: row.state.shape.networks,
        created: row.created,
        last_used: row.last_used,
        expires: row.state.shape.expires,
        rotation: row.state.shape.rotation,
        key_created: row.key_created,
        stopped: row.state.stopped.zip(row.stopped_at),
    }
}

fn account(row: UserRow, pauses: &BTreeMap<UserId, Timestamp>, now: Timestamp) -> Account {
    let over = row.expires.is_some_and(|end| now >= end);
    let state = match row.state.as_str() {
        "invited" if !over => AccountState::Invited,
        "active" if !over => AccountState::Active,
        _ => AccountState::Disabled,
    };
    Account {
        user: row.id,
        name: row.name,
        state,
        rights: row.rights,
        required: row.mfa_required,
        totp: row.totp,
        passkeys: row.passkeys,
        codes_left: row.codes_left,
        created: row.created,
        last_sign_in: row.last_sign_in,
        expires: row.expires,
        paused_until: pauses.get(&row.id).copied(),
    }
}

async fn pauses(reader: &mut Reader, tenant: TenantId) -> Result<BTreeMap<UserId, Timestamp>, StoreError> {
    let sql = "SELECT p.user_id, p.until FROM address_pauses p JOIN users u ON u.id = p.user_id WHERE u.tenant = $1";
    reader.fetch_all(sql, values![tenant]).await?.iter().map(|row| Ok((row.get("user_id")?, row.time("until")?))).collect()
}

fn mail_facts(standing: MailStanding) -> MailFacts {
    let MailStanding { waiting, failed, last_sent, last_error } = standing;
    MailFacts { waiting, failed, last_sent, last_error }
}

/// Installers that still work; the longest first, and no more than anybody reads.
async fn installers(reader: &mut Reader, tenant: TenantId, now: Timestamp) -> Result<Vec<Installer>, StoreError> {
    let sql = "SELECT id, label, created, expires, uses - used AS left_uses, network FROM installers \
               WHERE tenant = $1 AND revoked IS NULL AND expires > $2 AND used < uses ORDER BY expires DESC, id LIMIT 100";
    let read = |row: &Row| {
        Ok(Installer {
            id: row.get("id")?,
            label: row.text("label")?,
            created: row.time("created")?,
            expires: row.time("expires")?,
            left: row.get("left_uses")?,
            network: row.text_opt("network")?,
        })
    };
    reader.fetch_all(sql, values![tenant, now]).await?.iter().map(read).collect()
}

async fn pending(reader: &mut Reader, tenant: TenantId) -> Result<(u64, Option<Timestamp>), StoreError> {
    let sql = "SELECT COUNT(*) AS n, MIN(enrolled) AS first FROM devices WHERE tenant = $1 AND state = 'pending'";
    let row = reader.fetch_one(sql, values![tenant]).await?;
    Ok((row.uint("n")?, row.time_opt("first")?))
}

async fn agents(reader: &mut Reader, tenant: TenantId) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT agent_version, COUNT(*) AS n FROM devices WHERE tenant = $1 AND state = 'approved' GROUP BY agent_version ORDER BY agent_version LIMIT 100";
    reader.fetch_all(sql, values![tenant]).await?.iter().map(|row| Ok((row.text("agent_version")?, row.uint("n")?))).collect()
}

/// The latest time in the log. Entries are appended in order, so the last ones are enough to look at.
async fn newest_record(reader: &mut Reader, tenant: TenantId) -> Result<Option<Timestamp>, StoreError> {
    let sql =
        "SELECT MAX(at) AS newest FROM log_entries WHERE tenant = $1 AND idx > (SELECT MAX(idx) - 1000 FROM log_entries WHERE tenant = $1)";
    reader.fetch_one(sql, values![tenant]).await?.time_opt("newest")
}

/// Authenticators that were used since then, and those whose accepted code was of a step that had not begun by this server's clock.
async fn codes(reader: &mut Reader, tenant: TenantId, since: Timestamp) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT COUNT(*) AS used, COUNT(CASE WHEN f.last_step > f.last_used / 30000000 THEN 1 END) AS early FROM factors f \
               JOIN users u ON u.id = f.user_id WHERE u.tenant = $1 AND f.kind = 'totp' AND f.last_step IS NOT NULL AND f.last_used > $2";
    let row = reader.fetch_one(sql, values![tenant, since]).await?;
    Ok((row.uint("used")?, row.uint("early")?))
}

async fn sessions(reader: &mut Reader, tenant: TenantId, now: Timestamp) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT COUNT(*) AS live, COUNT(CASE WHEN LENGTH(s.jkt) <> 32 THEN 1 END) AS unbound FROM sessions s \
               JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = u.tenant WHERE u.tenant = $1 AND s.ended_at IS NULL \
               AND s.created + t.session_lifetime_secs * 1000000 > $2 AND s.last_active + t.session_idle_secs * 1000000 > $2";
    let row = reader.fetch_one(sql, values![tenant, now]).await?;
    Ok((row.uint("live")?, row.uint("unbound")?))
}

/// Who is asked about, from where and with what.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    pub tenant: TenantId,
    pub user: UserId,
    pub from: IpAddr,
    pub with: With,
    pub now: Timestamp,
}

/// Loads what the question stands on. The places and the second people of an action are found as they are when it is meant in earnest.
pub async fn question(reader: &mut Reader, who: Who, wish: Wish) -> Result<Question, StoreError> {
    let (tenant, now) = (who.tenant, who.now);
    let row = user(reader, tenant, who.user, now).await?;
    let address = address_facts(reader, tenant, who.user, &who.from.to_string()).await?;
    let hour = hour_of(reader, tenant, who.user, now).await?;
    let (reaches, eligible) = ground(reader, who, &wish, &hour).await?;
    let (codes_kept, window_secs) = settings(reader, who.user).await?;
    let (authenticators, passkeys) = held(reader, who.user, now).await?;
    Ok(Question {
        tenant,
        account: SigningIn { user: row.id, state: user_state(&row.state, row.expires, now), codes_kept },
        recovery: (Charged::Open, recovery(reader, &row).await?),
        person: (row.email, row.name),
        rights: row.rights,
        required: row.mfa_required,
        authenticators,
        passkeys,
        mfa: policy(reader, tenant).await?.mfa,
        networks: address.rules,
        seen: Seen { approved: address.approved, paused_until: address.paused_until },
        from: who.from,
        with: who.with,
        window_secs,
        wish,
        reaches,
        hour,
        eligible,
        now,
    })
}

/// Where it reaches, and who could be its second person.
async fn ground(reader: &mut Reader, who: Who, wish: &Wish, hour: &Hour) -> Result<(Where, Eligible), StoreError> {
    let Wish::Act(action) = wish else { return Ok((Where::Anywhere, Eligible { others: 0 })) };
    let class = classify(action, hour).class;
    Ok((places_of(reader, who.tenant, action).await?, eligible(reader, (who.tenant, who.user), action, class, who.now).await?))
}

/// Whether their recovery codes are kept, and how long the tenant's step-up window is open.
async fn settings(reader: &mut Reader, user: UserId) -> Result<(CodesKept, i64), StoreError> {
    let sql = "SELECT u.codes_kept, t.step_up_secs FROM users u JOIN tenants t ON t.id = u.tenant WHERE u.id = $1";
    let row = reader.fetch_one(sql, values![user]).await?;
    let codes_kept = if row.flag("codes_kept")? { CodesKept::Confirmed } else { CodesKept::Unconfirmed };
    Ok((codes_kept, row.int("step_up_secs")?))
}

/// Whether a recovery code is left, and counted by its factor.
async fn recovery(reader: &mut Reader, row: &UserRow) -> Result<RecoveryVerdict, StoreError> {
    let factor = reader.fetch_optional("SELECT id FROM factors WHERE user_id = $1 AND kind = 'recovery'", values![row.id]).await?;
    Ok(if factor.is_some() && row.codes_left > 0 { RecoveryVerdict::Held } else { RecoveryVerdict::NotHeld })
}

async fn places_of(reader: &mut Reader, tenant: TenantId, action: &Action) -> Result<Where, StoreError> {
    Ok(touched_places(reader, tenant, action).await?.map_or(Where::Anywhere, |places| Where::Places(places.into_iter().collect())))
}

async fn held(reader: &mut Reader, user: UserId, now: Timestamp) -> Result<(Vec<Held>, Vec<Counts>), StoreError> {
    let (mut authenticators, mut passkeys) = (Vec::new(), Vec::new());
    let sql = "SELECT kind, failures, counts_from FROM factors WHERE user_id = $1 AND kind <> 'recovery' ORDER BY id LIMIT 100";
    for row in &reader.fetch_all(sql, values![user]).await? {
        let counts = Counts::of(row.time_opt("counts_from")?, now);
        match row.text("kind")?.as_str() {
            "totp" => authenticators.push(Held { charged: FactorCounter { failures: row.get("failures")? }.charge().1, counts }),
            _ => passkeys.push(counts),
        }
    }
    Ok((authenticators, passkeys))
}

/// Approved devices for a question, as an action would name them: no more than asked for, within a reach, of one site where one is named.
pub async fn some_devices(
    reader: &mut Reader,
    tenant: TenantId,
    reach: &Reach,
    site: Option<SiteId>,
    count: usize,
) -> Result<Vec<Target>, StoreError> {
    let count = count.min(limits::TARGETS);
    let mut found = match (site, sites_within(reader, tenant, reach).await?) {
        (Some(site), within) => {
            if within.has(&site) {
                of_site(reader, tenant, site, count).await?
            } else {
                Vec::new()
            }
        }
        (None, Within::All) => {
            let sql = "SELECT id, name, thumbprint FROM devices WHERE tenant = $1 AND state = 'approved' ORDER BY name, id LIMIT $2";
            targets(&reader.fetch_all(sql, values![tenant, count as u64]).await?)?
        }
        (None, Within::Only(sites)) => of_sites(reader, tenant, &sites, count).await?,
    };
    found.sort_unstable_by_key(|target| target.device);
    Ok(found)
}

/// Site after site, until there are enough.
async fn of_sites(reader: &mut Reader, tenant: TenantId, sites: &BTreeSet<SiteId>, count: usize) -> Result<Vec<Target>, StoreError> {
    let mut found = Vec::new();
    for site in sites {
        if found.len() == count {
            break;
        }
        found.extend(of_site(reader, tenant, *site, count - found.len()).await?);
    }
    Ok(found)
}

async fn of_site(reader: &mut Reader, tenant: TenantId, site: SiteId, count: usize) -> Result<Vec<Target>, StoreError> {
    let sql = "SELECT id, name, thumbprint FROM devices WHERE tenant = $1 AND site = $2 AND state = 'approved' ORDER BY name, id LIMIT $3";
    targets(&reader.fetch_all(sql, values![tenant, site, count as u64]).await?)
}

fn targets(rows: &[Row]) -> Result<Vec<Target>, StoreError> {
    let read = |row: &Row| Ok(Target { device: row.get("id")?, name: row.text("name")?, thumbprint: KeyId(row.digest("thumbprint")?) });
    rows.iter().map(read).collect()
}
