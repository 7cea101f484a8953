//! Routes are made in one table. A route made elsewhere would have no permit, no class and no line in routes.txt.

use anyhow::Result;

use super::Findings;
use crate::root::Root;

const FORBIDDEN: [&str; 8] =
    ["Router::new", "Router::default", ".route(", ".route_service(", ".nest(", ".nest_service(", ".fallback(", ".fallback_service("];

pub(crate) fn run(root: &Root) -> Result<Findings> {
    let mut findings = Findings::default();
    for file in root.files()?.iter().filter(|file| is_product_source(file) && !is_route_table(file)) {
        scan(file, &root.read(file)?, &mut findings);
    }
    Ok(findings)
}

fn is_product_source(file: &str) -> bool {
    file.ends_with(".rs") && ["shell/", "bin/", "pure/"].iter().any(|folder| file.starts_with(folder))
}

fn is_route_table(file: &str) -> bool {
    file == "shell/server/src/routes.rs" || file.starts_with("shell/server/src/routes/")
}

fn scan(file: &str, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for fragment in FORBIDDEN.iter().filter(|fragment| code.contains(**fragment)) {
            findings.problem(format!("{file}:{}: `{fragment}` outside the route table shell/server/src/routes", number + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_elsewhere_is_found_and_the_table_is_left_alone() {
        let mut findings = Findings::default();
        scan("shell/server/src/metrics.rs", "let x = Router::new().route(\"/a\", get(b));", &mut findings);
        assert_eq!(findings.problems.len(), 2);
        assert!(is_route_table("shell/server/src/routes/devices.rs"));
        assert!(!is_route_table("shell/server/src/routes_old.rs"));
    }
}
