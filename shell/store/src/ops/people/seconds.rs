//! Who could be the second person of an action, and who still may ask for it.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_decide::actions::Action;
use sallyport_decide::policy::{Place, Reach, Rights};
use sallyport_model::{CustomerId, DeviceId, SiteId, TenantId, Timestamp, UserId, limits};

use super::rights::{places, rights_of, rights_of_all};
use crate::{Reader, StoreError, Tx, values};

/// People who may be the second one, whoever asks: active, with a factor, and not new. A locked factor still counts: whoever could lock one
/// would otherwise be able to act alone.
macro_rules! candidates {
    ($rest:literal) => {
        concat!(
            "SELECT u.id FROM users u WHERE u.tenant = $1 AND u.state = 'active' AND u.created <= $2 AND (u.expires IS NULL OR u.expires > $3) \
             AND EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.kind <> 'recovery') AND ",
            $rest
        )
    };
}

/// How many other people count as possible second ones. Whoever lately stopped being one still counts, so that removing people lowers no
/// threshold.
pub async fn eligible_others(
    reader: &mut Reader,
    tenant: TenantId,
    asker: UserId,
    action: &Action,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let not_after = now.plus_secs(-limits::NEW_PERSON_SECS);
    let rights = rights_of_all(reader, tenant).await?;
    let touched = touched(reader, tenant, action).await?;
    let rows = reader.fetch_all(candidates!("u.id <> $4"), values![tenant, not_after, now, asker]).await?;
    let mut others: BTreeSet<UserId> = BTreeSet::new();
    for row in &rows {
        let user: UserId = row.get("id")?;
        if rights.get(&user).is_some_and(|rights| could_second(rights, action, &touched)) {
            others.insert(user);
        }
    }
    let sql = "SELECT user_id FROM former_seconds WHERE tenant = $1 AND until > $2 AND user_id <> $3";
    for row in &reader.fetch_all(sql, values![tenant, now, asker]).await? {
        others.insert(row.get("user_id")?);
    }
    Ok(others.into_iter().filter(|user| action.about() != Some(*user)).count())
}

/// Whether a person may be the second one of an action now.
pub async fn may_be_second(
    reader: &mut Reader,
    tenant: TenantId,
    person: UserId,
    action: &Action,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let not_after = now.plus_secs(-limits::NEW_PERSON_SECS);
    let args = values![tenant, not_after, now, person];
    if action.about() == Some(person) || reader.fetch_optional(candidates!("u.id = $4"), args).await?.is_none() {
        return Ok(false);
    }
    let touched = touched(reader, tenant, action).await?;
    Ok(could_second(&rights_of(reader, person).await?, action, &touched))
}

fn could_second(rights: &Rights, action: &Action, touched: &Touched) -> bool {
    rights.reach(action.kind().second()).is_some_and(|reach| touched.is_within(&reach))
}

/// Whether somebody's roles of this moment still allow an action that they asked for, everywhere where it reaches.
pub async fn may_still_ask(reader: &mut Reader, tenant: TenantId, asker: UserId, action: &Action) -> Result<bool, StoreError> {
    let Some(reach) = rights_of(reader, asker).await?.reach(action.kind().capability()) else { return Ok(false) };
    Ok(reach.is_tenant() || touched(reader, tenant, action).await?.is_within(&reach))
}

/// Where an action reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// The tenant as a whole, or what all share.
    Tenant,
    /// These sites.
    Places(BTreeSet<Place>),
}

impl Touched {
    /// Whether all of it lies within a reach.
    pub fn is_within(&self, reach: &Reach) -> bool {
        match self {
            Self::Tenant => reach.is_tenant(),
            Self::Places(places) => places.iter().all(|place| reach.covers(*place)),
        }
    }
}

/// Where an action reaches, by what the tenant has now.
pub async fn touched(reader: &mut Reader, tenant: TenantId, action: &Action) -> Result<Touched, StoreError> {
    let sites: BTreeSet<SiteId> = match action {
        Action::CreateInstaller(wanted) => BTreeSet::from([wanted.site]),
        other if !other.targets().is_empty() => {
            let devices: BTreeSet<DeviceId> = other.targets().iter().map(|target| target.device).collect();
            sites_of(reader, tenant, &devices).await?
        }
        _ => return Ok(Touched::Tenant),
    };
    let places: BTreeMap<SiteId, CustomerId> = places(reader, tenant).await?;
    let place = |site: SiteId| places.get(&site).map(|customer| Place { customer: *customer, site });
    sites.into_iter().map(place).collect::<Option<_>>().map(Touched::Places).ok_or(StoreError::NotFound)
}

/// The places that an action reaches; `None` where it is about the tenant, or about what all share.
pub(crate) async fn touched_places(reader: &mut Reader, tenant: TenantId, action: &Action) -> Result<Option<BTreeSet<Place>>, StoreError> {
    Ok(match touched(reader, tenant, action).await? {
        Touched::Tenant => None,
        Touched::Places(places) => Some(places),
    })
}

/// Above this many, the whole table is read once instead of row by row.
const ONE_BY_ONE: usize = 200;

async fn sites_of(reader: &mut Reader, tenant: TenantId, devices: &BTreeSet<DeviceId>) -> Result<BTreeSet<SiteId>, StoreError> {
    let mut sites = BTreeSet::new();
    if devices.len() > ONE_BY_ONE {
        for row in &reader.fetch_all("SELECT id, site FROM devices WHERE tenant = $1", values![tenant]).await? {
            if devices.contains(&row.get("id")?) {
                sites.insert(row.get("site")?);
            }
        }
        return Ok(sites);
    }
    for device in devices {
        let row = reader.fetch_one("SELECT site FROM devices WHERE tenant = $1 AND id = $2", values![tenant, device]).await?;
        sites.insert(row.get("site")?);
    }
    Ok(sites)
}

/// Remembers for a week that somebody could be a second person: called before they are disabled, demoted or left without a factor.
pub(super) async fn remember_second(tx: &mut Tx, tenant: TenantId, user: UserId, at: Timestamp) -> Result<(), StoreError> {
    let not_after = at.plus_secs(-limits::NEW_PERSON_SECS);
    let counts = tx.fetch_optional(candidates!("u.id = $4"), values![tenant, not_after, at, user]).await?.is_some();
    let seconds =
        rights_of(tx, user).await?.reach(&<sallyport_decide::policy::SecondRequests as sallyport_decide::policy::Capability>::ROW);
    if !counts || seconds.is_none() {
        return Ok(());
    }
    let sql = "INSERT INTO former_seconds (user_id, tenant, until) VALUES ($1, $2, $3) ON CONFLICT (user_id) DO UPDATE SET until = excluded.until";
    tx.execute(sql, values![user, tenant, at.plus_secs(limits::NEW_PERSON_SECS)]).await.map(|_| ())
}
