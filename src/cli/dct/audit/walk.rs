//! Goes through files, one at a time.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use ignore::WalkBuilder;

use super::report::{PassedOver, Report, Row};
use crate::{
    cli::failure::{Exit, Failure},
    dct::audit::{Audited, Auditor, RULES, Rule},
    fs::{self, FileError},
    limits,
};

/// Bytes by which a file that is too large is told to be text or not.
const START_BYTES: u64 = 8192;

/// An audit under way. What it holds grows with what is found, and not with what is read.
pub(super) struct Walk<'a> {
    auditor: &'a Auditor,
    no_ignore: bool,
    files: usize,
    rows: Vec<Row>,
    /// Those that count only if something enforces content trust, which is known at the end.
    conditional: Vec<Row>,
    omitted: usize,
    is_enforced: bool,
    passed_over: Vec<PassedOver>,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(auditor: &'a Auditor, no_ignore: bool) -> Self {
        Self {
            auditor,
            no_ignore,
            files: 0,
            rows: Vec::new(),
            conditional: Vec::new(),
            omitted: 0,
            is_enforced: false,
            passed_over: Vec::new(),
        }
    }

    pub(super) const fn auditor(&self) -> &'a Auditor {
        self.auditor
    }

    /// A path that somebody named: it has to be there.
    pub(super) fn root(&mut self, root: &Path) -> Result<(), Failure> {
        if let Err(error) = root.metadata() {
            let message = format!("{} cannot be read", root.display());
            return Err(Failure::new(Exit::Usage, error).context(message));
        }
        for entry in self.entries(root) {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    self.file(entry.path());
                }
                // A root may be a link; the others are not followed.
                Ok(entry) if entry.depth() == 0 && entry.path().is_file() => {
                    self.file(entry.path());
                }
                Ok(_) => {}
                Err(error) => self.pass_over(&shown(root), &error.to_string(), true),
            }
        }
        Ok(())
    }

    fn entries(&self, root: &Path) -> ignore::Walk {
        let honours = !self.no_ignore;
        let is_repository = is_in_repository(root);
        WalkBuilder::new(root)
            // CI files are hidden ones.
            .hidden(false)
            .follow_links(false)
            // What is told must not depend on who asks: neither on somebody's own excludes nor on a checkout.
            .git_global(false)
            .ignore(false)
            // Git's own rule, by which a repository ends where it begins; a folder that is none has its files too.
            .require_git(is_repository)
            .git_ignore(honours)
            .git_exclude(honours)
            .parents(honours && is_repository)
            .sort_by_file_name(OsStr::cmp)
            .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
            .build()
    }

    /// A file that is there.
    pub(super) fn file(&mut self, path: &Path) {
        let name = shown(path);
        match fs::read_regular(path, limits::AUDIT_FILE_BYTES) {
            Ok(bytes) => self.bytes(&name, &bytes),
            Err(error @ FileError::TooLarge { .. }) => {
                if is_text(path) {
                    let reason = format!("over the limit of {} bytes", limits::AUDIT_FILE_BYTES);
                    self.pass_over(&name, &reason, false);
                }
                drop(error);
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                self.pass_over(&name, &source.unwrap_or_else(|| error.to_string()), true);
            }
        }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let Audited::Text { findings, more } = self.auditor.audit(name, bytes) else {
            return;
        };
        self.files = self.files.saturating_add(1);
        self.omitted = self.omitted.saturating_add(more);
        for finding in findings {
            self.add(
                finding.rule,
                Row {
                    path: name.to_owned(),
                    line: Some(finding.line),
                    column: Some(finding.column),
                    rule: finding.rule.id,
                    severity: finding.rule.severity,
                    text: finding.text,
                },
            );
        }
    }

    pub(super) fn add(&mut self, rule: &Rule, row: Row) {
        self.is_enforced |= rule.is_enforcement();
        let rows = if rule.needs_enforcement() { &mut self.conditional } else { &mut self.rows };
        if rows.len() < limits::AUDIT_FINDINGS {
            rows.push(row);
        } else if !rule.needs_enforcement() {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    pub(super) fn pass_over(&mut self, path: &str, reason: &str, is_failure: bool) {
        if self.passed_over.len() < limits::AUDIT_FINDINGS {
            let (path, reason) = (path.to_owned(), reason.to_owned());
            self.passed_over.push(PassedOver { path, reason, is_failure });
        }
    }

    pub(super) fn finish(self) -> Report {
        let mut findings = self.rows;
        if self.is_enforced {
            findings.extend(self.conditional);
        }
        findings.sort();
        // Paths may have been named twice.
        findings.dedup();
        let is_found = |rule: &&Rule| findings.iter().any(|row| row.rule == rule.id);
        let rules = RULES.iter().filter(is_found).collect();
        let mut passed_over = self.passed_over;
        passed_over.sort();
        passed_over.dedup();
        Report { files: self.files, findings, omitted: self.omitted, rules, passed_over }
    }
}

/// Whether a folder belongs to a repository, so that what stands above it counts. A stray .gitignore in a home
/// folder would hide everything below.
fn is_in_repository(root: &Path) -> bool {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    root.ancestors().any(|folder| folder.join(".git").exists())
}

/// A path as it is told: with `/`, and without `./`.
pub(super) fn shown(path: &Path) -> String {
    let path: PathBuf = path.components().collect();
    let path = path.strip_prefix(".").unwrap_or(&path);
    path.to_string_lossy().replace('\\', "/")
}

/// Whether a file begins like text. One that cannot be read might be.
fn is_text(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START_BYTES).read_to_end(&mut start));
    read.is_err() || !start.contains(&0)
}
