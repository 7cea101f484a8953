//! From what people type to the one thing that they mean.

use sallyport_api as api;
use sallyport_model::{DeviceId, ScriptId};

use crate::client::{Client, Query};
use crate::failure::Failure;
use crate::safe::one_line;

/// Most candidates that an error lists.
const CANDIDATES: usize = 12;
/// Items that are looked through for a short id.
const RECENT: usize = 1000;
/// Fewest characters of an id's end that stand for it.
const END_CHARS: usize = 4;

/// Devices by name or id, in the given order.
pub(crate) fn devices(client: &mut Client, wanted: &[String]) -> Result<Vec<api::Device>, Failure> {
    let mut found: Vec<api::Device> = Vec::with_capacity(wanted.len());
    for text in wanted {
        let device = device(client, text)?;
        if found.iter().all(|known| known.id != device.id) {
            found.push(device);
        }
    }
    Ok(found)
}

/// One device by name or id.
pub(crate) fn device(client: &mut Client, wanted: &str) -> Result<api::Device, Failure> {
    if wanted.parse::<DeviceId>().is_ok() {
        let details: api::DeviceDetails =
            client.read(&format!("/v1/devices/{wanted}")).map_err(|failure| missing(failure, "device", wanted))?;
        return Ok(details.device);
    }
    let query = Query::default().with("q", wanted).with("limit", "1000");
    let similar: Vec<api::Device> = client.read_all("/v1/devices", &query)?;
    let describe = |device: &api::Device| format!("{}  {} / {}  {}", device.id, device.customer_name, device.site_name, device.name);
    one(similar, "device", wanted, |device| &device.name, describe)
}

/// One script of the library by name or id.
pub(crate) fn script(client: &mut Client, wanted: &str) -> Result<api::Script, Failure> {
    let all: Vec<api::Script> = client.read_all("/v1/scripts", &Query::default())?;
    if let Ok(id) = wanted.parse::<ScriptId>() {
        return all.into_iter().find(|script| script.id == id).ok_or_else(|| unknown("script", wanted));
    }
    one(all, "script", wanted, |script| &script.name, |script| format!("{}  {}", script.id, script.name))
}

/// One customer by id or by name.
pub(crate) fn customer(client: &mut Client, wanted: &str) -> Result<api::Customer, Failure> {
    let customers: Vec<api::Customer> = client.read_all("/v1/customers", &Query::default())?;
    one_of(customers, "customer", wanted, |customer| (customer.id.to_string(), &customer.name))
}

/// One site by id, by name, or by `customer/site`.
pub(crate) fn site(client: &mut Client, wanted: &str) -> Result<Place, Failure> {
    let customers: Vec<api::Customer> = client.read_all("/v1/customers", &Query::default())?;
    let places = customers.into_iter().flat_map(|customer| {
        let name = customer.name;
        customer.sites.into_iter().map(move |site| Place {
            whole: format!("{name}/{}", site.name),
            id: site.id.to_string(),
            name: site.name,
        })
    });
    let places: Vec<Place> = places.collect();
    let by_whole = |place: &&Place| place.id == wanted || same(&place.whole, wanted);
    if let Some(place) = places.iter().find(by_whole) {
        return Ok(place.clone());
    }
    one(places, "site", wanted, |place| &place.name, |place| format!("{}  {}", place.id, place.whole))
}

/// A site with its customer.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) id: String,
    /// `customer/site`.
    pub(crate) whole: String,
    name: String,
}

/// An id in full, or the short form that people compare: `7K2M-9QX4`.
pub(crate) fn id_of<T: serde::de::DeserializeOwned>(
    client: &mut Client,
    list: &str,
    what: &'static str,
    wanted: &str,
    id: impl Fn(&T) -> String,
) -> Result<String, Failure> {
    if wanted.contains('_') {
        return if wanted.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(wanted.to_owned())
        } else {
            Err(unknown(what, wanted))
        };
    }
    let end = wanted.replace('-', "").to_lowercase();
    let recent: Vec<T> = client.read_up_to(list, &Query::default(), RECENT)?;
    let found: Vec<String> = recent.iter().map(id).filter(|id| end.len() >= END_CHARS && id.ends_with(&end)).collect();
    match <[String; 1]>::try_from(found) {
        Ok([id]) => Ok(id),
        Err(none) if none.is_empty() => Err(unknown(what, wanted)),
        Err(several) => {
            Err(Failure::Ambiguous { what, wanted: one_line(wanted), candidates: several.iter().map(|id| format!("  {id}")).collect() })
        }
    }
}

/// One of a list by its name or its id, or by the end of its id.
pub(crate) fn named<T: Clone + serde::de::DeserializeOwned>(
    client: &mut Client,
    (list, what): (&str, &'static str),
    wanted: &str,
    said: impl Fn(&T) -> (String, &str),
) -> Result<T, Failure> {
    one_of(client.read_all(list, &Query::default())?, what, wanted, said)
}

/// The same of a list that was read. An id in full goes before names, and these go before ends of ids.
pub(crate) fn one_of<T: Clone>(all: Vec<T>, what: &'static str, wanted: &str, said: impl Fn(&T) -> (String, &str)) -> Result<T, Failure> {
    if let Some(item) = all.iter().find(|item| said(item).0 == wanted) {
        return Ok(item.clone());
    }
    let describe = |item: &T| format!("{}  {}", said(item).0, said(item).1);
    if all.iter().any(|item| same(said(item).1, wanted)) {
        return one(all, what, wanted, |item| said(item).1, describe);
    }
    let ends: Vec<&T> = all.iter().filter(|item| wanted.len() >= END_CHARS && said(item).0.ends_with(wanted)).collect();
    only(&ends, what, wanted, describe)
}

fn one<T: Clone>(
    all: Vec<T>,
    what: &'static str,
    wanted: &str,
    name: impl Fn(&T) -> &str,
    describe: impl Fn(&T) -> String,
) -> Result<T, Failure> {
    let exact: Vec<&T> = all.iter().filter(|item| name(item) == wanted).collect();
    let alike: Vec<&T> = if exact.is_empty() { all.iter().filter(|item| same(name(item), wanted)).collect() } else { exact };
    only(&alike, what, wanted, describe)
}

fn only<T: Clone>(found: &[&T], what: &'static str, wanted: &str, describe: impl Fn(&T) -> String) -> Result<T, Failure> {
    match found {
        [one] => Ok((*one).clone()),
        [] => Err(unknown(what, wanted)),
        several => Err(Failure::Ambiguous { what, wanted: one_line(wanted), candidates: candidates(several, describe) }),
    }
}

fn candidates<T>(several: &[&T], describe: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = several.iter().take(CANDIDATES).map(|item| format!("  {}", one_line(&describe(item)))).collect();
    if several.len() > CANDIDATES {
        lines.push(format!("  and {} more", several.len() - CANDIDATES));
    }
    lines
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn unknown(what: &'static str, wanted: &str) -> Failure {
    Failure::Unknown { what, wanted: one_line(wanted) }
}

fn missing(failure: Failure, what: &'static str, wanted: &str) -> Failure {
    if failure.is_refusal(api::Code::NotFound) { unknown(what, wanted) } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(all: &[&str], wanted: &str) -> Result<String, Failure> {
        one(all.iter().map(ToString::to_string).collect(), "device", wanted, String::as_str, |name| format!("id {name}"))
    }

    #[test]
    fn the_exact_name_wins_over_one_in_other_case() {
        assert_eq!(find(&["web-1", "WEB-1"], "WEB-1").unwrap(), "WEB-1");
        assert_eq!(find(&["Web-1", "web-10"], "web-1").unwrap(), "Web-1");
    }

    #[test]
    fn things_are_found_by_name_or_by_the_end_of_an_id() {
        let all = || vec![("hook_0001", "Tickets"), ("hook_0002", "Chat"), ("hook_1002", "Chat")];
        let find = |wanted: &str| one_of(all(), "webhook", wanted, |one| (one.0.to_owned(), one.1)).map(|one| one.0);
        assert_eq!((find("Tickets").unwrap(), find("0001").unwrap(), find("hook_1002").unwrap()), ("hook_0001", "hook_0001", "hook_1002"));
        assert!(matches!(find("001"), Err(Failure::Unknown { .. })), "three digits are too few");
        assert_eq!(find("tickets").unwrap(), "hook_0001");
        assert!(matches!(find("Ticket"), Err(Failure::Unknown { .. })));
        let Err(Failure::Ambiguous { candidates, .. }) = find("Chat") else { panic!("one was taken") };
        assert_eq!(candidates, ["  hook_0002  Chat", "  hook_1002  Chat"]);
    }

    #[test]
    fn two_of_one_name_are_listed_and_none_is_taken() {
        let Err(Failure::Ambiguous { candidates, .. }) = find(&["a\x1b", "a\x1b"], "a\x1b") else { panic!("one was taken") };
        assert_eq!(candidates, ["  id a␛", "  id a␛"]);
        let Err(Failure::Ambiguous { candidates, .. }) = find(&["x"; 20], "x") else { panic!("one was taken") };
        assert_eq!((candidates.len(), candidates[12].as_str()), (13, "  and 8 more"));
        assert!(matches!(find(&["web-10"], "web-1"), Err(Failure::Unknown { .. })));
    }
}
