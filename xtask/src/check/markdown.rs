//! Reading Markdown as far as the checks need it: tables between two marks, and links.

use anyhow::{Context, Result};

/// The rows of the table between `<!-- name -->` and `<!-- /name -->`, cells trimmed and without back-ticks; the head is left out.
pub(crate) fn table(text: &str, name: &str) -> Result<Vec<Vec<String>>> {
    let start = text.split_once(&format!("<!-- {name} -->")).with_context(|| format!("no `<!-- {name} -->`"))?.1;
    let inside = start.split_once(&format!("<!-- /{name} -->")).with_context(|| format!("no `<!-- /{name} -->`"))?.0;
    let rows = inside.lines().map(str::trim).filter(|line| line.starts_with('|'));
    Ok(rows.skip(2).map(cells).collect())
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

/// A comma-separated cell; a dash means none.
pub(crate) fn list(cell: &str) -> Vec<String> {
    cell.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "-").map(str::to_owned).collect()
}

/// The targets of `[text](target)`, and of `src` and `srcset` of pictures, outside code blocks, with their line numbers.
pub(crate) fn links(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced {
            found.extend(line_links(line).into_iter().map(|target| (number + 1, target)));
        }
    }
    found
}

fn line_links(line: &str) -> Vec<String> {
    let between = |begin: &str, end: char| -> Vec<String> {
        line.split(begin).skip(1).filter_map(|piece| piece.split_once(end)).map(|(target, _)| target.to_owned()).collect()
    };
    [between("](", ')'), between("src=\"", '"'), between("srcset=\"", '"')].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_without_its_head() {
        let text = "x\n<!-- t -->\n| a | b |\n|---|---|\n| `one` | two, three |\n| four | - |\n<!-- /t -->\n| no | no |";
        let rows = table(text, "t").unwrap();
        assert_eq!(rows, [["one", "two, three"], ["four", "-"]]);
        assert_eq!(list(&rows[0][1]), ["two", "three"]);
        assert!(list(&rows[1][1]).is_empty());
        assert!(table(text, "u").is_err());
    }

    #[test]
    fn links_are_found_outside_code() {
        let text = "see [a](b.md) and [c](d.md#e)\n```\n[x](y)\n```\n";
        assert_eq!(links(text), [(1, "b.md".to_owned()), (1, "d.md#e".to_owned())]);
        let picture = "<picture><source srcset=\"a-dark.webp\"><img src=\"a.webp\" alt=\"\"></picture>";
        assert_eq!(links(picture), [(1, "a.webp".to_owned()), (1, "a-dark.webp".to_owned())]);
    }
}
