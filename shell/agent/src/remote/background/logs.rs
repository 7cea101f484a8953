//! The journal, by `journalctl`: the last lines, and then new ones until somebody stops it.

use std::path::Path;
use std::process::Stdio;

use sallyport_model::{AgentText, Timestamp, limits};
use sallyport_wire::stream::background::{BackgroundAnswer, Done, LogLine, Pattern, UnitName, YesNo};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::answering::{Answering, Trouble, pieces};
use super::program::{PATIENCE, ProgramError, ask, command};

/// Where journald keeps what it was told, in a folder for each machine (systemd-journald.service(8)).
const JOURNALS: [&str; 2] = ["/run/log/journal", "/var/log/journal"];
/// Of each line only what is told.
const FIELDS: &str = "--output-fields=MESSAGE,PRIORITY,_PID,SYSLOG_PID,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER";
/// Lines that are told together when they come together.
const TOGETHER: usize = 100;

/// Which lines are wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) unit: Option<UnitName>,
    pub(super) priority: Option<u8>,
    pub(super) since: Option<Timestamp>,
    pub(super) grep: Option<Pattern>,
    pub(super) follow: YesNo,
}

impl Wanted {
    /// Every value stands in one word with its option, so that none can be taken for an option.
    fn arguments(&self, lines: u32) -> Vec<String> {
        let mut arguments = vec!["--output=json".to_owned(), FIELDS.to_owned(), "--no-pager".to_owned(), format!("--lines={lines}")];
        arguments.extend(self.unit.as_ref().map(|unit| format!("--unit={unit}")));
        arguments.extend(self.priority.map(|priority| format!("--priority={}", priority.min(7))));
        arguments.extend(self.since.map(|since| format!("--since=@{}", since.secs())));
        arguments.extend(self.grep.as_ref().map(|pattern| format!("--grep={}", pattern.as_str())));
        arguments.extend((self.follow == YesNo::Yes).then(|| "--follow".to_owned()));
        arguments
    }
}

/// Tells lines; a followed log goes on until its task ends, and the program with it.
pub(super) async fn tell(answering: &Answering, wanted: &Wanted) -> Result<(), Trouble> {
    if wanted.priority.is_some_and(|priority| priority > 7) {
        return Err(Trouble::code("out_of_range"));
    }
    if !JOURNALS.iter().any(|folder| has_journal(Path::new(folder))) {
        return Err(Trouble::code("no_journal"));
    }
    if wanted.follow == YesNo::Yes {
        return follow(answering, wanted).await;
    }
    let said = ask("journalctl", &wanted.arguments(limits::LOG_LINES), PATIENCE).await.map_err(trouble)?;
    let lines: Vec<LogLine> = said.output.lines().filter_map(|line| parse(line.as_bytes())).collect();
    // A search that finds nothing ends with 1 and says nothing.
    if !said.succeeded() && lines.is_empty() && !said.complaint.trim().is_empty() {
        return Err(Trouble::said("journal_failed", &said.complaint));
    }
    say(answering, lines).await?;
    answering.done().await;
    Ok(())
}

/// The program may be there without a journal, and would wait for ever for lines that nobody writes.
fn has_journal(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// The last lines of a unit.
pub(super) async fn last(unit: &UnitName, lines: u32) -> Result<Vec<LogLine>, Trouble> {
    let wanted = Wanted { unit: Some(unit.clone()), priority: None, since: None, grep: None, follow: YesNo::No };
    let said = ask("journalctl", &wanted.arguments(lines), PATIENCE).await.map_err(trouble)?;
    Ok(said.output.lines().filter_map(|line| parse(line.as_bytes())).collect())
}

async fn follow(answering: &Answering, wanted: &Wanted) -> Result<(), Trouble> {
    let mut command = command("journalctl", &wanted.arguments(limits::LOG_LINES)).map_err(trouble)?;
    // The child goes with this task: it is killed when it is dropped.
    let mut child = command.stderr(Stdio::null()).spawn().map_err(|error| trouble(error.into()))?;
    let Some(stdout) = child.stdout.take() else { return Err(Trouble::code("internal")) };
    answering.say(&BackgroundAnswer::Ok(Done { id: answering.id, ..Done::default() })).await?;
    let mut lines = Lines::of(stdout);
    while let Some(some) = lines.some().await.map_err(|error| trouble(error.into()))? {
        say(answering, some).await?;
    }
    Err(Trouble::code("journal_ended"))
}

async fn say(answering: &Answering, lines: Vec<LogLine>) -> Result<(), Trouble> {
    for lines in pieces(lines) {
        answering.say(&BackgroundAnswer::Log { id: answering.id, lines }).await?;
    }
    Ok(())
}

fn trouble(error: ProgramError) -> Trouble {
    match error {
        ProgramError::Missing => Trouble::code("no_journal"),
        ProgramError::TimedOut => Trouble::code("timed_out"),
        ProgramError::Io(error) => Trouble::said("failed", &error.to_string()),
    }
}

/// Lines of a program, read with a bound: while nobody takes them, the program waits.
struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    too_long: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn of(from: R) -> Self {
        Self { from: BufReader::with_capacity(32 * 1024, from), line: Vec::new(), too_long: false }
    }

    /// The next lines that are there together; `None` at the end.
    async fn some(&mut self) -> std::io::Result<Option<Vec<LogLine>>> {
        let mut lines = Vec::new();
        loop {
            let buffer = self.from.fill_buf().await?;
            if buffer.is_empty() {
                return Ok((!lines.is_empty()).then_some(lines));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            self.too_long |= self.line.len() + piece.len() > limits::JOURNAL_LINE_BYTES;
            if !self.too_long {
                self.line.extend_from_slice(piece);
            }
            let taken = piece.len() + usize::from(end.is_some());
            self.from.consume(taken);
            if end.is_some() {
                lines.extend(self.finish_line());
            }
            let more_is_here = self.from.buffer().contains(&b'\n');
            if !lines.is_empty() && (!more_is_here || lines.len() >= TOGETHER) {
                return Ok(Some(lines));
            }
        }
    }

    fn finish_line(&mut self) -> Option<LogLine> {
        let line = (!self.too_long).then(|| parse(&self.line)).flatten();
        self.line.clear();
        self.too_long = false;
        line
    }
}

/// One line of `--output=json` (systemd.journal-fields(7)).
fn parse(line: &[u8]) -> Option<LogLine> {
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let micros: i64 = fields.get("__REALTIME_TIMESTAMP")?.as_str()?.parse().ok()?;
    let named = |names: &[&str]| names.iter().map(|name| text(fields.get(*name))).find(|text| !text.is_empty()).unwrap_or_default();
    let (priority, pid, message) = (named(&["PRIORITY"]), named(&["_PID", "SYSLOG_PID"]), named(&["MESSAGE"]));
    Some(LogLine {
        at: Timestamp::from_micros(micros),
        unit: AgentText::tame(&named(&["UNIT", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER"]), limits::AGENT_NAME_CHARS).into_string(),
        priority: priority.parse().ok().filter(|priority| *priority <= 7).unwrap_or(6),
        message: shortened(&message),
        pid: pid.parse().unwrap_or_default(),
    })
}

/// A field is text; bytes that are none; several of either, of which the first counts; or null when it was too long.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => match items.first() {
            Some(Value::Number(_)) => {
                let bytes: Vec<u8> = items.iter().filter_map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            first => text(first),
        },
        _ => String::new(),
    }
}

fn shortened(message: &str) -> String {
    let message = message.trim_end();
    let cut = (0..=limits::LOG_MESSAGE_BYTES.min(message.len())).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    if cut < message.len() { format!("{}…", &message[..cut]) } else { message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> String {
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"1795313229961147","PRIORITY":"3","_PID":"7","_SYSTEMD_UNIT":"a.service","MESSAGE":{message}}}"#
        )
    }

    #[test]
    fn messages_of_every_shape_are_read() {
        let message = |json: &str| parse(line(json).as_bytes()).expect("line").message;
        assert_eq!(message(r#""plain""#), "plain");
        assert_eq!(message("[104,105,255]"), "hi\u{fffd}");
        assert_eq!(message(r#"["first","second"]"#), "first");
        assert_eq!(message("null"), "");
        assert_eq!(message(&format!("\"{}\"", "é".repeat(9000))).len(), limits::LOG_MESSAGE_BYTES + "…".len());
        let whole = parse(line("\"x\"").as_bytes()).expect("line");
        assert_eq!((whole.unit.as_str(), whole.priority, whole.pid, whole.at.micros()), ("a.service", 3, 7, 1_795_313_229_961_147));
        for garbage in ["", "{}", "[]", "{\"__REALTIME_TIMESTAMP\":1}", "{\"__REALTIME_TIMESTAMP\":\"x\"}"] {
            assert_eq!(parse(garbage.as_bytes()), None);
        }
    }

    #[tokio::test]
    async fn lines_come_together_and_giants_are_skipped() {
        let text = format!(
            "{}\n{}\nnot json\n{}\n",
            line("\"a\""),
            line(&format!("\"{}\"", "x".repeat(limits::JOURNAL_LINE_BYTES))),
            line("\"b\"")
        );
        let mut lines = Lines::of(text.as_bytes());
        let mut seen = Vec::new();
        while let Some(some) = lines.some().await.expect("read") {
            seen.extend(some.into_iter().map(|line| line.message));
        }
        assert_eq!(seen, ["a", "b"]);
    }

    #[test]
    fn an_empty_folder_is_no_journal() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!has_journal(folder.path()) && !has_journal(&folder.path().join("missing")));
        std::fs::create_dir(folder.path().join("6ed5a4f4c2f5445fa8bc1e7d0a1b2c3d")).expect("a folder");
        assert!(has_journal(folder.path()));
    }

    #[test]
    fn no_value_can_be_an_option() {
        let wanted = Wanted {
            unit: UnitName::parse("a.service"),
            priority: Some(3),
            since: Some(Timestamp::from_secs(5)),
            grep: Pattern::parse("--file=/etc/shadow"),
            follow: YesNo::Yes,
        };
        let own = [
            "--output=json",
            FIELDS,
            "--no-pager",
            "--lines=9",
            "--unit=a.service",
            "--priority=3",
            "--since=@5",
            "--grep=--file=/etc/shadow",
            "--follow",
        ];
        assert_eq!(wanted.arguments(9), own);
    }
}
