//! Numbers and times as people say them.

use sallyport_model::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long ago, or in how long: `3 min ago`, `in 2 h`.
pub(crate) fn relative(moment: Timestamp, now: Timestamp) -> String {
    let secs = moment.secs() - now.secs();
    match secs.abs() {
        0..10 => "just now".to_owned(),
        away if secs < 0 => format!("{} ago", length(away)),
        away => format!("in {}", length(away)),
    }
}

/// The same, or a dash where there is no such moment.
pub(crate) fn relative_or_dash(moment: Option<Timestamp>, now: Timestamp) -> String {
    moment.map_or_else(|| "-".to_owned(), |moment| relative(moment, now))
}

/// A length of time in one unit, or two where that helps.
pub(crate) fn length(secs: i64) -> String {
    match secs {
        _ if secs < MINUTE => format!("{secs} s"),
        _ if secs < HOUR => format!("{} min", secs / MINUTE),
        _ if secs < 10 * HOUR && secs % HOUR >= MINUTE => format!("{} h {} min", secs / HOUR, secs % HOUR / MINUTE),
        _ if secs < DAY => format!("{} h", secs / HOUR),
        _ => plural(secs / DAY, "day"),
    }
}

/// How long something took.
pub(crate) fn took(started: Timestamp, ended: Timestamp) -> String {
    let millis = ended.micros_since(started) / 1000;
    if millis < 60_000 { format!("{}.{} s", millis / 1000, millis % 1000 / 100) } else { length(millis / 1000) }
}

/// Bytes in binary units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count;
    let mut tenths = 0;
    let mut unit = 0;
    while value >= 1024 && unit + 1 < UNITS.len() {
        tenths = value % 1024 * 10 / 1024;
        value /= 1024;
        unit += 1;
    }
    if tenths == 0 || value >= 10 { format!("{value} {}", UNITS[unit]) } else { format!("{value}.{tenths} {}", UNITS[unit]) }
}

/// A browser's name for itself in three words, as the console says it. It is a claim; `--json` has it whole.
pub(crate) fn browser(user_agent: &str) -> String {
    const BROWSERS: [(&str, &str); 5] =
        [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chromium"), ("Chromium/", "Chromium"), ("Safari/", "Safari")];
    const SYSTEMS: [(&str, &str); 6] =
        [("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")];
    let first = |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, word)| *word);
    match (first(&BROWSERS), first(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => user_agent.to_owned(),
    }
}

/// `1 device`, `2 devices`.
pub(crate) fn plural(count: i64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// `1 device`, `2 devices`.
pub(crate) fn devices(count: usize) -> String {
    plural(i64::try_from(count).unwrap_or(i64::MAX), "device")
}

/// A digest in groups of four, to compare by eye.
pub(crate) fn groups(digest: &impl ToString) -> String {
    let text = digest.to_string();
    let groups: Vec<&str> = text.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    groups.join(" ")
}

/// The first few names, and how many more there are.
pub(crate) fn names(names: &[String], shown: usize) -> String {
    let list = names.iter().take(shown).map(|name| crate::safe::one_line(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(shown) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// Reads `512`, `64k`, `10M`, `1G` (binary, an `iB` or `B` after it is fine).
///
/// # Errors
/// Says what the form is.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        _ => None,
    };
    let count = digits.parse::<u64>().ok().zip(factor).and_then(|(count, factor): (u64, u64)| count.checked_mul(factor));
    count.ok_or_else(|| "a number of bytes like 65536, 64k or 1M".to_owned())
}

/// Reads `90s`, `10m`, `1h 30m`; a bare number is seconds.
///
/// # Errors
/// Says what the form is.
pub(crate) fn parse_secs(text: &str) -> Result<u32, String> {
    let secs = match text.parse::<u32>() {
        Ok(secs) => Some(secs),
        Err(_) => humantime::parse_duration(text).ok().and_then(|length| u32::try_from(length.as_secs()).ok()),
    };
    secs.ok_or_else(|| "a length of time like 90s, 10m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_in_three_words_and_a_stranger_as_it_is() {
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0";
        let told =
            ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", edge, "sallyport-cli/0.1.0", "Mozilla/5.0 (iPhone) Safari/604"];
        assert_eq!(told.map(browser), ["Firefox on Linux", "Edge on Windows", "sallyport-cli/0.1.0", "Safari on iOS"]);
    }

    #[test]
    fn times_are_told_from_now() {
        let now = Timestamp::from_secs(1_000_000);
        let at = |secs| relative(now.plus_secs(secs), now);
        assert_eq!(at(0), "just now");
        assert_eq!(
            (at(-34), at(-300), at(-3 * HOUR), at(-3 * DAY)),
            ("34 s ago".into(), "5 min ago".into(), "3 h ago".into(), "3 days ago".into())
        );
        assert_eq!((at(90), at(HOUR + 600), at(11 * HOUR + 600)), ("in 1 min".into(), "in 1 h 10 min".into(), "in 11 h".into()));
        assert_eq!(took(now, Timestamp::from_millis(1_000_001_250)), "1.2 s");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!((bytes(0), bytes(1023), bytes(1024), bytes(1536)), ("0 B".into(), "1023 B".into(), "1 KiB".into(), "1.5 KiB".into()));
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        assert_eq!((parse_bytes("64k"), parse_bytes("1 MiB"), parse_bytes("7")), (Ok(65_536), Ok(1 << 20), Ok(7)));
        assert!(parse_bytes("x").is_err() && parse_bytes("99999999999999999999").is_err() && parse_bytes("1x").is_err());
        assert_eq!((parse_secs("90"), parse_secs("10m")), (Ok(90), Ok(600)));
        assert!(parse_secs("soon").is_err());
    }

    #[test]
    fn digests_come_in_groups_of_four() {
        assert_eq!(groups(&"0123456789ab"), "0123 4567 89ab");
    }

    #[test]
    fn long_lists_are_cut() {
        let all: Vec<String> = ["a", "b\x1b", "c"].map(str::to_owned).into();
        assert_eq!((names(&all, 2), names(&all, 9)), ("a, b␛ and 1 more".to_owned(), "a, b␛, c".to_owned()));
        assert_eq!((devices(1), devices(0)), ("1 device".to_owned(), "0 devices".to_owned()));
    }
}
