//! Documents: every relative link leads to a file, every word of the glossary names a type that exists where it says, and every test that
//! the tables of a standard name is there.

use std::path::Path;

use anyhow::Result;

use super::{Findings, markdown, standards};
use crate::root::Root;

const GLOSSARY: &str = "GLOSSARY.md";

pub(crate) fn run(root: &Root) -> Result<Findings> {
    let mut findings = Findings::default();
    for page in root.files()?.iter().filter(|file| file.ends_with(".md")) {
        links(root, page, &root.read(page)?, &mut findings);
    }
    glossary(root, &mut findings)?;
    standards::run(root, &mut findings)?;
    Ok(findings)
}

fn links(root: &Root, page: &str, text: &str, findings: &mut Findings) {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    for (line, target) in markdown::links(text).into_iter().filter(|(_, target)| is_local(target)) {
        let file = target.split('#').next().unwrap_or_default();
        if !file.is_empty() && !root.join(folder).join(file).exists() {
            findings.problem(format!("{page}:{line}: {file} does not exist"));
        }
    }
}

fn is_local(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:")
}

/// Rows are `word | meaning | [Type](file)`, and the file has to define the type.
fn glossary(root: &Root, findings: &mut Findings) -> Result<()> {
    for row in markdown::table(&root.read(GLOSSARY)?, "words")? {
        let Some(cell) = row.get(2) else {
            findings.problem(format!("{GLOSSARY}: {row:?} has no third cell"));
            continue;
        };
        for (name, file) in types(cell) {
            let text = root.read(&file).unwrap_or_default();
            if !defines(&text, &name) {
                findings.problem(format!("{GLOSSARY}: {file} does not define `{name}`"));
            }
        }
    }
    Ok(())
}

/// `[Type](file)` pairs of a cell.
fn types(cell: &str) -> Vec<(String, String)> {
    let pieces = cell.split('[').skip(1);
    pieces
        .filter_map(|piece| piece.split_once("]("))
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(')')?.0.to_owned())))
        .collect()
}

/// A definition by keyword, or as an entry of a macro that makes types: `Name => "prefix"` and the like.
fn defines(text: &str, name: &str) -> bool {
    let keywords = ["struct", "enum", "trait", "type", "message", "fn", "const"];
    let defined = |line: &str| keywords.iter().any(|keyword| begins_word(line, &format!("{keyword} {name}")));
    text.lines().any(|line| defined(line) || begins_word(line.trim_start(), name) && line.contains(['"', '=', ',']))
}

/// Whether `line` has `start` not followed by more of a name.
fn begins_word(line: &str, start: &str) -> bool {
    let Some(at) = line.find(start) else { return false };
    !line[at + start.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_recognised() {
        assert!(defines("pub struct Grant {", "Grant"));
        assert!(defines("    TenantId, \"ten\";", "TenantId"));
        assert!(!defines("pub struct GrantId(u8);", "Grant"));
        assert!(!defines("// the Grant is elsewhere", "Grant"));
    }

    #[test]
    fn cells_name_types_with_files() {
        let found = types("[A](a.rs), [B](b/c.rs)");
        assert_eq!(found, [("A".to_owned(), "a.rs".to_owned()), ("B".to_owned(), "b/c.rs".to_owned())]);
    }
}
