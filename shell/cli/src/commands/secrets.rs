//! Secret values of a run: typed unseen, from a file or from standard input; never an argument.

use std::path::Path;
use std::str::FromStr;

use sallyport_api::Variable;
use sallyport_model::limits;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::safe::one_line;
use crate::{ask, files};

/// `NAME`, `NAME=@FILE` or `NAME=@-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretFrom {
    pub(super) name: String,
    source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Person,
    StandardInput,
    File(String),
}

impl FromStr for SecretFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, source) = match text.split_once('=') {
            None => (text, Source::Person),
            Some((name, "@-")) => (name, Source::StandardInput),
            Some((name, from)) => match from.strip_prefix('@') {
                Some(path) => (name, Source::File(path.to_owned())),
                None => return Err("a value here could be read by everybody on this computer; use NAME, NAME=@FILE or NAME=@-".to_owned()),
            },
        };
        Ok(Self { name: name.to_owned(), source })
    }
}

impl SecretFrom {
    /// One that its person types.
    pub(super) fn person(name: &str) -> Self {
        Self { name: name.to_owned(), source: Source::Person }
    }

    /// Gets the value. One line end at the end of a file is not part of it.
    pub(super) fn read(&self) -> Result<Variable, Failure> {
        const WHAT: &str = "a secret value (--secret NAME=@FILE)";
        let value = match &self.source {
            Source::Person => ask::hidden(&format!("Value of {}", one_line(&self.name)), WHAT)?,
            Source::StandardInput => ask::stdin_line(WHAT)?,
            Source::File(path) => file(Path::new(path))?,
        };
        Ok(Variable { name: self.name.clone(), value: value.to_string() })
    }
}

fn file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    // A larger one fits into no request.
    let text = files::text(path, limits::HTTP_BODY_BYTES)?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(value.strip_suffix('\r').unwrap_or(value).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_the_command_line_is_refused() {
        assert!("DB=hunter2".parse::<SecretFrom>().is_err());
        assert_eq!("DB".parse(), Ok(SecretFrom::person("DB")));
        assert_eq!("DB=@-".parse::<SecretFrom>().unwrap().source, Source::StandardInput);
    }

    #[test]
    fn a_file_is_taken_without_its_last_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "a\nb\r\n").unwrap();
        let secret: SecretFrom = format!("DB=@{}", path.display()).parse().unwrap();
        assert_eq!(secret.read().unwrap().value, "a\nb");
        let endless: SecretFrom = "DB=@/dev/zero".parse().unwrap();
        assert!(matches!(endless.read(), Err(Failure::Content { .. })));
    }
}
