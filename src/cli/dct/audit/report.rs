//! What an audit found, as data and for people.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use crate::dct::audit::{RULES, Rule, Severity};

/// All of an audit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// How many files were read that are text and no documentation.
    pub(super) files: usize,
    /// By path and line.
    pub(super) findings: Vec<Row>,
    /// How many more there are than are listed.
    pub(super) omitted: usize,
    /// Those that found something.
    pub(super) rules: Vec<&'static Rule>,
    /// What was not looked into.
    pub(super) passed_over: Vec<PassedOver>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Row {
    /// The file, or `environment`.
    pub(super) path: String,
    /// From 1; none where it is about a whole file or a variable.
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    pub(super) rule: &'static str,
    pub(super) severity: Severity,
    /// The line, or what is to be said of the file.
    pub(super) text: String,
}

/// A file that was not looked into.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PassedOver {
    pub(super) path: String,
    pub(super) reason: String,
    /// Whether somebody should do something about it.
    pub(super) is_failure: bool,
}

impl Row {
    /// A finding that is no line of a file.
    pub(super) fn of_file(path: String, rule: &'static Rule, text: String) -> Self {
        Self { path, line: None, column: None, rule: rule.id, severity: rule.severity, text }
    }
}

impl Report {
    /// The rules alone.
    pub(super) fn of_rules() -> Self {
        Self {
            files: 0,
            findings: Vec::new(),
            omitted: 0,
            rules: RULES.iter().collect(),
            passed_over: Vec::new(),
        }
    }

    pub(super) fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|row| row.severity).max()
    }

    /// Whether something could not be read.
    pub(super) fn is_incomplete(&self) -> bool {
        self.passed_over.iter().any(|passed| passed.is_failure)
    }

    /// In a sentence, how much there is.
    pub(super) fn summary(&self) -> String {
        let files = count(self.files, "file");
        if self.findings.is_empty() {
            return format!("no use of Docker Content Trust in {files}");
        }
        let of = |severity, name| {
            let number = self.findings.iter().filter(|row| row.severity == severity).count();
            count(number, name)
        };
        let places: BTreeSet<&str> = self.findings.iter().map(|row| row.path.as_str()).collect();
        let omitted = match self.omitted {
            0 => String::new(),
            omitted => format!("; {omitted} more are not listed"),
        };
        format!(
            "{} of Docker Content Trust in {} of {files}: {}, {}, {}{omitted}",
            count(self.findings.len(), "use"),
            places.len(),
            of(Severity::Error, "error"),
            of(Severity::Warning, "warning"),
            of(Severity::Note, "note"),
        )
    }

    /// Whether only rules are to be shown.
    fn is_table(&self) -> bool {
        self.findings.is_empty() && !self.rules.is_empty()
    }
}

fn count(number: usize, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

impl Severity {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.findings {
            writeln!(f, "{row}")?;
        }
        for (i, rule) in self.rules.iter().enumerate() {
            let gap = if i > 0 || !self.findings.is_empty() { "\n" } else { "" };
            writeln!(f, "{gap}{} ({}): {}", rule.id, rule.severity.name(), rule.title)?;
            writeln!(f, "  why: {}\n  when: {}", rule.why, rule.when)?;
            let end =
                if self.is_table() && i.saturating_add(1) == self.rules.len() { "" } else { "\n" };
            write!(f, "  instead: {}{end}", rule.instead)?;
        }
        if self.is_table() {
            return Ok(());
        }
        let gap = if self.findings.is_empty() { "" } else { "\n" };
        write!(f, "{gap}{}", self.summary())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {} {}: {}", self.severity.name(), self.rule, self.text)
    }
}
