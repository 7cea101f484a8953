//! A tenant's devices at one moment, and pages of them. Everything here is computed from values: no store, no clock.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_api as api;
use sallyport_model::{DeviceId, SiteId, Timestamp};
use sallyport_store::ops::customers::Place as SitePlace;
use sallyport_store::ops::devices::{DeviceRow, DeviceState};

use super::shown;
use super::wanted::{By, Direction, Order, Place, Standing, Wanted};
use crate::paging;

/// All devices that a list may show, with where they are and who is connected.
pub(super) struct Fleet {
    pub(super) rows: Vec<DeviceRow>,
    pub(super) places: BTreeMap<SiteId, SitePlace>,
    pub(super) online: BTreeSet<DeviceId>,
    /// Those that have the wanted software; `None` where none is wanted.
    pub(super) having: Option<BTreeSet<DeviceId>>,
}

impl Fleet {
    /// The wanted page, with the counts of all.
    pub(super) fn page(&self, wanted: &Wanted) -> api::DevicePage {
        let mut found: Vec<(Place, &DeviceRow)> =
            self.rows.iter().filter(|row| self.matches(row, wanted)).map(|row| (self.place(row, wanted.order.by), row)).collect();
        found.sort_unstable_by(|one, other| towards(wanted.order, &one.0, &other.0));
        let begin =
            wanted.after.as_ref().map_or(0, |after| found.partition_point(|(place, _)| towards(wanted.order, place, after).is_le()));
        let page = &found[begin..found.len().min(begin + wanted.limit)];
        let next = page.last().filter(|_| begin + page.len() < found.len()).map(|(place, _)| paging::write_place(place));
        api::DevicePage {
            items: page.iter().map(|(_, row)| shown(row, &self.places, self.is_online(row))).collect(),
            next,
            total: found.len() as u64,
            counts: self.counts(),
        }
    }

    fn is_online(&self, row: &DeviceRow) -> bool {
        self.online.contains(&row.id)
    }

    fn matches(&self, row: &DeviceRow, wanted: &Wanted) -> bool {
        self.stands_as(row, &wanted.states)
            && (wanted.sites.is_empty() || wanted.sites.contains(&row.site))
            && (wanted.customers.is_empty() || self.places.get(&row.site).is_some_and(|place| wanted.customers.contains(&place.customer)))
            && (wanted.tags.is_empty() || row.tags.split_whitespace().any(|tag| wanted.tags.iter().any(|wanted| wanted == tag)))
            && (wanted.os.is_empty() || contains_one(&row.os.to_lowercase(), &wanted.os))
            && self.having.as_ref().is_none_or(|having| having.contains(&row.id))
            && (wanted.words.is_empty() || self.has_words(row, &wanted.words))
    }

    fn stands_as(&self, row: &DeviceRow, wanted: &[Standing]) -> bool {
        if wanted.is_empty() {
            return row.state != DeviceState::Removed;
        }
        wanted.iter().any(|standing| self.is(row, *standing))
    }

    fn is(&self, row: &DeviceRow, standing: Standing) -> bool {
        let managed = row.state != DeviceState::Removed;
        match standing {
            Standing::Online => managed && self.is_online(row),
            Standing::Offline => row.state == DeviceState::Approved && !self.is_online(row),
            Standing::Pending => row.state == DeviceState::Pending,
            Standing::Approved => row.state == DeviceState::Approved,
            Standing::Quarantined => row.state == DeviceState::Quarantined,
            Standing::Attention => managed && (row.state == DeviceState::Quarantined || !row.alerts.is_empty()),
            Standing::Removed => row.state == DeviceState::Removed,
        }
    }

    fn has_words(&self, row: &DeviceRow, words: &[String]) -> bool {
        let place = self.places.get(&row.site);
        let (customer, site) = place.map_or(("", ""), |place| (&place.customer_name, &place.site_name));
        let text = [&row.name, &row.os, &row.signed_in, &row.tags, customer, site].join("\n").to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }

    fn place(&self, row: &DeviceRow, by: By) -> Place {
        let key = match by {
            By::Name => String::new(),
            By::LastSeen => self.last_seen(row),
            By::State => self.urgency(row).to_string(),
            By::Site => self
                .places
                .get(&row.site)
                .map(|place| format!("{}\n{}", place.customer_name, place.site_name).to_lowercase())
                .unwrap_or_default(),
            By::Os => row.os.to_lowercase(),
        };
        (key, row.name.to_lowercase(), row.id)
    }

    /// Who is connected was seen last; equal lengths sort like the numbers that they are.
    fn last_seen(&self, row: &DeviceRow) -> String {
        let micros = if self.is_online(row) { i64::MAX } else { row.last_seen.map_or(0, Timestamp::micros) };
        format!("{micros:020}")
    }

    fn urgency(&self, row: &DeviceRow) -> u8 {
        match row.state {
            DeviceState::Quarantined => 0,
            DeviceState::Pending => 1,
            DeviceState::Approved if !row.alerts.is_empty() => 2,
            DeviceState::Approved if self.is_online(row) => 3,
            DeviceState::Approved => 4,
            DeviceState::Removed => 5,
        }
    }

    fn counts(&self) -> api::DeviceCounts {
        let count = |standing| self.rows.iter().filter(|row| self.is(row, standing)).count() as u64;
        api::DeviceCounts {
            all: self.rows.len() as u64 - count(Standing::Removed),
            online: count(Standing::Online),
            offline: count(Standing::Offline),
            pending: count(Standing::Pending),
            attention: count(Standing::Attention),
        }
    }
}

fn contains_one(text: &str, parts: &[String]) -> bool {
    parts.iter().any(|part| text.contains(part.as_str()))
}

fn towards(order: Order, one: &Place, other: &Place) -> std::cmp::Ordering {
    match order.direction {
        Direction::Up => one.cmp(other),
        Direction::Down => other.cmp(one),
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::CustomerId;

    use super::*;

    fn row(n: u8, name: &str, state: DeviceState) -> DeviceRow {
        DeviceRow {
            id: DeviceId::from_bytes([n; 16]),
            site: SiteId::from_bytes([n % 2; 16]),
            name: name.into(),
            os: "Debian GNU/Linux 13".into(),
            state,
            last_seen: Some(Timestamp::from_secs(n.into())),
            tags: "db prod".into(),
            signed_in: "Ünal\nroot".into(),
            alerts: String::new(),
        }
    }

    fn fleet() -> Fleet {
        let place = |n: u8| SitePlace {
            customer: CustomerId::from_bytes([n; 16]),
            customer_name: format!("Customer {n}"),
            site_name: "Lyon".into(),
        };
        let rows = vec![
            row(1, "web-2", DeviceState::Approved),
            row(2, "Web-1", DeviceState::Approved),
            row(3, "new", DeviceState::Pending),
            DeviceRow {
                alerts: "Disk / 97 %".into(),
                os: "Alpine".into(),
                tags: "database".into(),
                ..row(4, "attic", DeviceState::Approved)
            },
            row(5, "twin", DeviceState::Quarantined),
            row(6, "gone", DeviceState::Removed),
        ];
        Fleet {
            rows,
            places: [0, 1].map(|n| (SiteId::from_bytes([n; 16]), place(n))).into(),
            online: [1, 3].map(|n| DeviceId::from_bytes([n; 16])).into(),
            having: None,
        }
    }

    fn names(query: &[(&str, &str)]) -> Vec<String> {
        let owned: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fleet().page(&Wanted::parse(&owned).unwrap()).items.into_iter().map(|device| device.name).collect()
    }

    #[test]
    fn by_name_without_case_and_without_the_removed() {
        assert_eq!(names(&[]), ["attic", "new", "twin", "Web-1", "web-2"]);
        assert_eq!(names(&[("sort", "-name")]), ["web-2", "Web-1", "twin", "new", "attic"]);
        assert_eq!(names(&[("state", "removed")]), ["gone"]);
    }

    #[test]
    fn each_tab_shows_as_many_as_it_counts() {
        let counts = fleet().counts();
        assert_eq!((counts.all, counts.online, counts.offline, counts.pending, counts.attention), (5, 2, 2, 1, 2));
        assert_eq!(names(&[("state", "online")]), ["new", "web-2"]);
        assert_eq!(names(&[("state", "offline")]), ["attic", "Web-1"]);
        assert_eq!(names(&[("state", "pending")]), ["new"]);
        assert_eq!(names(&[("state", "attention")]), ["attic", "twin"]);
        assert_eq!(names(&[("state", "quarantined"), ("state", "approved")]), ["attic", "twin", "Web-1", "web-2"]);
    }

    #[test]
    fn searching_ignores_case_in_every_script_and_wants_every_word() {
        assert_eq!(names(&[("q", "WEB")]), ["Web-1", "web-2"]);
        assert_eq!(names(&[("q", "ünal web-1")]), ["Web-1"]);
        assert_eq!(names(&[("q", "alpine")]), ["attic"]);
        assert_eq!(names(&[("q", "customer 1 new")]), ["new"]);
        assert!(names(&[("q", "db attic %")]).is_empty());
    }

    #[test]
    fn wanted_software_holds_with_the_other_filters() {
        let fleet = Fleet { having: Some([1, 2].map(|n| DeviceId::from_bytes([n; 16])).into()), ..fleet() };
        let wanted = Wanted::parse(&[("state".to_owned(), "online".to_owned())]).unwrap();
        let names: Vec<String> = fleet.page(&wanted).items.into_iter().map(|device| device.name).collect();
        assert_eq!(names, ["web-2"]);
    }

    #[test]
    fn filters_hold_together_and_tags_are_whole() {
        assert_eq!(names(&[("tag", "db"), ("os", "debian"), ("state", "online")]), ["new", "web-2"]);
        assert_eq!(names(&[("tag", "database"), ("tag", "none")]), ["attic"]);
        assert_eq!(names(&[("site", &SiteId::from_bytes([0; 16]).to_string())]), ["attic", "Web-1"]);
        assert_eq!(names(&[("customer", &CustomerId::from_bytes([1; 16]).to_string())]), ["new", "twin", "web-2"]);
    }

    #[test]
    fn who_is_connected_was_seen_last() {
        assert_eq!(names(&[("sort", "-last_seen")]), ["web-2", "new", "twin", "attic", "Web-1"]);
        assert_eq!(names(&[("sort", "state")])[0], "twin");
    }

    #[test]
    fn pages_follow_each_other_even_when_the_last_device_goes() {
        for sort in ["name", "-name", "last_seen", "-last_seen", "state", "site", "os"] {
            let all = names(&[("sort", sort)]);
            let (mut seen, mut query) = (Vec::new(), vec![("sort".to_owned(), sort.to_owned()), ("limit".to_owned(), "2".to_owned())]);
            let mut fleet = fleet();
            loop {
                let page = fleet.page(&Wanted::parse(&query).unwrap());
                seen.extend(page.items.iter().map(|device| device.name.clone()));
                let Some(next) = page.next else { break };
                let last = page.items.last().unwrap().id;
                fleet.rows.retain(|row| row.id != last);
                query.truncate(2);
                query.push(("cursor".to_owned(), next));
            }
            assert_eq!(seen, all, "{sort}");
        }
    }
}
