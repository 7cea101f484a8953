//! Who may depend on whom. ARCHITECTURE.md has two tables that this check reads: `layers` (our crates) and `homes` (crates from
//! outside that have a home). An edge that the table lacks fails, and so does one that the table has and nobody uses.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Findings, markdown};
use crate::process;
use crate::root::Root;

const PAGE: &str = "ARCHITECTURE.md";

pub(crate) fn run(root: &Root) -> Result<Findings> {
    let page = root.read(PAGE)?;
    let packages = packages(root)?;
    let mut findings = Findings::default();
    compare_layers(&layers(&page)?, &packages, &mut findings);
    compare_homes(&homes(&page)?, &packages, &mut findings);
    homeless(&homes(&page)?, &root.read("Cargo.lock")?, &mut findings);
    for package in packages.iter().filter(|package| package.folder.starts_with("pure/")) {
        pure_package(root, package, &mut findings)?;
    }
    for package in &packages {
        unused(root, package, &mut findings)?;
    }
    Ok(findings)
}

/// A package of the workspace with what it builds from. Development dependencies are left out: tests may use what they need.
struct Package {
    name: String,
    /// Relative to the checkout, such as `pure/grant`.
    folder: String,
    ours: BTreeSet<String>,
    outside: BTreeSet<String>,
}

fn packages(root: &Root) -> Result<Vec<Package>> {
    let text = process::text(process::cargo(root.path(), &["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    packages.iter().map(|package| package_of(root, package)).collect()
}

fn package_of(root: &Root, package: &Value) -> Result<Package> {
    let manifest = package["manifest_path"].as_str().context("a package has no manifest")?;
    let folder = manifest.strip_suffix("/Cargo.toml").unwrap_or(manifest);
    let folder = folder.strip_prefix(&format!("{}/", root.path().display())).unwrap_or(folder);
    let mut found = Package {
        name: package["name"].as_str().context("a package has no name")?.to_owned(),
        folder: folder.to_owned(),
        ours: BTreeSet::new(),
        outside: BTreeSet::new(),
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten().filter(|edge| edge["kind"] != "dev") {
        let name = dependency["name"].as_str().context("a dependency has no name")?.to_owned();
        let side = if dependency["path"].is_string() { &mut found.ours } else { &mut found.outside };
        side.insert(name);
    }
    Ok(found)
}

/// What a row of the layer table allows.
enum Allowed {
    Anything,
    Exactly(BTreeSet<String>),
}

fn layers(page: &str) -> Result<BTreeMap<String, Allowed>> {
    let rows = markdown::table(page, "layers").context(PAGE)?;
    rows.iter().map(|row| layer(row).with_context(|| format!("{PAGE}: the row {row:?} is not `package | folder | may use`"))).collect()
}

fn layer(row: &[String]) -> Option<(String, Allowed)> {
    let (name, uses) = (row.first()?, row.get(2)?);
    let allowed = if uses == "anything" { Allowed::Anything } else { Allowed::Exactly(markdown::list(uses).into_iter().collect()) };
    Some((name.clone(), allowed))
}

fn compare_layers(table: &BTreeMap<String, Allowed>, packages: &[Package], findings: &mut Findings) {
    for package in packages {
        match table.get(&package.name) {
            None => findings.problem(format!("{} has no row in the layer table of {PAGE}", package.name)),
            Some(Allowed::Anything) => {}
            Some(Allowed::Exactly(allowed)) => compare_edges(package, allowed, findings),
        }
    }
    for name in table.keys().filter(|name| !packages.iter().any(|package| package.name == **name)) {
        findings.problem(format!("{PAGE} has a row for {name}, which is no package"));
    }
}

fn compare_edges(package: &Package, allowed: &BTreeSet<String>, findings: &mut Findings) {
    for name in package.ours.difference(allowed) {
        findings.problem(format!("{} depends on {name}, which the layer table does not allow", package.name));
    }
    for name in allowed.difference(&package.ours) {
        findings.problem(format!("the layer table lets {} depend on {name}, which it does not", package.name));
    }
}

/// Outside crate -> the packages that may name it.
fn homes(page: &str) -> Result<Vec<(Vec<String>, BTreeSet<String>)>> {
    let rows = markdown::table(page, "homes").context(PAGE)?;
    let home = |row: &Vec<String>| Some((markdown::list(row.first()?), markdown::list(row.get(1)?).into_iter().collect()));
    rows.iter().map(|row| home(row).with_context(|| format!("{PAGE}: the row {row:?} is not `crates | home`"))).collect()
}

fn compare_homes(homes: &[(Vec<String>, BTreeSet<String>)], packages: &[Package], findings: &mut Findings) {
    for (crates, home) in homes {
        for package in packages.iter().filter(|package| !home.contains(&package.name)) {
            for name in crates.iter().filter(|name| matches(name, &package.outside)) {
                findings.problem(format!("{} depends on {name}, whose home is {}", package.name, words(home)));
            }
        }
        for name in home.iter().filter(|name| !packages.iter().any(|package| package.name == **name)) {
            findings.problem(format!("{PAGE} gives {} a home in {name}, which is no package", crates.join(", ")));
        }
    }
}

/// What has no home may not be in the lock file either, as somebody else's dependency.
fn homeless(homes: &[(Vec<String>, BTreeSet<String>)], lock: &str, findings: &mut Findings) {
    let names: BTreeSet<String> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).map(str::to_owned).collect();
    for name in homes.iter().filter(|(_, home)| home.is_empty()).flat_map(|(crates, _)| crates).filter(|name| matches(name, &names)) {
        findings.problem(format!("{name} is in Cargo.lock and has no home; `cargo tree --workspace --invert {name}` shows who brings it"));
    }
}

/// `windows*` stands for every crate whose name begins so.
fn matches(pattern: &str, names: &BTreeSet<String>) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => names.iter().any(|name| name.starts_with(start)),
        None => names.contains(pattern),
    }
}

fn words(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "nowhere".to_owned() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

/// A pure package has no clippy rules of its own, which would replace those of the folder, and takes the workspace's lints.
fn pure_package(root: &Root, package: &Package, findings: &mut Findings) -> Result<()> {
    for name in ["clippy.toml", ".clippy.toml"] {
        if root.join(&package.folder).join(name).exists() {
            findings.problem(format!("{}/{name} would replace pure/clippy.toml", package.folder));
        }
    }
    let library = root.read(format!("{}/src/lib.rs", package.folder))?;
    if !library.contains("#![deny(missing_docs)]") && !library.contains("#![warn(missing_docs)]") {
        findings.problem(format!("{}/src/lib.rs does not ask for docs: `#![deny(missing_docs)]`", package.folder));
    }
    Ok(())
}

/// A dependency that no source file names costs build time and review for nothing.
fn unused(root: &Root, package: &Package, findings: &mut Findings) -> Result<()> {
    let sources = sources(root, &package.folder)?;
    let all = package.ours.iter().chain(&package.outside);
    let unused: BTreeSet<String> = all.filter(|name| !sources.contains(&name.replace('-', "_"))).cloned().collect();
    if !unused.is_empty() {
        findings.problem(format!("{}/Cargo.toml names what no source file uses: {}", package.folder, words(&unused)));
    }
    Ok(())
}

fn sources(root: &Root, folder: &str) -> Result<String> {
    let prefix = format!("{folder}/");
    let files = root.files()?.into_iter().filter(|file| file.starts_with(&prefix) && file.ends_with(".rs"));
    files.map(|file| root.read(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "<!-- layers -->\n| package | folder | may use |\n|---|---|---|\n| a | x | - |\n| b | y | a |\n| t | z | anything |\n<!-- /layers -->\n\
        <!-- homes -->\n| crates | home |\n|---|---|\n| sqlx, rusqlite | a |\n| windows* | - |\n<!-- /homes -->\n";

    fn package(name: &str, ours: &[&str], outside: &[&str]) -> Package {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Package { name: name.to_owned(), folder: name.to_owned(), ours: set(ours), outside: set(outside) }
    }

    fn problems(packages: &[Package]) -> Vec<String> {
        let mut findings = Findings::default();
        compare_layers(&layers(PAGE_TEXT).unwrap(), packages, &mut findings);
        compare_homes(&homes(PAGE_TEXT).unwrap(), packages, &mut findings);
        findings.problems
    }

    #[test]
    fn the_table_as_it_stands_is_fine() {
        assert!(problems(&[package("a", &[], &["sqlx"]), package("b", &["a"], &[]), package("t", &["a", "b"], &[])]).is_empty());
    }

    #[test]
    fn a_missing_and_an_unused_edge_both_fail() {
        let found = problems(&[package("a", &["b"], &[]), package("b", &[], &[]), package("t", &[], &[])]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_crate_away_from_home_fails() {
        let found = problems(&[package("a", &[], &["windows-sys"]), package("b", &["a"], &["rusqlite"]), package("t", &[], &[])]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn what_has_no_home_is_found_in_the_lock_file() {
        let mut findings = Findings::default();
        homeless(&homes(PAGE_TEXT).unwrap(), "[[package]]\nname = \"windows-core\"\n[[package]]\nname = \"sqlx\"\n", &mut findings);
        assert_eq!(findings.problems.len(), 1, "{:?}", findings.problems);
    }

    #[test]
    fn a_package_without_a_row_and_a_row_without_a_package_fail() {
        let found = problems(&[package("a", &[], &[]), package("b", &["a"], &[]), package("new", &[], &[])]);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
