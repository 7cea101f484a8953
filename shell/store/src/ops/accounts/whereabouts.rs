//! Where sessions are used from, and the entry for one that is used from two networks at once.

use std::net::IpAddr;

use sallyport_decide::accounts::whereabouts::{Network, Seen, Sighting, judge};
use sallyport_model::{SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// Writes down where a session is used from; tells the log where it is used from two networks at once, once for each pair.
pub struct SeeSession {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub address: IpAddr,
    pub operator: Option<u32>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for SeeSession {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence: where a session is used from; two networks at once are logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let here = Network::of(self.address, self.operator);
        let seen = seen(tx, self.session).await?;
        if let Sighting::AtOnceWith(other) = judge(&seen, &here, self.at) {
            self.tell(tx, &here, &other).await?;
        }
        let sql = "INSERT INTO session_networks (session, network, operator, address, last) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (session, network) DO UPDATE SET address = excluded.address, last = excluded.last";
        tx.execute(sql, values![self.session, here.to_string(), self.operator, self.address.to_string(), self.at]).await?;
        let sql = "DELETE FROM session_networks WHERE session = $1 AND network NOT IN \
                   (SELECT network FROM session_networks WHERE session = $1 ORDER BY last DESC, network LIMIT $2)";
        tx.execute(sql, values![self.session, limits::SESSION_NETWORKS]).await.map(|_| ())
    }
}

impl SeeSession {
    async fn tell(&self, tx: &mut Tx, here: &Network, other: &Seen) -> Result<(), StoreError> {
        let sql = "SELECT COUNT(*) AS n FROM session_pairs WHERE session = $1";
        if tx.fetch_one(sql, values![self.session]).await?.int("n")? >= limits::SESSION_PAIRS {
            return Ok(());
        }
        let (one, two) = (here.min(&other.network).to_string(), here.max(&other.network).to_string());
        let sql =
            "INSERT INTO session_pairs (session, one, other, at) VALUES ($1, $2, $3, $4) ON CONFLICT (session, one, other) DO NOTHING";
        if tx.execute(sql, values![self.session, one, two, self.at]).await? == 0 {
            return Ok(());
        }
        let payload = json!({ "user": self.user, "session": self.session, "here": shown(self.address, here), "there": shown(other.address, &other.network) });
        tx.append(self.tenant, Entry::new("session.two_networks", Actor::System, self.at, self.salt, payload)).await.map(|_| ())
    }
}

fn shown(address: IpAddr, network: &Network) -> String {
    format!("{address} ({network})")
}

async fn seen(tx: &mut Tx, session: SessionId) -> Result<Vec<Seen>, StoreError> {
    let sql = "SELECT operator, address, last FROM session_networks WHERE session = $1";
    tx.fetch_all(sql, values![session]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Seen, StoreError> {
    let address: IpAddr = row.text("address")?.parse().map_err(|_| StoreError::Corrupt("address"))?;
    let operator = row.int_opt("operator")?.map(u32::try_from).transpose().map_err(|_| StoreError::Corrupt("operator"))?;
    Ok(Seen { network: Network::of(address, operator), address, last: row.time("last")? })
}

/// What is too old to be at the same time as anything is forgotten.
pub struct ForgetOldNetworks {
    pub before: Timestamp,
}

impl Change for ForgetOldNetworks {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence: where a session is used from; two networks at once are logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute("DELETE FROM session_networks WHERE last < $1", values![self.before]).await.map(|_| ())
    }
}

/// Two networks that a session was used from at once.
#[derive(Debug, Clone)]
pub struct Pair {
    pub session: SessionId,
    pub networks: [String; 2],
    pub at: Timestamp,
}

/// The newest pair of each of a user's sessions that nobody ended.
pub async fn pairs(reader: &mut Reader, user: UserId) -> Result<Vec<Pair>, StoreError> {
    let sql = "SELECT p.session, p.one, p.other, p.at FROM session_pairs p JOIN sessions s ON s.id = p.session \
               WHERE s.user_id = $1 AND s.ended_at IS NULL ORDER BY p.at DESC LIMIT 200";
    let all: Vec<Pair> = reader.fetch_all(sql, values![user]).await?.iter().map(pair).collect::<Result<_, _>>()?;
    let mut newest: Vec<Pair> = Vec::new();
    for pair in all {
        if newest.iter().all(|known| known.session != pair.session) {
            newest.push(pair);
        }
    }
    Ok(newest)
}

fn pair(row: &Row) -> Result<Pair, StoreError> {
    Ok(Pair { session: row.id("session")?, networks: [row.text("one")?, row.text("other")?], at: row.time("at")? })
}
