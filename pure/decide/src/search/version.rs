//! Which of two versions is the later one, as Debian's policy has it (deb-version(7)), which reads most others well too.

use std::cmp::Ordering;

/// Compares `[epoch:]upstream[-revision]`. Numbers count as numbers, letters come before other signs, and `~` comes
/// before everything, also before the end: `1.0~rc1` is earlier than `1.0`.
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    let (one, other) = (split(one), split(other));
    compare_numbers(one.0, other.0).then_with(|| compare_parts(one.1, other.1)).then_with(|| compare_parts(one.2, other.2))
}

/// Epoch, upstream version and revision; a missing epoch or revision is as good as `0`.
fn split(version: &str) -> (&str, &str, &str) {
    let version = version.trim();
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        _ => ("", version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Signs and numbers take turns.
fn compare_parts(mut one: &str, mut other: &str) -> Ordering {
    while !one.is_empty() || !other.is_empty() {
        let (signs, rest) = lead(one, |byte| !byte.is_ascii_digit());
        let (other_signs, other_rest) = lead(other, |byte| !byte.is_ascii_digit());
        let (number, after) = lead(rest, |byte| byte.is_ascii_digit());
        let (other_number, other_after) = lead(other_rest, |byte| byte.is_ascii_digit());
        let order = compare_signs(signs, other_signs).then_with(|| compare_numbers(number, other_number));
        if order.is_ne() {
            return order;
        }
        (one, other) = (after, other_after);
    }
    Ordering::Equal
}

fn lead(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    // A digit is one byte, and so is what stands before one a whole character.
    text.split_at(end)
}

/// Numbers of any length.
fn compare_numbers(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn compare_signs(one: &str, other: &str) -> Ordering {
    let weights = |text: &str| text.chars().map(weight).chain([END]).collect::<Vec<_>>();
    weights(one).cmp(&weights(other))
}

/// The end of the signs: later than `~`, earlier than everything else.
const END: u32 = 1;

fn weight(sign: char) -> u32 {
    match sign {
        '~' => 0,
        letter if letter.is_ascii_alphabetic() => u32::from(letter),
        other => u32::from(other) + 0x100,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_as_debian_orders_them() {
        let ascending = [
            "0",
            "0.9",
            "1.0~~",
            "1.0~rc1",
            "1.0~rc2",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0a",
            "1.0+dfsg",
            "1.0.1",
            "1.2",
            "1.9",
            "1.10",
            "1.25.3-1",
            "2.36-9+deb12u9",
            "2.36-9+deb12u13",
            "99999999999999999999.1",
            "1:0.1",
            "2:0",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (place, other) in ascending.iter().enumerate() {
                assert_eq!(compare_versions(one, other), at.cmp(&place), "{one} and {other}");
            }
        }
    }

    #[test]
    fn zeros_in_front_and_missing_parts_say_nothing() {
        for (one, other) in [("1.02", "1.2"), ("0:1", "1"), ("1-0", "1"), ("1.0-", "1.0"), ("", "0"), (" 1 ", "1")] {
            assert_eq!(compare_versions(one, other), Ordering::Equal, "{one} and {other}");
        }
    }

    proptest! {
        #[test]
        fn it_is_an_order(mut versions in prop::collection::vec("[0-9a.:~+é-]{0,12}", 3)) {
            versions.sort_by(|one, other| compare_versions(one, other));
            prop_assert!(compare_versions(&versions[0], &versions[2]).is_le());
            prop_assert_eq!(compare_versions(&versions[0], &versions[1]), compare_versions(&versions[1], &versions[0]).reverse());
        }
    }
}
