//! Where an address is and whose it is, as far as databases in MaxMind's format say; nothing without them.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use sallyport_model::limits;
use serde::Deserialize;

/// Why a database cannot be used. Each says which setting it is of, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// It is not there, or not readable.
    #[error("{key}: {} cannot be read ({why}). Correct the path, or leave {key} out", path.display())]
    Unreadable { key: &'static str, path: PathBuf, why: std::io::Error },
    /// Nothing that is read into memory at start may be larger.
    #[error("{key}: {} has {bytes} bytes, more than the {} that are read into memory. Use the edition for towns or for operators", path.display(), limits::PLACE_DATABASE_BYTES)]
    TooLarge { key: &'static str, path: PathBuf, bytes: u64 },
    /// It is another kind of file, or broken.
    #[error("{key}: {} is no whole MaxMind database ({why}). Download it again and unpack it", path.display())]
    Malformed { key: &'static str, path: PathBuf, why: maxminddb::MaxMindDbError },
    /// It is a database of something else.
    #[error("{key}: {} is a database of the kind {found}. {fix}", path.display())]
    OtherKind { key: &'static str, path: PathBuf, found: String, fix: &'static str },
}

/// What a database is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Towns and countries: `place_database`.
    Towns,
    /// Autonomous systems: `network_database`.
    Operators,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Towns => "place_database",
            Self::Operators => "network_database",
        }
    }

    /// By what the file calls itself, as far as that says.
    fn fits(self, database_type: &str) -> bool {
        let operators = ["ASN", "ISP"].iter().any(|word| database_type.to_uppercase().contains(word));
        operators == (self == Self::Operators)
    }

    fn fix(self) -> &'static str {
        match self {
            Self::Towns => "Name it in network_database, and one like GeoLite2-City.mmdb here",
            Self::Operators => "Name it in place_database, and one like GeoLite2-ASN.mmdb here",
        }
    }
}

type Database = Reader<Vec<u8>>;

/// What is read of a town's record. Other makers write other widths of numbers, and fields of their own: these are not looked at.
#[derive(Deserialize)]
struct Town<'a> {
    #[serde(borrow, default)]
    city: Named<'a>,
    #[serde(borrow, default)]
    country: Named<'a>,
}

#[derive(Deserialize, Default)]
struct Named<'a> {
    #[serde(borrow, default)]
    names: Names<'a>,
}

#[derive(Deserialize, Default)]
struct Names<'a> {
    #[serde(default)]
    en: Option<&'a str>,
}

/// What is read of an operator's record. A signed number takes every width that the format has.
#[derive(Deserialize)]
struct Operator {
    #[serde(default)]
    autonomous_system_number: Option<i64>,
}

/// The databases, read once at start; absent where none is configured.
#[derive(Default)]
pub struct Places {
    towns: Option<Database>,
    operators: Option<Database>,
}

impl Places {
    /// Opens what is configured.
    ///
    /// # Errors
    /// When a file cannot be read, is too large, broken, or of another kind.
    pub fn open(towns: Option<&Path>, operators: Option<&Path>) -> Result<Self, PlacesError> {
        let towns = towns.map(|path| open(path, Kind::Towns)).transpose()?;
        Ok(Self { towns, operators: operators.map(|path| open(path, Kind::Operators)).transpose()? })
    }

    /// Town and country of an address, in English.
    pub fn of(&self, address: &str) -> Option<String> {
        let address: IpAddr = address.parse().ok()?;
        let town: Town<'_> = self.towns.as_ref()?.lookup(address).ok()?.decode().ok()??;
        let words = [town.city.names.en, town.country.names.en];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// The number of the autonomous system that an address belongs to.
    pub fn operator(&self, address: IpAddr) -> Option<u32> {
        let found: Operator = self.operators.as_ref()?.lookup(address).ok()?.decode().ok()??;
        found.autonomous_system_number.and_then(|number| u32::try_from(number).ok())
    }
}

fn open(path: &Path, kind: Kind) -> Result<Database, PlacesError> {
    let (key, named) = (kind.key(), || path.to_owned());
    let unreadable = |why| PlacesError::Unreadable { key, path: named(), why };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > limits::PLACE_DATABASE_BYTES {
        return Err(PlacesError::TooLarge { key, path: named(), bytes });
    }
    let content = std::fs::read(path).map_err(unreadable)?;
    let database = Reader::from_source(content).map_err(|why| PlacesError::Malformed { key, path: named(), why })?;
    let found = database.metadata().database_type.clone();
    if !kind.fits(&found) {
        return Err(PlacesError::OtherKind { key, path: named(), found, fix: kind.fix() });
    }
    // A file that was cut off answers some addresses and fails at others: better now than in a sign-in.
    database.verify().map_err(|why| PlacesError::Malformed { key, path: named(), why })?;
    Ok(database)
}
