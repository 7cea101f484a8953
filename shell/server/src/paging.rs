//! Pages of lists: how many, and where the next one begins.

use std::fmt::Display;
use std::str::FromStr;

use sallyport_api::Page;
use sallyport_model::limits;

use crate::Refusal;

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

/// A list that comes whole.
pub(crate) fn whole<T>(items: Vec<T>) -> Page<T> {
    let total = Some(items.len() as u64);
    Page { items, next: None, total }
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
    fn limits_are_kept() {
        assert_eq!(limit(None).ok(), Some(limits::PAGE_ITEMS_DEFAULT));
        assert_eq!(limit(Some(limits::PAGE_ITEMS)).ok(), Some(limits::PAGE_ITEMS));
        assert!(limit(Some(0)).is_err() && limit(Some(limits::PAGE_ITEMS + 1)).is_err());
    }
}
