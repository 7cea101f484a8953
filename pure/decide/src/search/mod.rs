//! Looking for something on all devices: processes, services, software and listening ports, as their inventories say.
//!
//! What can be found of a device is kept as one text for each kind, so that an inventory is one row for each and a
//! database passes over what cannot match.

mod version;

use std::cmp::Ordering;

use sallyport_model::limits;

pub use version::compare_versions;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindKind {
    /// Programs that run.
    Process,
    /// Services, running or not.
    Service,
    /// Installed packages.
    Software,
    /// Ports that wait for connections.
    Port,
}

impl FindKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Process, Self::Service, Self::Software, Self::Port];

    /// The word for it, in addresses and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Service => "service",
            Self::Software => "software",
            Self::Port => "port",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Something that a device has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The program, service or package; of a port its number.
    pub name: String,
    /// The version of a package; empty for everything else.
    pub version: String,
    /// The user of a process, the state of a service, the source of a package; of a port protocol, address and program.
    pub detail: String,
}

const FIELD_END: char = '\u{1f}';
const ITEM_END: char = '\u{1e}';

/// Writes findings as one text, each once and in order.
pub fn pack(mut findings: Vec<Finding>) -> String {
    findings.sort();
    findings.dedup();
    let mut text = String::new();
    for finding in findings {
        for (field, end) in [(&finding.name, FIELD_END), (&finding.version, FIELD_END), (&finding.detail, ITEM_END)] {
            text.extend(field.chars().filter(|sign| !sign.is_control()));
            text.push(end);
        }
    }
    text
}

/// Reads what [`pack`] wrote.
pub fn unpack(text: &str) -> impl Iterator<Item = Finding> {
    text.split_terminator(ITEM_END).filter_map(|item| {
        let mut fields = item.split(FIELD_END).map(str::to_owned);
        Some(Finding { name: fields.next()?, version: fields.next()?, detail: fields.next()? })
    })
}

/// How a version has to stand to the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionIs {
    /// `<`
    Before,
    /// `<=`
    NotAfter,
    /// `=`
    Same,
    /// `>=`
    NotBefore,
    /// `>`
    After,
}

/// The longer signs come first, since the shorter ones begin them.
const SIGNS: [(&str, VersionIs); 5] =
    [("<=", VersionIs::NotAfter), (">=", VersionIs::NotBefore), ("<", VersionIs::Before), (">", VersionIs::After), ("=", VersionIs::Same)];

impl VersionIs {
    /// Reads a sign, or the word for it: `lt`, `le`, `eq`, `ge`, `gt`.
    pub fn parse(text: &str) -> Option<Self> {
        let sign = match text {
            "lt" => "<",
            "le" => "<=",
            "eq" => "=",
            "ge" => ">=",
            "gt" => ">",
            sign => sign,
        };
        SIGNS.iter().find(|(known, _)| *known == sign).map(|(_, is)| *is)
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Before => order.is_lt(),
            Self::NotAfter => order.is_le(),
            Self::Same => order.is_eq(),
            Self::NotBefore => order.is_ge(),
            Self::After => order.is_gt(),
        }
    }
}

/// How a name is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameIs {
    /// The whole name; what people type to look around is [`NameIs::Part`].
    Whole,
    /// Somewhere in the name.
    Part,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    kind: FindKind,
    name: String,
    name_is: NameIs,
    version: Option<(VersionIs, String)>,
}

/// Why a text is not something to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nothing to look for.
    #[error("must name something")]
    Empty,
    /// Longer than [`limits::SEARCH_CHARS`].
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A comparison without a version, or a version of something that has none.
    #[error("must have a version to compare with, and only software has versions")]
    Version,
}

impl Find {
    /// Looks for a name, and for versions that stand so to another one.
    pub fn new(kind: FindKind, name: &str, name_is: NameIs, version: Option<(VersionIs, &str)>) -> Result<Self, FindError> {
        let name = name.trim().to_lowercase();
        if name.is_empty() {
            return Err(FindError::Empty);
        }
        let lengths = [name.as_str(), version.map_or("", |(_, version)| version)].map(|text| text.chars().count());
        if lengths.into_iter().any(|length| length > limits::SEARCH_CHARS) {
            return Err(FindError::TooLong(limits::SEARCH_CHARS));
        }
        if version.is_some_and(|(_, version)| version.trim().is_empty() || kind != FindKind::Software) {
            return Err(FindError::Version);
        }
        Ok(Self { kind, name, name_is, version: version.map(|(is, version)| (is, version.trim().to_owned())) })
    }

    /// Reads a filter for software: `nginx`, `nginx<1.25`, `openssl>=3.0`.
    pub fn software(text: &str) -> Result<Self, FindError> {
        let at = text.find(['<', '>', '=']).unwrap_or(text.len());
        let (name, rest) = text.split_at(at);
        let found = SIGNS.iter().find_map(|(sign, is)| rest.strip_prefix(sign).map(|version| (*is, version)));
        Self::new(FindKind::Software, name, NameIs::Whole, found)
    }

    /// What is looked for.
    pub fn kind(&self) -> FindKind {
        self.kind
    }

    /// A lower-case ASCII text that stands in the packed text of every device that has it; empty where there is none.
    pub fn needle(&self) -> &str {
        if self.name.is_ascii() { &self.name } else { "" }
    }

    /// Whether this is it. A service may be named without its `.service`, a port by its number or by its program.
    pub fn is(&self, finding: &Finding) -> bool {
        self.is_named(finding) && self.version.as_ref().is_none_or(|(is, version)| is.holds(compare_versions(&finding.version, version)))
    }

    fn is_named(&self, finding: &Finding) -> bool {
        let name = finding.name.to_lowercase();
        if self.kind == FindKind::Port {
            return name == self.name || (self.name.parse::<u16>().is_err() && finding.detail.to_lowercase().contains(&self.name));
        }
        match self.name_is {
            NameIs::Whole => name == self.name || name.strip_suffix(".service") == Some(self.name.as_str()),
            NameIs::Part => name.contains(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finding(name: &str, version: &str, detail: &str) -> Finding {
        Finding { name: name.into(), version: version.into(), detail: detail.into() }
    }

    #[test]
    fn software_older_than_a_version_is_found() {
        let older = Find::software("nginx<1.25").expect("filter");
        assert!(older.is(&finding("nginx", "1.9.3-1", "dpkg")) && older.is(&finding("Nginx", "1.25~rc1", "")));
        assert!(!older.is(&finding("nginx", "1.25", "")) && !older.is(&finding("nginx-core", "1.9", "")));
        for (text, version, wanted) in
            [("a<=2", "2", true), ("a>=2", "1.9", false), ("a>2", "2.1", true), ("a=2", "2-0", true), ("a", "7", true)]
        {
            assert_eq!(Find::software(text).expect("filter").is(&finding("a", version, "")), wanted, "{text}");
        }
        for (text, error) in [("<1", FindError::Empty), ("", FindError::Empty), ("a<", FindError::Version), ("a=  ", FindError::Version)] {
            assert_eq!(Find::software(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn services_and_ports_are_found_as_people_name_them() {
        let find = |kind, name, is| Find::new(kind, name, is, None).expect("find");
        assert!(find(FindKind::Service, "ssh", NameIs::Whole).is(&finding("ssh.service", "", "running")));
        assert!(find(FindKind::Process, "post", NameIs::Part).is(&finding("Postgres", "", "postgres")));
        let port = finding("5432", "", "tcp 0.0.0.0 postgres");
        assert!(find(FindKind::Port, "5432", NameIs::Part).is(&port) && find(FindKind::Port, "postgres", NameIs::Part).is(&port));
        assert!(!find(FindKind::Port, "543", NameIs::Part).is(&port) && !find(FindKind::Port, "0", NameIs::Part).is(&port));
        assert_eq!(Find::new(FindKind::Port, "22", NameIs::Part, Some((VersionIs::Same, "1"))), Err(FindError::Version));
    }

    proptest! {
        #[test]
        fn packed_findings_come_back_each_once(fields in prop::collection::vec(("\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}"), 0..20)) {
            let mut findings: Vec<Finding> = fields.iter().map(|(name, version, detail)| finding(name, version, detail)).collect();
            let packed = pack(findings.clone());
            findings.sort();
            findings.dedup();
            prop_assert_eq!(unpack(&packed).collect::<Vec<_>>(), findings);
        }

        #[test]
        fn a_needle_stands_in_what_is_found(name in "[a-zA-Z0-9.+-]{1,10}", rest in "[a-z]{0,4}") {
            let found = finding(&format!("{name}{rest}"), "1", "");
            let find = Find::new(FindKind::Software, &name, NameIs::Part, None).expect("find");
            prop_assert!(find.is(&found) && pack(vec![found]).to_lowercase().contains(find.needle()));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC*") {
            let _ = Find::software(&text);
            prop_assert!(unpack(&text).count() <= 1);
        }
    }
}
