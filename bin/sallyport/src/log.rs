//! The log of the process, on standard error: as text for people, or as JSON.

use std::fmt::Write as _;

use anyhow::Context as _;
use sallyport_server::config::Raw;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;

/// Logs from here on as the settings say.
pub(crate) fn start(raw: &Raw) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(raw.log.as_deref().unwrap_or("info,sallyport::http=warn"))
        .context("log: not a filter like info or sallyport=debug")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match raw.log_format.as_deref() {
        None | Some("text") => builder.with_ansi(false).fmt_fields(on_one_line()).init(),
        Some("json") => builder.json().init(),
        Some(other) => anyhow::bail!("log_format: {other:?} is neither text nor json"),
    }
    Ok(())
}

/// Errors repeat what other servers and devices said. Whatever that is, it stays on its line, and turns nothing around on a screen.
fn on_one_line() -> impl for<'writer> FormatFields<'writer> + 'static {
    let fields = debug_fn(|writer, field, value| {
        if field.name() != "message" {
            write!(writer, "{field}=")?;
        }
        let mut text = String::new();
        write!(text, "{value:?}")?;
        text.chars().try_for_each(|c| match is_deceptive(c) {
            true => write!(writer, "{}", c.escape_default()),
            false => writer.write_char(c),
        })
    });
    fields.delimited(" ")
}

fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(tell: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).fmt_fields(on_one_line()).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, tell);
        let bytes = lines.0.lock().expect("nobody panicked").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn log_06_what_others_say_stays_on_its_line() {
        let said = "550 no\r\n2026-01-01T00:00:00Z  INFO forged\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{feff}";
        let log = logged(|| tracing::warn!(error = %said, name = said, "gave up: {said}"));
        assert!(log.ends_with('\n') && log.lines().count() == 1, "{log:?}");
        assert!(!log.trim_end_matches('\n').chars().any(is_deceptive), "{log:?}");
        assert_eq!(log.matches("550 no\\r\\n").count(), 3, "what it was can be seen: {log:?}");
    }

    #[test]
    fn fields_have_names_and_the_message_has_none() {
        let log = logged(|| tracing::info!(status = 200, path = "/v1/me", "served \u{e9}"));
        assert!(log.ends_with("served \u{e9} status=200 path=\"/v1/me\"\n"), "{log:?}");
    }
}
