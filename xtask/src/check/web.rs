//! The console: its own type check and lints, and the types made from the committed openapi.json up to date.

use std::fs;

use anyhow::{Context, Result};

use super::{Findings, Snapshots};
use crate::process;
use crate::root::Root;
use crate::tools::node;

const TYPES: &str = "web/src/lib/api/schema.d.ts";

pub(crate) fn run(root: &Root, mode: Snapshots) -> Result<Findings> {
    node::wanted()?;
    node::install(root, "web")?;
    let mut findings = Findings::default();
    types(root, mode, &mut findings)?;
    let output = process::capture(node::npm(root, "web", &["run", "--silent", "check"]))?;
    if !output.status.success() {
        findings.problem(format!("`npm run check` in web failed\n{}", process::said(&output).trim_end()));
    }
    Ok(findings)
}

/// Makes the types with the console's own script, and puts the committed ones back unless they are to be rewritten.
fn types(root: &Root, mode: Snapshots, findings: &mut Findings) -> Result<()> {
    let committed = root.read(TYPES)?;
    let fresh = root.target().join("xtask/schema.d.ts");
    let output = fresh.display().to_string();
    let arguments = ["exec", "--no", "--", "openapi-typescript", "../openapi.json", "--alphabetize", "--output", &output];
    process::text(node::npm(root, "web", &arguments))?;
    let now = fs::read_to_string(&fresh).with_context(|| format!("cannot read {output}"))?;
    if now == committed {
        return Ok(());
    }
    match mode {
        Snapshots::Compare => {
            findings.problem(format!("{TYPES} is not what openapi.json says; `cargo xtask check --update` makes it anew"));
        }
        Snapshots::Rewrite => {
            fs::write(root.join(TYPES), now).with_context(|| format!("cannot write {TYPES}"))?;
            findings.warnings.push(format!("{TYPES} is rewritten"));
        }
    }
    Ok(())
}
