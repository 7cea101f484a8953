//! Pages of lists: how many, and where the next one begins.

use std::fmt::Display;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use sallyport_api::Page;
use sallyport_model::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// Which page of a list that can be asked for nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    cursor: Option<String>,
    limit: Option<u32>,
}

impl Wanted {
    /// How many items were asked for.
    pub(crate) fn limit(&self) -> Result<u32, Refusal> {
        limit(self.limit)
    }

    /// After which id the page begins, in a list that goes by ids.
    pub(crate) fn after<T: FromStr<Err: Display>>(&self) -> Result<Option<T>, Refusal> {
        parsed("cursor", self.cursor.as_deref())
    }
}

/// How many items were asked for.
pub(crate) fn limit(wanted: Option<u32>) -> Result<u32, Refusal> {
    match wanted.unwrap_or(limits::PAGE_ITEMS_DEFAULT) {
        limit @ 1..=limits::PAGE_ITEMS => Ok(limit),
        _ => Err(Refusal::field("limit", format!("must be 1 to {}", limits::PAGE_ITEMS))),
    }
}

/// A parameter of the query, read from its text.
pub(crate) fn parsed<T: FromStr<Err: Display>>(field: &str, text: Option<&str>) -> Result<Option<T>, Refusal> {
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(|error| Refusal::field(field, error))).transpose()
}

/// A page out of one item more than it may have: the one too many shows that another page follows, and is left out.
pub(crate) fn page<R, T>(mut rows: Vec<R>, limit: u32, cursor: impl Fn(&R) -> String, shown: impl FnMut(R) -> T) -> Page<T> {
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| !is_last).map(cursor);
    Page { items: rows.into_iter().map(shown).collect(), next, total: None }
}

/// A page of a list that is loaded whole, and stands in the order of its items' places. What came or went meanwhile moves nothing else.
pub(crate) fn cut<R, T, P>(rows: Vec<R>, wanted: &Wanted, place: impl Fn(&R) -> P, shown: impl FnMut(R) -> T) -> Result<Page<T>, Refusal>
where
    P: Ord + Serialize + DeserializeOwned,
{
    let (limit, total) = (wanted.limit()?, rows.len() as u64);
    let after: Option<P> = wanted.cursor.as_deref().filter(|text| !text.is_empty()).map(read_place).transpose()?;
    let follows = |row: &R| after.as_ref().is_none_or(|after| place(row) > *after);
    let rest = rows.into_iter().filter(follows).take(limit as usize + 1).collect();
    Ok(Page { total: Some(total), ..page(rest, limit, |row| write_place(&place(row)), shown) })
}

/// Where the next page of a list begins that is sorted by more than ids: after this place.
pub(crate) fn write_place(place: &impl Serialize) -> String {
    BASE64URL_NOPAD.encode(&serde_json::to_vec(place).unwrap_or_default())
}

/// The place that a cursor stands for.
pub(crate) fn read_place<P: DeserializeOwned>(text: &str) -> Result<P, Refusal> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| Refusal::field("cursor", "is not a cursor of this list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_too_many_means_another_page() {
        let of = |rows: Vec<u32>| page(rows, 2, u32::to_string, |row| row * 10);
        assert_eq!((of(vec![1, 2, 3]).items, of(vec![1, 2, 3]).next), (vec![10, 20], Some("2".to_owned())));
        assert_eq!(of(vec![1, 2]).next, None);
        assert_eq!(of(vec![]).next, None);
    }

    #[test]
    fn a_list_that_is_loaded_whole_is_read_to_its_end_whatever_goes_meanwhile() {
        let of = |rows: &[u32], cursor: Option<String>| {
            let page = cut(rows.to_vec(), &Wanted { cursor, limit: Some(2) }, |row| *row, |row| row);
            page.map(|page| (page.items, page.next)).expect("a page")
        };
        let (first, next) = of(&[1, 2, 3, 4], None);
        assert_eq!(first, [1, 2]);
        let (second, next) = of(&[1, 3, 4, 5], next);
        assert_eq!(second, [3, 4], "the one that the page ended with is gone");
        assert_eq!(of(&[1, 3, 4, 5], next), (vec![5], None));
        let wrong = Wanted { cursor: Some("x".to_owned()), limit: None };
        assert!(cut(vec![1], &wrong, |row| *row, |row| row).is_err());
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(limit(None).ok(), Some(limits::PAGE_ITEMS_DEFAULT));
        assert_eq!(limit(Some(limits::PAGE_ITEMS)).ok(), Some(limits::PAGE_ITEMS));
        assert!(limit(Some(0)).is_err() && limit(Some(limits::PAGE_ITEMS + 1)).is_err());
    }
}
