//! Where an address is, as far as a database of places (MaxMind's format) says; nothing without one.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{Reader, geoip2};

/// The database, read once at start; absent where none is configured.
#[derive(Default)]
pub struct Places(Option<Reader<Vec<u8>>>);

impl Places {
    /// Opens a database.
    ///
    /// # Errors
    /// When the file cannot be read or is of another format.
    pub fn open(path: &Path) -> Result<Self, maxminddb::MaxMindDbError> {
        Reader::open_readfile(path).map(|reader| Self(Some(reader)))
    }

    /// Town and country of an address, in English.
    pub fn of(&self, address: &str) -> Option<String> {
        let address: IpAddr = address.parse().ok()?;
        let city: geoip2::City<'_> = self.0.as_ref()?.lookup(address).ok()?.decode().ok()??;
        let words = [city.city.names.english, city.country.names.english];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}
