//! Programs of the system that are asked: with a clean environment, within a time, and heard within a limit.

use std::process::Stdio;
use std::time::Duration;

use sallyport_model::limits;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Time that a program has which only reads.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("the program is not installed")]
    Missing,
    #[error("the program did not end in time")]
    TimedOut,
    #[error("the program could not be started or heard: {0}")]
    Io(#[from] std::io::Error),
}

/// What a program said until it ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) complaint: String,
}

impl Said {
    pub(super) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// A program of the system that dies with whoever holds it.
pub(super) fn command(program: &str, arguments: &[String]) -> Result<Command, ProgramError> {
    let path = sallyport_os::find_program(program).ok_or(ProgramError::Missing)?;
    let mut command = Command::new(path);
    command.args(arguments).env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Runs a program to its end.
pub(super) async fn ask(program: &str, arguments: &[String], patience: Duration) -> Result<Said, ProgramError> {
    let mut child = command(program, arguments)?.spawn()?;
    tokio::time::timeout(patience, hear(&mut child)).await.map_err(|_| ProgramError::TimedOut)?
}

async fn hear(child: &mut Child) -> Result<Said, ProgramError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (output, complaint) = tokio::try_join!(read(stdout, limits::PROGRAM_OUTPUT_BYTES), read(stderr, limits::PROGRAM_COMPLAINT_BYTES))?;
    let code = child.wait().await?.code();
    Ok(Said { code, output, complaint })
}

/// What goes beyond the limit is thrown away, so that the program does not wait for somebody to read it.
async fn read(from: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<String> {
    let Some(mut from) = from else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    (&mut from).take(limit).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Arguments from text.
pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs_are_heard_and_end_in_time() {
        let said = ask("sh", &words(["-c", "echo out; echo bad >&2; exit 3"]), PATIENCE).await.expect("sh");
        assert_eq!((said.code, said.output.as_str(), said.complaint.as_str()), (Some(3), "out\n", "bad\n"));
        let slow = ask("sleep", &words(["300"]), Duration::from_millis(50)).await;
        assert!(matches!(slow, Err(ProgramError::TimedOut)));
        assert!(matches!(ask("no-such-program", &[], PATIENCE).await, Err(ProgramError::Missing)));
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_the_program_ends() {
        let flood = "head -c 20000000 /dev/zero | tr '\\0' x; echo end >&2";
        let said = ask("sh", &words(["-c", flood]), PATIENCE).await.expect("sh");
        assert_eq!((said.output.len() as u64, said.complaint.as_str(), said.code), (limits::PROGRAM_OUTPUT_BYTES, "end\n", Some(0)));
    }
}
