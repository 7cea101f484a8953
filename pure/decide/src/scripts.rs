//! What may be kept in the script library: texts and numbers come in, a script that can be run goes out.

use std::collections::BTreeSet;

use sallyport_grant::body::{EnvName, FieldError, Interpreter};
use sallyport_grant::sha256;
use sallyport_model::{Digest, Name, TextError, limits};
use serde::{Deserialize, Serialize};

/// A script as somebody wants to save it.
#[derive(Debug, Clone, Default)]
pub struct WantedScript {
    /// What people call it.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What executes it.
    pub interpreter: String,
    /// Its text.
    pub text: String,
    /// What it asks for when it is run.
    pub parameters: Vec<Parameter>,
}

/// Something that a script asks for when it is run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The environment variable that carries it.
    pub name: String,
    /// What to show beside the field; may be empty.
    pub label: String,
    /// Whether its value is sealed to each device and never stored.
    pub secret: bool,
    /// Whether it must be given.
    pub required: bool,
    /// What is filled in; empty for none.
    pub default: String,
}

/// A script that was checked. Its text is kept byte for byte: the digest is what devices verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedScript {
    name: Name,
    description: String,
    interpreter: Interpreter,
    text: String,
    sha256: Digest,
    parameters: Vec<Parameter>,
}

/// Why a script cannot be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The name.
    #[error(transparent)]
    Name(TextError),
    /// The description.
    #[error("must have at most {} characters and no NUL", limits::DESCRIPTION_CHARS)]
    Description,
    /// The interpreter.
    #[error("must be bash, sh, python3 or pwsh")]
    Interpreter,
    /// No text, or only white space.
    #[error("must not be empty")]
    Empty,
    /// Too much text.
    #[error("must have at most {} bytes", limits::SCRIPT_BYTES)]
    TooLong,
    /// A NUL character: no interpreter reads past it, and no database keeps it.
    #[error("must not contain NUL")]
    Nul,
    /// Too many parameters, or too many secret ones.
    #[error("at most {} parameters, {} of them secret", limits::ENVIRONMENT, limits::SECRETS)]
    TooManyParameters,
    /// A parameter's name.
    #[error("each name {0}")]
    ParameterName(FieldError),
    /// Two parameters of one name.
    #[error("each name may be there once")]
    Repeated,
    /// A parameter's label.
    #[error("each label {0}")]
    Label(TextError),
    /// A secret with a default, which would be stored and shown.
    #[error("a secret cannot have a default")]
    SecretDefault,
    /// A default that could not be passed on.
    #[error("each default must have at most {} bytes and no NUL", limits::ARGUMENT_BYTES)]
    Default,
}

impl ScriptError {
    /// Which field of the request is wrong.
    pub fn field(self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Description => "description",
            Self::Interpreter => "interpreter",
            Self::Empty | Self::TooLong | Self::Nul => "text",
            Self::TooManyParameters | Self::ParameterName(_) | Self::Repeated | Self::Label(_) | Self::SecretDefault | Self::Default => {
                "parameters"
            }
        }
    }
}

impl CheckedScript {
    /// Checks every field.
    ///
    /// # Errors
    /// Says which rule the first wrong field breaks.
    pub fn check(wanted: WantedScript) -> Result<Self, ScriptError> {
        let name = Name::parse(&wanted.name).map_err(ScriptError::Name)?;
        let interpreter = interpreter(&wanted.interpreter).ok_or(ScriptError::Interpreter)?;
        check_description(&wanted.description)?;
        check_text(&wanted.text)?;
        check_parameters(&wanted.parameters)?;
        let sha256 = sha256(&[wanted.text.as_bytes()]);
        Ok(Self { name, description: wanted.description, interpreter, text: wanted.text, sha256, parameters: wanted.parameters })
    }

    /// What people call it.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What it is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What executes it.
    pub fn interpreter(&self) -> Interpreter {
        self.interpreter
    }

    /// Its text, byte for byte as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text's bytes.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// What it asks for when it is run.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }
}

/// Every interpreter with its stored and shown word, as in grants.
const INTERPRETERS: [(Interpreter, &str); 4] =
    [(Interpreter::Bash, "bash"), (Interpreter::Sh, "sh"), (Interpreter::Python3, "python3"), (Interpreter::Pwsh, "pwsh")];

/// Reads an interpreter's word.
pub fn interpreter(word: &str) -> Option<Interpreter> {
    INTERPRETERS.iter().find(|(_, known)| *known == word).map(|(interpreter, _)| *interpreter)
}

/// The word of an interpreter.
pub fn interpreter_word(interpreter: Interpreter) -> &'static str {
    match interpreter {
        Interpreter::Bash => "bash",
        Interpreter::Sh => "sh",
        Interpreter::Python3 => "python3",
        Interpreter::Pwsh => "pwsh",
    }
}

fn check_description(text: &str) -> Result<(), ScriptError> {
    let good = text.chars().count() <= limits::DESCRIPTION_CHARS && !text.contains('\0');
    if good { Ok(()) } else { Err(ScriptError::Description) }
}

fn check_text(text: &str) -> Result<(), ScriptError> {
    match text {
        _ if text.trim().is_empty() => Err(ScriptError::Empty),
        _ if text.len() > limits::SCRIPT_BYTES => Err(ScriptError::TooLong),
        _ if text.contains('\0') => Err(ScriptError::Nul),
        _ => Ok(()),
    }
}

fn check_parameters(parameters: &[Parameter]) -> Result<(), ScriptError> {
    let secrets = parameters.iter().filter(|parameter| parameter.secret).count();
    if parameters.len() > limits::ENVIRONMENT || secrets > limits::SECRETS {
        return Err(ScriptError::TooManyParameters);
    }
    parameters.iter().try_for_each(check_parameter)?;
    let names: BTreeSet<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    if names.len() == parameters.len() { Ok(()) } else { Err(ScriptError::Repeated) }
}

fn check_parameter(parameter: &Parameter) -> Result<(), ScriptError> {
    EnvName::parse(&parameter.name).map_err(ScriptError::ParameterName)?;
    match Name::parse(&parameter.label) {
        Ok(_) | Err(TextError::Empty) => {}
        Err(error) => return Err(ScriptError::Label(error)),
    }
    if parameter.secret && !parameter.default.is_empty() {
        return Err(ScriptError::SecretDefault);
    }
    let passable = parameter.default.len() <= limits::ARGUMENT_BYTES && !parameter.default.contains('\0');
    if passable { Ok(()) } else { Err(ScriptError::Default) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> WantedScript {
        WantedScript { name: "Clean up".into(), interpreter: "bash".into(), text: text.into(), ..WantedScript::default() }
    }

    fn parameter(name: &str) -> Parameter {
        Parameter { name: name.into(), ..Parameter::default() }
    }

    fn with(parameters: Vec<Parameter>) -> Result<CheckedScript, ScriptError> {
        CheckedScript::check(WantedScript { parameters, ..wanted("true") })
    }

    #[test]
    fn the_text_is_kept_and_hashed_byte_for_byte() {
        let text = "\u{feff}#!/bin/sh\r\necho caf\u{65}\u{301}\r\n\n  ";
        let script = CheckedScript::check(wanted(text)).unwrap();
        assert_eq!(script.text().as_bytes(), text.as_bytes());
        assert_eq!(script.sha256(), sha256(&[text.as_bytes()]));
    }

    #[test]
    fn texts_that_cannot_run_are_refused() {
        assert_eq!(CheckedScript::check(wanted(" \n")), Err(ScriptError::Empty));
        assert_eq!(CheckedScript::check(wanted("a\0b")), Err(ScriptError::Nul));
        assert_eq!(CheckedScript::check(wanted(&"x".repeat(limits::SCRIPT_BYTES + 1))), Err(ScriptError::TooLong));
        assert!(CheckedScript::check(wanted(&"x".repeat(limits::SCRIPT_BYTES))).is_ok());
        let error = CheckedScript::check(WantedScript { interpreter: "perl".into(), ..wanted("1") }).unwrap_err();
        assert_eq!((error, error.field()), (ScriptError::Interpreter, "interpreter"));
        assert_eq!(CheckedScript::check(WantedScript { name: " ".into(), ..wanted("1") }), Err(ScriptError::Name(TextError::Empty)));
    }

    #[test]
    fn parameters_are_environment_variables_of_distinct_names() {
        assert!(with(vec![parameter("DAYS"), parameter("_x1")]).is_ok());
        assert_eq!(with(vec![parameter("1X")]), Err(ScriptError::ParameterName(FieldError::EnvName)));
        assert_eq!(with(vec![parameter("A"), parameter("A")]), Err(ScriptError::Repeated));
        assert_eq!(with(vec![Parameter { label: "a\u{202e}b".into(), ..parameter("A") }]), Err(ScriptError::Label(TextError::Unprintable)));
    }

    #[test]
    fn a_secret_has_no_default_and_there_are_few_of_them() {
        let secret = |name: String| Parameter { name, secret: true, ..Parameter::default() };
        assert_eq!(with(vec![Parameter { default: "hunter2".into(), ..secret("PASS".into()) }]), Err(ScriptError::SecretDefault));
        let many = (0..=limits::SECRETS).map(|n| secret(format!("S{n}"))).collect();
        assert_eq!(with(many), Err(ScriptError::TooManyParameters));
    }

    #[test]
    fn words_of_interpreters_are_those_of_grants() {
        for (known, word) in INTERPRETERS {
            assert_eq!(serde_json::to_value(known).unwrap(), word);
            assert_eq!((interpreter(word), interpreter_word(known)), (Some(known), word));
        }
    }
}
