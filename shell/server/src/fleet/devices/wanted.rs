//! What a list of devices is asked for: filters, order, page.
//!
//! The values of one filter are alternatives, the filters hold together. `q` is words, each of which must be found.

use sallyport_decide::search::{Find, FindKind, NameIs};
use sallyport_model::{CustomerId, DeviceId, SiteId, limits};

use crate::{Refusal, paging};

/// The query, read.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) words: Vec<String>,
    pub(super) states: Vec<Standing>,
    pub(super) sites: Vec<SiteId>,
    pub(super) customers: Vec<CustomerId>,
    pub(super) tags: Vec<String>,
    pub(super) os: Vec<String>,
    /// What devices must have: one of each kind that is named.
    pub(super) having: Vec<Find>,
    pub(super) order: Order,
    pub(super) after: Option<Place>,
    pub(super) limit: usize,
}

/// How a device stands, as the tabs and filters name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Online,
    Offline,
    Pending,
    Approved,
    Quarantined,
    Attention,
    Removed,
}

/// What the list is sorted by, and in which direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) by: By,
    pub(super) direction: Direction,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum By {
    #[default]
    Name,
    LastSeen,
    State,
    Site,
    Os,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Direction {
    #[default]
    Up,
    Down,
}

/// A device's place in an order: what it is sorted by, then its name, then its id.
pub(super) type Place = (String, String, DeviceId);

impl Wanted {
    /// Reads the parameters; unknown ones are refused.
    pub(super) fn parse(query: &[(String, String)]) -> Result<Self, Refusal> {
        let mut wanted = Self { limit: limits::PAGE_ITEMS_DEFAULT as usize, ..Self::default() };
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            wanted.take(name, value)?;
        }
        Ok(wanted)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let no = |why: &dyn std::fmt::Display| Refusal::field(name, why);
        match name {
            "q" if value.chars().count() > limits::SEARCH_CHARS => {
                return Err(no(&format!("must have at most {} characters", limits::SEARCH_CHARS)));
            }
            "q" => self.words.extend(value.split_whitespace().map(str::to_lowercase)),
            "state" => self.states.push(standing(value).ok_or_else(|| no(&"is not a state"))?),
            "site" => self.sites.push(value.parse().map_err(|error| no(&error))?),
            "customer" => self.customers.push(value.parse().map_err(|error| no(&error))?),
            "tag" => self.tags.push(value.to_owned()),
            "os" => self.os.push(value.to_lowercase()),
            "software" => self.having.push(Find::software(value).map_err(|error| no(&error))?),
            "process" | "service" | "port" => {
                let kind = FindKind::parse(name).ok_or_else(|| no(&"is not known here"))?;
                self.having.push(Find::new(kind, value, NameIs::Whole, None).map_err(|error| no(&error))?);
            }
            "sort" => self.order = order(value).ok_or_else(|| no(&"is not an order"))?,
            "cursor" => self.after = Some(paging::read_place(value)?),
            "limit" => self.limit = paging::limit(Some(value.parse().map_err(|error: std::num::ParseIntError| no(&error))?))? as usize,
            _ => return Err(Refusal::field(name, "is not known here")),
        }
        Ok(())
    }

    /// Whether devices that are no longer managed are asked for by name.
    pub(super) fn removed(&self) -> bool {
        self.states.contains(&Standing::Removed)
    }
}

fn standing(word: &str) -> Option<Standing> {
    Some(match word {
        "online" => Standing::Online,
        "offline" => Standing::Offline,
        "pending" => Standing::Pending,
        "approved" => Standing::Approved,
        "quarantined" => Standing::Quarantined,
        "attention" => Standing::Attention,
        "removed" => Standing::Removed,
        _ => return None,
    })
}

fn order(word: &str) -> Option<Order> {
    let (direction, word) = match word.strip_prefix('-') {
        Some(word) => (Direction::Down, word),
        None => (Direction::Up, word),
    };
    let by = match word {
        "name" => By::Name,
        "last_seen" => By::LastSeen,
        "state" => By::State,
        "site" => By::Site,
        "os" => By::Os,
        _ => return None,
    };
    Some(Order { by, direction })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<Wanted, Refusal> {
        let owned: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Wanted::parse(&owned)
    }

    #[test]
    fn filters_may_be_repeated_and_empty_ones_say_nothing() {
        let wanted =
            parse(&[("state", "online"), ("state", "pending"), ("tag", "db"), ("q", ""), ("q", " Web  Lyon "), ("sort", "-last_seen")])
                .unwrap();
        assert_eq!(wanted.states, [Standing::Online, Standing::Pending]);
        assert_eq!((wanted.words, wanted.tags), (vec!["web".to_owned(), "lyon".to_owned()], vec!["db".to_owned()]));
        assert_eq!(wanted.order, Order { by: By::LastSeen, direction: Direction::Down });
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            ("stat", "online"),
            ("state", "on"),
            ("software", "<1"),
            ("sort", "size"),
            ("cursor", "x"),
            ("limit", "0"),
            ("limit", "1001"),
            ("site", "sit_1"),
        ] {
            assert!(parse(&[wrong]).is_err(), "{wrong:?}");
        }
        assert!(parse(&[("q", &"x".repeat(limits::SEARCH_CHARS + 1))]).is_err());
    }

    #[test]
    fn cursors_come_back_whatever_a_device_calls_itself() {
        let place = ("\u{fffd}\"'".to_owned(), "ÄÖ\u{1f600}".to_owned(), DeviceId::from_bytes([7; 16]));
        assert_eq!(paging::read_place::<Place>(&paging::write_place(&place)).ok(), Some(place));
    }
}
