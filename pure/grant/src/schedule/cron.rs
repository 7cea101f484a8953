//! Cron expressions of five fields, as POSIX `crontab` and Vixie cron read them.
//!
//! An expression is only compared with wall clock times: there is no search in here, so that no expression can make a device work
//! for long. Own code instead of a library because the agent runs it as root: what it depends on is a reviewed list.

use sallyport_model::limits;

/// Why a text is not an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error("must be five fields: minute, hour, day of the month, month, day of the week")]
    Fields,
    /// A field that cannot be read, or a number out of its range.
    #[error("the {0} is not acceptable")]
    Field(&'static str),
    /// Longer than the limit, in bytes.
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

/// An expression, parsed: which minutes, hours, days, months and days of the week it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values of one field as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// Whether it begins with `*`, as Vixie cron asks for its rules.
    star: bool,
}

/// What a field may hold.
struct Range {
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const RANGES: [Range; 5] = [
    Range { name: "minute", first: 0, last: 59, words: &[] },
    Range { name: "hour", first: 0, last: 23, words: &[] },
    Range { name: "day of the month", first: 1, last: 31, words: &[] },
    Range { name: "month", first: 1, last: 12, words: MONTHS },
    Range { name: "day of the week", first: 0, last: 7, words: WEEKDAYS },
];

impl Cron {
    /// Reads `minute hour day-of-month month day-of-week`: `*`, numbers, names, ranges, lists and steps.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.len() > limits::CRON_BYTES {
            return Err(CronError::TooLong(limits::CRON_BYTES));
        }
        let texts: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = texts.as_slice() else { return Err(CronError::Fields) };
        let mut week = field(weekdays, &RANGES[4])?;
        // Sunday is 0 and 7.
        week.bits = (week.bits | week.bits >> 7) & 0x7f;
        Ok(Self {
            minutes: field(minutes, &RANGES[0])?,
            hours: field(hours, &RANGES[1])?,
            days: field(days, &RANGES[2])?,
            months: field(months, &RANGES[3])?,
            weekdays: week,
        })
    }

    /// Whether it names this minute of the wall clock.
    pub fn names(&self, wall: Wall) -> bool {
        self.minutes.has(wall.minute) && self.hours.has(wall.hour) && self.names_day(wall)
    }

    /// Whether it names the day. Where day of the month and day of the week are both restricted, one of them is enough.
    pub fn names_day(&self, wall: Wall) -> bool {
        let (day, weekday) = (self.days.has(wall.day), self.weekdays.has(wall.weekday));
        let fits = if self.days.star || self.weekdays.star { day && weekday } else { day || weekday };
        fits && self.months.has(wall.month)
    }

    /// Whether it names the hour.
    pub fn names_hour(&self, wall: Wall) -> bool {
        self.hours.has(wall.hour)
    }

    /// Whether it is a rhythm (its hours begin with `*`) rather than times of the day: what the clock's changes do differs.
    pub fn is_rhythm(&self) -> bool {
        self.hours.star
    }

    /// The minutes that it names.
    pub fn minutes(&self) -> Vec<u32> {
        self.minutes.values(0..=59)
    }

    /// The hours that it names.
    pub fn hours(&self) -> Vec<u32> {
        self.hours.values(0..=23)
    }

    /// The days of the month that it names; all of them where it does not restrict them.
    pub fn days(&self) -> Vec<u32> {
        self.days.values(1..=31)
    }

    /// The months that it names, from 1.
    pub fn months(&self) -> Vec<u32> {
        self.months.values(1..=12)
    }

    /// The days of the week that it names, from Sunday as 0.
    pub fn weekdays(&self) -> Vec<u32> {
        self.weekdays.values(0..=6)
    }

    /// Whether one of day of the month and day of the week is enough.
    pub fn takes_either_day(&self) -> bool {
        !self.days.star && !self.weekdays.star
    }
}

impl Field {
    fn has(self, value: u32) -> bool {
        self.bits >> value & 1 == 1
    }

    fn values(self, all: std::ops::RangeInclusive<u32>) -> Vec<u32> {
        all.filter(|value| self.has(*value)).collect()
    }
}

fn field(text: &str, range: &Range) -> Result<Field, CronError> {
    let mut bits = 0;
    for part in text.split(',') {
        bits |= part_bits(part, range).ok_or(CronError::Field(range.name))?;
    }
    Ok(Field { bits, star: text.starts_with('*') })
}

fn part_bits(part: &str, range: &Range) -> Option<u64> {
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (span, number(step).filter(|step| (1..=range.last).contains(step))?),
        None => (part, 1),
    };
    let (first, last) = match span.split_once('-') {
        _ if span == "*" => (range.first, range.last.min(if range.name == RANGES[4].name { 6 } else { range.last })),
        Some((first, last)) => (value(first, range)?, value(last, range)?),
        // A step needs something to step through.
        None if part.contains('/') => return None,
        None => (value(span, range)?, value(span, range)?),
    };
    if first > last {
        return None;
    }
    Some((first..=last).step_by(step as usize).fold(0, |bits, value| bits | 1 << value))
}

fn value(text: &str, range: &Range) -> Option<u32> {
    let named = range.words.iter().position(|word| text.eq_ignore_ascii_case(word)).and_then(|at| u32::try_from(at).ok());
    // Months count from 1, days of the week from 0.
    let value = named.map(|at| at + range.first).or_else(|| number(text))?;
    (range.first..=range.last).contains(&value).then_some(value)
}

fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A minute as a clock on the wall shows it, in the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 1 to 31.
    pub day: u32,
    /// 1 to 12.
    pub month: u32,
    /// Sunday is 0.
    pub weekday: u32,
}

impl Wall {
    /// From minutes since 1970-01-01 00:00 by the same clock.
    pub fn of_minutes(minutes: i64) -> Self {
        let (day_number, of_day) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
        let (month, day) = civil(day_number);
        Self {
            minute: small(of_day % 60),
            hour: small(of_day / 60),
            day,
            month,
            // 1970-01-01 was a Thursday.
            weekday: small((day_number + 4).rem_euclid(7)),
        }
    }

    /// Minutes since midnight.
    pub fn minute_of_day(self) -> u32 {
        self.hour * 60 + self.minute
    }
}

/// Month and day of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(day_number: i64) -> (u32, u32) {
    let of_era = (day_number + 719_468).rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (small(month), small(day))
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        let cron = Cron::parse("*/15 8-18/2 1,15 jan-mar mon,Fri").unwrap();
        assert_eq!(cron.minutes(), [0, 15, 30, 45]);
        assert_eq!(cron.hours(), [8, 10, 12, 14, 16, 18]);
        assert_eq!((cron.days(), cron.months(), cron.weekdays()), (vec![1, 15], vec![1, 2, 3], vec![1, 5]));
        assert_eq!(Cron::parse("0 0 * * 7"), Cron::parse("0 0 * * 0"));
        assert_eq!(Cron::parse("0 0 * * 5-7").unwrap().weekdays(), [0, 5, 6]);
        assert_eq!(Cron::parse("0 0 * * *").unwrap().weekdays().len(), 7);
    }

    #[test]
    fn what_nobody_means_is_refused() {
        let wrong = ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8"];
        let odd = [
            "a * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "5/2 * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "1- * * * *",
            "001 * * * *",
        ];
        for text in wrong.into_iter().chain(odd) {
            assert!(Cron::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Cron::parse(&"1,".repeat(200)), Err(CronError::TooLong(limits::CRON_BYTES)));
    }

    #[test]
    fn days_of_the_month_and_of_the_week_are_either_or_where_both_are_named() {
        // 2026-11-13 was a Friday, 2026-11-20 another one, 2026-12-13 a Sunday.
        let day = |days: i64| Wall::of_minutes(days * 1440);
        let (friday_13, friday_20, sunday_13) = (day(20_770), day(20_777), day(20_800));
        assert_eq!((friday_13.day, friday_13.month, friday_13.weekday), (13, 11, 5));
        let either = Cron::parse("0 0 13 * 5").unwrap();
        assert!(either.names(friday_13) && either.names(friday_20) && either.names(sunday_13));
        let both = Cron::parse("0 0 */1 * 5").unwrap();
        assert!(both.names(friday_20) && !both.names(sunday_13));
    }
}
