//! The bytes that will run: copied into a file in memory that nobody can change, measured there, and executed from there.
//!
//! What is on the disk may be exchanged at any time; between this copy and its execution there is nothing that could be.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sallyport_grant::body::ToolVersion;
use sallyport_grant::licence::Measured;
use sallyport_grant::sha256;
use sallyport_model::{Digest, limits};
use sallyport_os::SealedFile;

use crate::failure::Failure;

/// A program, and perhaps its script, as they will be executed.
pub(crate) struct Program {
    executable: Sealed,
    script: Option<Sealed>,
    /// Which argument is the script.
    script_at: Option<usize>,
}

struct Sealed {
    file: SealedFile,
    digest: Digest,
}

impl Sealed {
    fn copy(path: &Path) -> Result<Self, Failure> {
        let failed = |why| Failure::File { path: path.to_owned(), why };
        let mut source = File::open(path).map_err(failed)?;
        let file = SealedFile::program(&mut source, limits::LICENCE_PROGRAM_BYTES).map_err(failed)?;
        // From the very descriptor that will be executed.
        let digest = sha256(&[&file.read_back().map_err(failed)?]);
        Ok(Self { file, digest })
    }
}

impl Program {
    /// Copies and measures a command's executable, and the argument that is its script, where one is named.
    pub(crate) fn seal(command: &[OsString], script: Option<&Path>) -> Result<Self, Failure> {
        let script_at = script.map(|script| place_of(command, script)).transpose()?;
        let executable = Sealed::copy(&find(&command[0])?)?;
        let script = script.map(Sealed::copy).transpose()?;
        Ok(Self { executable, script, script_at })
    }

    /// What was measured.
    pub(crate) fn measured(&self, version: ToolVersion) -> Measured {
        Measured { version, executable: self.executable.digest, script: self.script.as_ref().map(|script| script.digest) }
    }

    /// The command over these bytes; the program's own name stays what was written.
    pub(crate) fn command(&self, words: &[OsString]) -> Result<Command, Failure> {
        let failed = |why| Failure::File { path: words[0].clone().into(), why };
        let mut command = Command::new(self.executable.file.hand_on().map_err(failed)?);
        command.arg0(&words[0]);
        for (at, word) in words.iter().enumerate().skip(1) {
            match &self.script {
                Some(script) if self.script_at == Some(at) => command.arg(script.file.hand_on().map_err(failed)?),
                _ => command.arg(word),
            };
        }
        Ok(command)
    }
}

/// SHA-256 of a file, as a licence names it.
pub(crate) fn digest_of(path: &Path) -> Result<Digest, Failure> {
    Sealed::copy(path).map(|sealed| sealed.digest)
}

fn place_of(command: &[OsString], script: &Path) -> Result<usize, Failure> {
    let at = command.iter().skip(1).position(|word| Path::new(word) == script).map(|at| at + 1);
    at.ok_or_else(|| Failure::Input(format!("{} is none of the command's arguments", script.display())))
}

/// As a shell finds it.
fn find(word: &OsStr) -> Result<PathBuf, Failure> {
    if word.as_encoded_bytes().contains(&b'/') {
        return Ok(PathBuf::from(word));
    }
    let runs = |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(word)).find(runs);
    found.ok_or_else(|| Failure::Unknown { what: "program", wanted: word.to_string_lossy().into_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn said(program: &Program, words: &[OsString]) -> String {
        String::from_utf8(program.command(words).unwrap().output().unwrap().stdout).unwrap()
    }

    #[test]
    fn a28_what_was_measured_is_what_runs_whatever_becomes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        written(&path, "#!/bin/sh\necho \"agreed on $1\"\n");
        let words = [path.clone().into_os_string(), "monday".into()];
        let program = Program::seal(&words, None).unwrap();
        let measured = program.measured(ToolVersion::parse("1").unwrap());
        assert_eq!(measured.executable, sha256(&[b"#!/bin/sh\necho \"agreed on $1\"\n"]));
        // Written over, exchanged for another file, and gone: none of it is executed.
        written(&path, "#!/bin/sh\necho swapped\n");
        assert_eq!(said(&program, &words), "agreed on monday\n");
        let other = folder.path().join("other");
        written(&other, "#!/bin/sh\necho swapped\n");
        fs::rename(&other, &path).unwrap();
        assert_eq!(said(&program, &words), "agreed on monday\n");
        fs::remove_file(&path).unwrap();
        assert_eq!(said(&program, &words), "agreed on monday\n");
    }

    #[test]
    fn a28_a_script_that_is_an_argument_is_measured_and_given_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.sh");
        fs::write(&path, "echo \"agreed on $1\"").unwrap();
        let words: Vec<OsString> = vec!["sh".into(), path.clone().into(), "monday".into()];
        let program = Program::seal(&words, Some(&path)).unwrap();
        assert_eq!(program.measured(ToolVersion::parse("1").unwrap()).script, Some(sha256(&[b"echo \"agreed on $1\""])));
        fs::write(&path, "echo swapped").unwrap();
        assert_eq!(said(&program, &words), "agreed on monday\n");
        assert!(Program::seal(&words[..1], Some(&path)).is_err(), "it is not given to the program at all");
    }

    #[test]
    fn a_compiled_program_runs_from_memory_too() {
        let words: Vec<OsString> = vec!["echo".into(), "hello".into()];
        assert_eq!(said(&Program::seal(&words, None).unwrap(), &words), "hello\n");
        assert!(matches!(Program::seal(&["no-such-program".into()], None), Err(Failure::Unknown { .. })));
    }
}
