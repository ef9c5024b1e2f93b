//! An audit as Markdown: for a pull request, an issue, a wiki.

use super::report::Report;
use crate::dct::audit::Rule;

/// The report; of one without findings, the rules alone.
pub(super) fn of(report: &Report) -> String {
    if report.findings.is_empty() && !report.rules.is_empty() {
        return rules(&report.rules);
    }
    let mut parts = vec!["## Docker Content Trust".to_owned(), format!("{}.", report.summary())];
    if !report.findings.is_empty() {
        let rows = report.findings.iter().map(|row| {
            let place = match row.line {
                Some(line) => format!("{}:{line}", row.path),
                None => row.path.clone(),
            };
            let (severity, rule) = (row.severity.name(), row.rule);
            format!("| {severity} | {rule} | {} | {} |", code(&place), code(&row.text))
        });
        parts.push(table("| severity | rule | place | line |\n|---|---|---|---|", rows));
        parts.push(rules(&report.rules));
    }
    if !report.passed_over.is_empty() {
        let rows = report.passed_over.iter();
        let rows =
            rows.map(|passed| format!("| {} | {} |", code(&passed.path), plain(&passed.reason)));
        parts.push(table("| passed over | why |\n|---|---|", rows));
    }
    parts.join("\n\n")
}

/// The table of rules.
fn rules(rules: &[&Rule]) -> String {
    let rows = rules.iter().map(|rule| {
        let (why, when, instead) = (plain(rule.why), plain(rule.when), plain(rule.instead));
        format!(
            "| {} | {} | {} | {why} | {when} | {instead} |",
            rule.id,
            rule.severity.name(),
            plain(rule.title)
        )
    });
    table(
        "| rule | severity | found | why it breaks | when | instead |\n|---|---|---|---|---|---|",
        rows,
    )
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    rows.fold(head.to_owned(), |table, row| format!("{table}\n{row}"))
}

/// Text in which nothing is markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '*' | '_' | '`' | '[' | '\\' => plain.extend(['\\', c]),
            '\n' | '\r' => plain.push(' '),
            _ => plain.push(c),
        }
    }
    plain
}

/// Text as code, in a cell of a table.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ").replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.saturating_add(1));
    // A space keeps a back-tick at the end apart from the fence.
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_not_left() {
        assert_eq!(code("a | b"), "`a \\| b`");
        assert_eq!(code("`docker trust sign`"), "`` `docker trust sign` ``");
        assert_eq!(plain("a|b <c> _d_\n"), "a\\|b \\<c> \\_d\\_ ");
    }
}
