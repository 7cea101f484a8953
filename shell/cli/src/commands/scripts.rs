//! `sallyport scripts`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sallyport_api as api;
use sallyport_model::limits;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, request, say};

#[derive(Args)]
pub struct Scripts {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List the library; the same as no command.
    List,
    /// Show a script with its text.
    Show {
        /// Name or id.
        script: String,
        /// An older version.
        #[arg(long = "script-version", id = "script_version", value_name = "NUMBER")]
        version: Option<u32>,
    },
    /// Save a file as a new script, or as a new version of the script with that name.
    Save(Save),
}

#[derive(Args)]
struct Save {
    /// The text; `-` is standard input.
    file: PathBuf,
    /// Its name in the library [default: the file's name without its ending].
    #[arg(long)]
    name: Option<String>,
    /// bash, sh, python3 or pwsh [default: from the first line or the file's ending].
    #[arg(long)]
    interpreter: Option<String>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// What it asks for: NAME, NAME=DEFAULT, NAME! (required) or NAME!secret, with `:label` behind. Replaces all parameters.
    #[arg(long, value_name = "PARAMETER", value_parser = parameter)]
    parameter: Vec<api::Parameter>,
}

impl Scripts {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None | Some(What::List) => list(&mut client, screen),
            Some(What::Show { script, version }) => show(&mut client, screen, &script, version),
            Some(What::Save(save)) => save.run(&mut client, screen),
        }
    }
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let scripts: Vec<api::Script> = client.read_all("/v1/scripts", &Query::default())?;
    let now = clock::now();
    screen.give(&scripts, |screen| {
        let rows = scripts.iter().map(|script| {
            vec![
                Word::new(&script.name),
                Word::new(&script.interpreter),
                Word::new(script.version.to_string()),
                Word::new(&script.sha256.to_string()[..16]),
                Word::new(format!("{} by {}", say::relative(script.updated, now), script.updated_by)),
                Word::new(say::relative_or_dash(script.last_run, now)),
                Word::toned(script.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["NAME", "INTERPRETER", "VERSION", "SHA-256", "SAVED", "RAN", "ID"],
            rows.collect(),
            "No scripts yet: `sallyport scripts save FILE` saves one.",
        );
    });
    Ok(Outcome::Done)
}

/// A script in full.
pub(super) fn details(client: &mut Client, script: &api::Script, version: Option<u32>) -> Result<api::ScriptDetails, Failure> {
    let version = version.map(|version| version.to_string());
    client.read(&Query::default().with_some("version", version.as_deref()).after(&format!("/v1/scripts/{}", script.id)))
}

fn show(client: &mut Client, screen: Screen, wanted: &str, version: Option<u32>) -> Result<Outcome, Failure> {
    let script = lookup::script(client, wanted)?;
    let details = details(client, &script, version)?;
    screen.give(&details, |screen| {
        tell(screen, &details);
        screen.say("");
        request::text(screen, &details.text);
    });
    Ok(Outcome::Done)
}

fn tell(screen: Screen, details: &api::ScriptDetails) {
    let script = &details.script;
    screen.facts(&[
        ("name", one_line(&script.name)),
        ("id", script.id.to_string()),
        ("description", one_line(&script.description)),
        ("interpreter", one_line(&script.interpreter)),
        ("version", format!("{} of {}", script.version, say::plural(i64::try_from(details.versions.len()).unwrap_or(i64::MAX), "version"))),
        ("SHA-256", say::groups(&script.sha256)),
        ("saved", format!("{} by {}", say::relative(script.updated, clock::now()), one_line(&script.updated_by))),
    ]);
    for parameter in &details.parameters {
        let kind = match (parameter.secret, parameter.required) {
            (true, true) => "secret, required",
            (true, false) => "secret",
            (false, true) => "required",
            (false, false) => "optional",
        };
        screen.say(format!("  {} ({kind}) {}", one_line(&parameter.name), one_line(&parameter.label)));
    }
}

impl Save {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let text = read(&self.file)?;
        let stem = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "-");
        let name = self.name.clone().or(stem).ok_or_else(|| Failure::Input("a script from standard input needs --name".to_owned()))?;
        let saved = match existing(client, &name)? {
            Some(old) => {
                let body = self.body(name, text, Some(&old))?;
                client.change::<api::ScriptDetails>(Method::PUT, &format!("/v1/scripts/{}", old.script.id), &body)?
            }
            None => client.change(Method::POST, "/v1/scripts", &self.body(name, text, None)?)?,
        };
        screen.give(&saved, |screen| {
            screen.say_in(Tone::Good, format!("Saved {} as version {}.", one_line(&saved.script.name), saved.script.version));
            screen.facts(&[("id", saved.script.id.to_string()), ("SHA-256", say::groups(&saved.script.sha256))]);
        });
        Ok(Outcome::Done)
    }

    /// What is not given stays as it was.
    fn body(&self, name: String, text: String, old: Option<&api::ScriptDetails>) -> Result<api::SaveScript, Failure> {
        let kept = old.map(|old| old.script.interpreter.clone());
        let interpreter = self.interpreter.clone().or_else(|| interpreter(&text, &self.file)).or(kept);
        Ok(api::SaveScript {
            name,
            description: self.description.clone().or_else(|| old.map(|old| old.script.description.clone())).unwrap_or_default(),
            interpreter: interpreter.ok_or_else(|| Failure::Input("name the interpreter with --interpreter".to_owned()))?,
            text,
            parameters: match old {
                Some(old) if self.parameter.is_empty() => old.parameters.clone(),
                _ => self.parameter.clone(),
            },
            based_on: old.map(|old| old.script.version),
        })
    }
}

fn existing(client: &mut Client, name: &str) -> Result<Option<api::ScriptDetails>, Failure> {
    match lookup::script(client, name) {
        Ok(script) => details(client, &script, None).map(Some),
        Err(Failure::Unknown { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why| Failure::File { path: path.to_owned(), why };
    let most = limits::SCRIPT_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(failed)?;
    }
    if bytes.len() > limits::SCRIPT_BYTES {
        let most = say::bytes(limits::SCRIPT_BYTES as u64);
        return Err(Failure::Input(format!("{} is larger than a script may be: {most}", path.display())));
    }
    String::from_utf8(bytes).map_err(|_| Failure::Content { path: path.to_owned(), why: "is not UTF-8 text" })
}

/// From `#!`, otherwise from the file's ending.
fn interpreter(text: &str, path: &Path) -> Option<String> {
    let first = text.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or_default();
    let program =
        first.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word)).find(|word| *word != "env" && !word.starts_with('-'));
    let ending = path.extension().and_then(|ending| ending.to_str());
    let known = match (program, ending) {
        (Some("bash"), _) | (None, Some("bash")) => "bash",
        (Some("sh" | "dash"), _) | (None, Some("sh")) => "sh",
        (Some("python3" | "python"), _) | (None, Some("py")) => "python3",
        (Some("pwsh"), _) | (None, Some("ps1")) => "pwsh",
        _ => return None,
    };
    Some(known.to_owned())
}

fn parameter(text: &str) -> Result<api::Parameter, String> {
    let (form, label) = text.split_once(':').unwrap_or((text, ""));
    let (name, required, secret, default) = match (form.split_once('='), form.split_once('!')) {
        (Some((name, default)), _) => (name, false, false, default),
        (None, Some((name, "secret"))) => (name, true, true, ""),
        (None, Some((name, ""))) => (name, true, false, ""),
        (None, None) => (form, false, false, ""),
        (None, Some(_)) => return Err("NAME, NAME=DEFAULT, NAME! or NAME!secret".to_owned()),
    };
    Ok(api::Parameter { name: name.to_owned(), label: label.to_owned(), secret, required, default: default.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_more_than_the_ending() {
        let of = |text, path| interpreter(text, Path::new(path));
        assert_eq!(of("#!/usr/bin/env bash\n", "a.sh").as_deref(), Some("bash"));
        assert_eq!(of("#!/usr/bin/env -S python3 -u\n", "a").as_deref(), Some("python3"));
        assert_eq!(of("echo", "a.py").as_deref(), Some("python3"));
        assert_eq!((of("echo", "a"), of("#!/usr/bin/perl", "a.sh")), (None, None));
    }

    #[test]
    fn parameters_have_a_short_form() {
        let of = |text| parameter(text).map(|found| (found.name, found.required, found.secret, found.default, found.label));
        let expect = |name: &str, required, secret, default: &str, label: &str| {
            Ok((name.to_owned(), required, secret, default.to_owned(), label.to_owned()))
        };
        assert_eq!(of("DAYS=14:Days to keep"), expect("DAYS", false, false, "14", "Days to keep"));
        assert_eq!(of("PASS!secret"), expect("PASS", true, true, "", ""));
        assert_eq!(of("NAME!"), expect("NAME", true, false, "", ""));
        assert_eq!(of("NAME"), expect("NAME", false, false, "", ""));
        assert!(of("NAME!hidden").is_err());
    }
}
