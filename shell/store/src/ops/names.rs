//! Names of things that an audit entry or a list knows by their ids alone.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_model::{ApiClientId, CustomerId, DeviceId, InstallerId, JobId, ScheduleId, ScriptId, SiteId, TenantId, UserId};

use crate::{Reader, StoreError, Value, values};

macro_rules! kinds {
    ($tenant:expr, $text:expr; $($id:ident $sql:literal;)*) => {
        $(if let Ok(id) = $text.parse::<$id>() {
            return Some(($sql, values![$tenant, id].to_vec()));
        })*
    };
}

/// How the name of a thing is found, by the kind of its id. What was deleted still has its name.
fn statement(tenant: TenantId, id: &str) -> Option<(&'static str, Vec<Value>)> {
    kinds! { tenant, id;
        UserId "SELECT name FROM users WHERE tenant = $1 AND id = $2";
        DeviceId "SELECT name FROM devices WHERE tenant = $1 AND id = $2";
        ScriptId "SELECT name FROM scripts WHERE tenant = $1 AND id = $2";
        JobId "SELECT name FROM jobs WHERE tenant = $1 AND id = $2";
        ScheduleId "SELECT name FROM schedules WHERE tenant = $1 AND id = $2";
        InstallerId "SELECT label AS name FROM installers WHERE tenant = $1 AND id = $2";
        CustomerId "SELECT name FROM customers WHERE tenant = $1 AND id = $2";
        ApiClientId "SELECT name FROM api_clients WHERE tenant = $1 AND id = $2";
        SiteId "SELECT name FROM sites WHERE tenant = $1 AND id = $2";
    }
    None
}

/// Today's names of those ids that name something of the tenant; other texts are left out.
pub async fn names(reader: &mut Reader, tenant: TenantId, ids: &BTreeSet<String>) -> Result<BTreeMap<String, String>, StoreError> {
    let mut names = BTreeMap::new();
    for id in ids {
        let Some((sql, args)) = statement(tenant, id) else { continue };
        if let Some(row) = reader.fetch_optional(sql, &args).await? {
            names.insert(id.clone(), row.text("name")?);
        }
    }
    Ok(names)
}
