//! The command line: a verb, flags, options with a value, and words. What nobody took is an error, so a typing mistake is never ignored.

use anyhow::{Context, Result, bail};

pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn from_command_line() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes the first word.
    pub(crate) fn verb(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Takes `--name` if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|arg| arg != name);
        self.0.len() < before
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub(crate) fn option(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        if let Some(at) = self.0.iter().position(|arg| arg.starts_with(&prefix)) {
            return Ok(Some(self.0.remove(at)[prefix.len()..].to_owned()));
        }
        let Some(at) = self.0.iter().position(|arg| arg == name) else { return Ok(None) };
        self.0.remove(at);
        if at >= self.0.len() {
            bail!("{name} wants a value");
        }
        Ok(Some(self.0.remove(at)))
    }

    /// Takes `--name N`.
    pub(crate) fn number<N: std::str::FromStr>(&mut self, name: &str) -> Result<Option<N>> {
        let text = self.option(name)?;
        text.map(|text| text.parse().ok().with_context(|| format!("{name} wants a number, not `{text}`"))).transpose()
    }

    /// Takes the one word that may be left.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.0.iter().position(|arg| !arg.starts_with('-'))?;
        Some(self.0.remove(at))
    }

    /// Takes all that is left, to hand it on.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(&self) -> Result<()> {
        if let Some(arg) = self.0.first() {
            bail!("`{arg}` is not understood here; `cargo xtask help` lists the verbs");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Args {
        Args(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn options_are_taken_in_both_spellings_and_in_any_order() {
        let mut line = args("totp --json=a.json --fresh --port 8801");
        assert_eq!(line.number::<u16>("--port").unwrap(), Some(8801));
        assert_eq!(line.option("--json").unwrap().as_deref(), Some("a.json"));
        assert!(line.flag("--fresh"));
        assert_eq!(line.word().as_deref(), Some("totp"));
        line.finish().unwrap();
    }

    #[test]
    fn what_nobody_took_is_refused() {
        assert!(args("--frsh").finish().is_err());
        assert!(args("--port").option("--port").is_err());
        assert!(args("--port x").number::<u16>("--port").is_err());
    }
}
