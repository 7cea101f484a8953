//! Authorization requests: freezing, proving, denying. Executing is in `execute`.

mod end;
mod freeze;
mod prove;
mod stored;

use std::collections::BTreeSet;

use sallyport_decide::actions::{Action, Eligible, Frozen, Hour, Requirement};
use sallyport_grant::body::Class;
use sallyport_model::{DeviceId, TenantId, Timestamp, UserId, limits};

pub use end::{Deny, EndGuessed, LapseRequests};
pub use freeze::{Freeze, NotFrozen, Sealed, Waits};
pub use prove::{AddProof, ChargeNumber, RefundNumber};
pub use stored::{StoredRequest, open_requests, request};

pub(super) use prove::insert_proof;

use super::people::eligible_others;
use crate::{Reader, StoreError, values};

/// Devices that a person's actions reached since `since`.
async fn hour(reader: &mut Reader, tenant: TenantId, person: UserId, since: Timestamp) -> Result<Hour, StoreError> {
    let sql = "SELECT DISTINCT device FROM touches WHERE tenant = $1 AND person = $2 AND at > $3";
    let rows = reader.fetch_all(sql, values![tenant, person, since]).await?;
    let touched: BTreeSet<DeviceId> = rows.iter().map(|row| row.get("device")).collect::<Result<_, _>>()?;
    Ok(Hour { touched })
}

/// What a person reached within the hour: their action's class stands on it.
pub async fn hour_of(reader: &mut Reader, tenant: TenantId, person: UserId, now: Timestamp) -> Result<Hour, StoreError> {
    hour(reader, tenant, person, now.plus_secs(-limits::SUM_WINDOW_SECS)).await
}

/// How many others could be the second person. Only class 3 asks for one, so nobody else's roles are read for less.
pub async fn eligible(
    reader: &mut Reader,
    asker: (TenantId, UserId),
    action: &Action,
    class: Class,
    now: Timestamp,
) -> Result<Eligible, StoreError> {
    let others = match class {
        Class::Mass => eligible_others(reader, asker.0, asker.1, action, now).await?,
        Class::Read | Class::OneDevice | Class::Fleet => 0,
    };
    Ok(Eligible { others })
}

/// Whether a request's class and requirement are still high enough for what is true now.
pub async fn still_suffices(reader: &mut Reader, frozen: &Frozen, now: Timestamp) -> Result<bool, StoreError> {
    let (tenant, asker) = (frozen.asker.tenant, frozen.asker.user);
    let hour = hour_of(reader, tenant, asker, now).await?;
    let eligible = eligible(reader, (tenant, asker), &frozen.action, frozen.class, now).await?;
    Ok(frozen.still_suffices(&hour, eligible))
}

/// How a requirement is stored.
fn word(requirement: Requirement) -> &'static str {
    match requirement {
        Requirement::StepUp => "step_up",
        Requirement::FreshCode => "fresh_code",
        Requirement::TwoPeople => "two_people",
    }
}
