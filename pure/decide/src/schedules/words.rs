//! Cron expressions as sentences: what people read before they agree.

use sallyport_grant::schedule::{Cron, CronError};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// More times than these are not listed one by one.
const LISTED: usize = 6;

/// An expression in words, like `at 02:30 on Monday to Friday`.
///
/// # Errors
/// When the text is no expression.
pub fn in_words(expression: &str) -> Result<String, CronError> {
    let cron = Cron::parse(expression)?;
    let parts = [Some(time(&cron)), days(&cron), months(&cron)];
    Ok(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn time(cron: &Cron) -> String {
    let (minutes, hours) = (cron.minutes(), cron.hours());
    let every = evenly(&minutes, 60);
    match (hours.len(), minutes.as_slice()) {
        (24, _) if minutes.len() == 60 => "every minute".to_owned(),
        (24, [minute]) => format!("every hour at :{minute:02}"),
        (24, _) if every.is_some() => format!("every {} minutes", every.unwrap_or_default()),
        (count, _) if count * minutes.len() <= LISTED => {
            let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| format!("{hour:02}:{minute:02}")));
            format!("at {}", list(&times.collect::<Vec<_>>()))
        }
        (24, _) => format!("every hour at minutes {}", list(&spans(&minutes, |n| format!("{n:02}")))),
        (_, [minute]) => format!("at :{minute:02} of hours {}", list(&spans(&hours, |n| format!("{n:02}")))),
        _ if minutes.len() == 60 => format!("every minute of hours {}", list(&spans(&hours, |n| format!("{n:02}")))),
        _ => {
            let minutes = list(&spans(&minutes, |n| format!("{n:02}")));
            format!("at minutes {minutes} of hours {}", list(&spans(&hours, |n| format!("{n:02}"))))
        }
    }
}

/// The step of values that go round evenly from 0.
fn evenly(values: &[u32], round: u32) -> Option<u32> {
    let [first, second, ..] = values else { return None };
    let step = second - first;
    let even = *first == 0 && round.is_multiple_of(step) && values.windows(2).all(|pair| pair[1] - pair[0] == step);
    (even && values.len() as u32 * step == round).then_some(step)
}

fn days(cron: &Cron) -> Option<String> {
    let (days, weekdays) = (cron.days(), cron.weekdays());
    let of_month = (days.len() < 31).then(|| format!("on day {} of the month", list(&spans(&days, |n| n.to_string()))));
    let of_week = (weekdays.len() < 7).then(|| format!("on {}", list(&week(&weekdays))));
    match (of_month, of_week) {
        (Some(month), Some(week)) if cron.takes_either_day() => Some(format!("{month}, and {week}")),
        (Some(month), Some(week)) => Some(format!("{month} where it is one of {}", &week[3..])),
        (month, week) => month.or(week),
    }
}

fn week(weekdays: &[u32]) -> Vec<String> {
    // People's week ends with Sunday.
    let mut rotated: Vec<u32> = weekdays.iter().map(|day| (day + 6) % 7).collect();
    rotated.sort_unstable();
    spans(&rotated, |day| DAYS[(day as usize + 1) % 7].to_owned())
}

fn months(cron: &Cron) -> Option<String> {
    let months = cron.months();
    (months.len() < 12).then(|| format!("in {}", list(&spans(&months, |month| MONTHS[month as usize - 1].to_owned()))))
}

/// Three and more in a row become `first to last`.
fn spans(values: &[u32], name: impl Fn(u32) -> String) -> Vec<String> {
    let mut spans = Vec::new();
    let mut rest = values;
    while let Some(first) = rest.first() {
        let length = rest.iter().enumerate().take_while(|(at, value)| **value == first + *at as u32).count();
        let (row, later) = rest.split_at(if length >= 3 { length } else { 1 });
        rest = later;
        spans.push(match row {
            [first, .., last] => format!("{} to {}", name(*first), name(*last)),
            _ => name(*first),
        });
    }
    spans
}

fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_read_like_sentences() {
        let cases = [
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("5 * * * *", "every hour at :05"),
            ("30 2 * * *", "at 02:30"),
            ("30 2 * * 1-5", "at 02:30 on Monday to Friday"),
            ("0 8,20 * * sat,sun", "at 08:00 and 20:00 on Saturday and Sunday"),
            ("0 6 1 * *", "at 06:00 on day 1 of the month"),
            ("0 6 1,15 jan,jul *", "at 06:00 on day 1 and 15 of the month in January and July"),
            ("0 0 13 * 5", "at 00:00 on day 13 of the month, and on Friday"),
            ("0 8-18 * * 1-5", "at :00 of hours 08 to 18 on Monday to Friday"),
            ("*/7 * * * *", "every hour at minutes 00, 07, 14, 21, 28, 35, 42, 49 and 56"),
        ];
        for (expression, words) in cases {
            assert_eq!(in_words(expression).as_deref(), Ok(words), "{expression}");
        }
    }
}
