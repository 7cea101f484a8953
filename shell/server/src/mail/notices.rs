//! Tells people what happened to their account, out of the audit log: whatever is written there is told once, whoever wrote it.

use std::time::Duration;

use sallyport_decide::people::notices::{Notice, Origin, about, notice};
use sallyport_model::{SessionId, TenantId, UserId};
use sallyport_store::StoreError;
use sallyport_store::ops::people::{BeginTelling, LinkPurpose, NewEntry, Tell, address_of, origin, policy, tenants, untold};
use serde_json::Value;

use super::{Letter, moment, outgoing};
use crate::App;
use crate::people::execute::Made;

const EVERY: Duration = Duration::from_secs(1);
const AT_ONCE: u32 = 200;

/// Runs until the process ends; there is nobody to tell where there is no mail server.
pub(crate) async fn run(app: App) {
    if app.config.mail.is_none() {
        return;
    }
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = round(&app).await {
            tracing::warn!(%error, "people could not be told what happened; it is tried again");
        }
    }
}

async fn round(app: &App) -> Result<(), StoreError> {
    let tenants = tenants(&mut app.store.read().await?).await?;
    for tenant in tenants {
        // What happened before there was a mail server is nobody's news any more.
        let Some(entries) = untold(&mut app.store.read().await?, tenant, AT_ONCE).await? else {
            app.store.reserve(BeginTelling { tenant }).await?;
            continue;
        };
        // Only entries that somebody is told of cost a commit each; the mark jumps over the others with the last one.
        let last = entries.last().map(|entry| entry.index);
        for entry in entries {
            let letters = letters(app, &entry).await?;
            if letters.is_empty() && Some(entry.index) != last {
                continue;
            }
            tell(app, tenant, &entry, letters).await?;
        }
    }
    Ok(())
}

/// A letter with whom it is for.
struct Addressed {
    user: UserId,
    email: String,
    name: String,
    notice: Notice,
}

async fn letters(app: &App, entry: &NewEntry) -> Result<Vec<Addressed>, StoreError> {
    let body: Value = entry.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let payload = &body["payload"];
    let mut reader = app.store.read().await?;
    let mut letters = Vec::new();
    for id in about(&entry.kind, payload, entry.actor.as_deref()) {
        let Ok(user) = id.parse::<UserId>() else { continue };
        let session = payload["session"].as_str().and_then(|id| id.parse::<SessionId>().ok());
        let origin = match session.filter(|_| entry.kind == "session.opened") {
            Some(session) => origin(&mut reader, user, session).await?,
            None => Origin::Known,
        };
        let Some(notice) = notice(&entry.kind, payload, origin) else { continue };
        if let Some((email, name)) = address_of(&mut reader, entry.tenant, user).await? {
            letters.push(Addressed { user, email, name, notice });
        }
    }
    Ok(letters)
}

async fn tell(app: &App, tenant: TenantId, entry: &NewEntry, letters: Vec<Addressed>) -> Result<(), StoreError> {
    let now = app.clock.now();
    let tenant_name = policy(&mut app.store.read().await?, tenant).await?.name;
    let (mut links, mut mails) = (Vec::new(), Vec::new());
    for letter in letters {
        let made = Made::new(app, LinkPurpose::NotMe, "", now);
        let mut facts = vec![("When", moment(entry.at))];
        facts.extend(letter.notice.from.map(|from| ("From", from)));
        let written = Letter {
            subject: format!("{} ({tenant_name})", letter.notice.subject),
            what: vec![format!("Hello {},", letter.name), letter.notice.what],
            facts,
            link: None,
            next: letter.notice.next.to_owned(),
            not_me: Some(made.url),
        };
        mails.extend(outgoing(app, tenant, &letter.email, &written, now));
        links.push((letter.user, made.link));
    }
    match app.store.reserve(Tell { tenant, index: entry.index, links, mails, at: now }).await {
        // Another process told it.
        Err(StoreError::Conflict) => Ok(()),
        other => other,
    }
}
