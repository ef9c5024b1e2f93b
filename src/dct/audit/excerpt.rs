//! The line of a finding as it is shown: reports go to places where the passphrase on the line must not.

use regex::{Captures, Regex};

use crate::limits;

/// What stands for a secret.
const HIDDEN: &str = "***";

/// What knows secrets on a line.
#[derive(Debug)]
pub(super) struct Excerpts {
    secrets: Regex,
    references: Regex,
    logins: Regex,
    addresses: Regex,
}

impl Excerpts {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let value =
            r#""(?:[^"\\]|\\.)*"|'[^']*'|\$\([^)]*\)|\$\{\{[^}]*\}\}|[^\s"',;=:][^\s"',;]*"#;
        Ok(Self {
            // A setting, or a variable that a Dockerfile sets by a space.
            secrets: Regex::new(&format!(
                r#"(?i)((?:(?:passphrase|password|passwd|secret|token)\w*|(?:\b|_)auth)["'\])]*\s*(?:[:=]+|,)\s*|_(?:PASSPHRASE|AUTH)[ \t]+)({value})"#
            ))?,
            references: Regex::new(
                r#"^["']?(?:\$\{?\w+\}?|\$\(\w+\)|\$\{\{[^}]*\}\}|\{\{[^}]*|%\w+%|credentials\(.*|null|true|false)["']?$"#,
            )?,
            addresses: Regex::new(r"(://[^/\s:@]+:)[^@\s/]+@")?,
            logins: Regex::new(
                r#"(?i)(\s(?:-u|--user)[ =]*[^\s:]+:|authorization:\s*\w+\s+)([^\s"']+)"#,
            )?,
        })
    }

    /// What is shown of a line around the character `column`.
    pub(super) fn of(&self, line: &str, column: usize) -> String {
        let near = limits::AUDIT_EXCERPT_CHARS.saturating_mul(4);
        // Secrets are looked for in more than is shown, and not in a megabyte.
        let start = column.saturating_sub(near);
        let part: String = line.chars().skip(start).take(near.saturating_mul(2)).collect();
        let shown = self.without_secrets(&part);
        cut(&shown, column.saturating_sub(start), start > 0)
    }

    fn without_secrets(&self, text: &str) -> String {
        let hide = |captures: &Captures<'_>| {
            let (name, value) = (part(captures, 1), part(captures, 2));
            if self.references.is_match(value) {
                format!("{name}{value}")
            } else {
                format!("{name}{HIDDEN}")
            }
        };
        let text = self.secrets.replace_all(text, hide);
        let text = self.logins.replace_all(&text, hide);
        self.addresses.replace_all(&text, format!("${{1}}{HIDDEN}@")).into_owned()
    }
}

fn part<'a>(captures: &Captures<'a>, at: usize) -> &'a str {
    captures.get(at).map_or("", |part| part.as_str())
}

/// At most as many characters as are shown, around the one that counts.
fn cut(text: &str, column: usize, is_cut: bool) -> String {
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    let text = text.trim();
    let length = text.chars().count();
    if length <= limits::AUDIT_EXCERPT_CHARS && !is_cut {
        return text.to_owned();
    }
    let column = column.saturating_sub(indent).min(length);
    let start = column.saturating_sub(limits::AUDIT_EXCERPT_CHARS / 4);
    let shown: String = text.chars().skip(start).take(limits::AUDIT_EXCERPT_CHARS).collect();
    let ends_early = start.saturating_add(limits::AUDIT_EXCERPT_CHARS) < length;
    let mark = |there: bool| if there { "…" } else { "" };
    format!("{}{}{}", mark(start > 0 || is_cut), shown.trim(), mark(ends_early))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_and_references_to_secrets_are() {
        let cases = [
            (
                "  export DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE=hunter2",
                "export DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE=***",
            ),
            ("X_PASSPHRASE: \"two words\" # x", "X_PASSPHRASE: *** # x"),
            ("ENV NOTARY_ROOT_PASSPHRASE hunter2", "ENV NOTARY_ROOT_PASSPHRASE ***"),
            ("NOTARY_AUTH=$(echo -n user:pass | base64) notary x", "NOTARY_AUTH=*** notary x"),
            (
                "A_PASSPHRASE: ${{ secrets.A_PASSPHRASE }}",
                "A_PASSPHRASE: ${{ secrets.A_PASSPHRASE }}",
            ),
            ("A_PASSPHRASE=\"$PASS\" B", "A_PASSPHRASE=\"$PASS\" B"),
            ("A_PASSPHRASE = credentials('x')", "A_PASSPHRASE = credentials('x')"),
            (
                "\"https://notary.docker.io\": {\"auth\": \"dTpw\"}",
                "\"https://notary.docker.io\": {\"auth\": ***}",
            ),
            (
                "curl -u me:pw https://a:b@notary.docker.io",
                "curl -u me:*** https://a:***@notary.docker.io",
            ),
            ("https://notary.example.com:4443/a", "https://notary.example.com:4443/a"),
            ("author: Bob", "author: Bob"),
        ];
        let excerpts = Excerpts::new().unwrap();
        for (line, shown) in cases {
            assert_eq!(excerpts.of(line, 0), shown);
        }
    }
}
