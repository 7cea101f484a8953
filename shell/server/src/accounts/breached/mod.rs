//! Which passwords are known from data breaches: an imported list, a file of hashes, or a list that is asked over the network. The
//! built-in one of common passwords holds in any case.

mod import;
mod imported;
mod range;
mod sorted;

use std::path::PathBuf;

use sallyport_decide::accounts::password::{Breached, Password, known_to_guessers};
use sallyport_store::ops::accounts::ReportSilentList;

pub use import::{ImportError, Imported, ListFormat, import_passwords};
pub(crate) use imported::FILE_NAME;
use imported::ImportedList;
use range::RangeList;
use sorted::SortedList;

use crate::config::Config;
use crate::{App, ServeError};

/// The lists of an installation.
pub struct BreachedLists {
    imported: ImportedList,
    sorted: Option<SortedList>,
    range: Option<RangeList>,
}

impl BreachedLists {
    /// Opens what is configured.
    ///
    /// # Errors
    /// When the configured file cannot be read, or is no list.
    pub fn open(config: &Config) -> Result<Self, ServeError> {
        let sorted = config.breached_passwords.as_deref().map(SortedList::open).transpose().map_err(ServeError::Breached)?;
        let range = config.breached_range_url.clone().map(RangeList::new);
        Ok(Self { imported: ImportedList::at(place(config)), sorted, range })
    }
}

/// Where the imported list lies.
pub(crate) fn place(config: &Config) -> PathBuf {
    config.data_dir.join(FILE_NAME)
}

/// A password that somebody wants to set, looked up on every list.
pub(crate) async fn look_up(app: &App, password: &Password) -> Breached {
    let lists = &app.accounts.breached;
    let imported = answered(app, "imported", lists.imported.look_up(password)).await;
    let here = match (imported, &lists.sorted) {
        (Breached::NotListed, Some(sorted)) => sorted.look_up(password),
        (found, _) => found,
    };
    match (here, &lists.range) {
        (Breached::NotListed, Some(range)) => answered(app, "range", range.look_up(&app.outbound, password).await).await,
        (found, _) => found,
    }
}

/// A password that was right at a sign-in. Only who has proved everything comes here: how long it takes tells nobody else anything.
pub(crate) async fn look_up_right(app: &App, password: &Password) -> Breached {
    known_to_guessers(password, look_up(app, password).await)
}

/// A list that does not answer keeps nobody out: a password that it has may pass until it answers again, and the audit log tells so.
async fn answered(app: &App, list: &'static str, answer: Result<Breached, impl std::fmt::Display>) -> Breached {
    let error = match answer {
        Ok(found) => return found,
        Err(error) => error.to_string(),
    };
    tracing::error!(%error, list, "a list of breached passwords does not answer; passwords pass it unseen");
    let change = ReportSilentList { list, at: app.clock.now(), salt: app.random() };
    if let Err(error) = app.store.reserve(change).await {
        tracing::warn!(%error, "the audit log was not told of a silent list");
    }
    Breached::NotListed
}
