//! Goes through files, one at a time.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ignore::WalkBuilder;

use super::report::{PassedOver, Report, Row};
use crate::{
    cli::failure::{Exit, Failure},
    dct::audit::{self, Asked, Audited, Auditor, RULES, Rule, Severity},
    fs::{self, FileError},
    limits,
};

/// Bytes by which a file that is too large is told to be text or not.
const START_BYTES: u64 = 8192;

/// What is read again of a part before the next, so that no word is cut; the longest that is looked for is shorter.
const WORD_BYTES: usize = 64;

/// An audit under way. What it holds grows with what is found, and not with what is read.
pub(super) struct Walk<'a> {
    auditor: &'a Auditor,
    no_ignore: bool,
    files: usize,
    /// What was found, by its severity: notes never take the place of errors.
    rows: BTreeMap<Severity, Rows>,
    /// Those that count only if something enforces content trust, which is known at the end.
    conditional: Rows,
    is_enforced: bool,
    passed_over: Vec<PassedOver>,
}

/// As many rows as are held, and how many more there were.
#[derive(Debug, Default)]
struct Rows {
    held: Vec<Row>,
    omitted: usize,
}

impl Rows {
    fn add(&mut self, row: Option<Row>) {
        match row.filter(|_| self.held.len() < limits::AUDIT_FINDINGS) {
            Some(row) => self.held.push(row),
            None => self.omitted = self.omitted.saturating_add(1),
        }
    }

    fn extend(&mut self, other: Self) {
        self.held.extend(other.held);
        self.omitted = self.omitted.saturating_add(other.omitted);
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(auditor: &'a Auditor, no_ignore: bool) -> Self {
        Self {
            auditor,
            no_ignore,
            files: 0,
            rows: BTreeMap::new(),
            conditional: Rows::default(),
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
        if !root.is_dir() && !root.is_file() {
            let message = format!("{} is neither a folder nor a file", root.display());
            return Err(Failure::message(Exit::Usage, message));
        }
        for entry in self.entries(root) {
            match entry {
                // A root may be a link; the others are not followed.
                Ok(entry) if entry.depth() == 0 && entry.path().is_file() => {
                    self.read(entry.path(), Asked::ByName);
                }
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    self.read(entry.path(), Asked::ByFolder);
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
            .git_exclude(false)
            .parents(honours && is_repository)
            .sort_by_file_name(OsStr::cmp)
            .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
            .build()
    }

    /// A file that is there.
    pub(super) fn file(&mut self, path: &Path) {
        self.read(path, Asked::ByFolder);
    }

    fn read(&mut self, path: &Path, asked: Asked) {
        let name = shown(path);
        match fs::read_regular(path, limits::AUDIT_FILE_BYTES) {
            Ok(bytes) => self.bytes(&name, &bytes, asked),
            Err(FileError::TooLarge { .. }) => self.too_large(path, &name, asked),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                self.pass_over(&name, &source.unwrap_or_else(|| error.to_string()), true);
            }
        }
    }

    /// What is too large to be judged has no use in it if none of the words stands there that all uses have.
    fn too_large(&mut self, path: &Path, name: &str, asked: Asked) {
        if asked == Asked::ByFolder && !is_text(path) {
            return;
        }
        let limit = limits::AUDIT_FILE_BYTES;
        match self.may_find(path, name, asked) {
            Ok(false) => self.pass_over(name, &format!("over the limit of {limit} bytes"), false),
            Ok(true) => {
                let reason = format!("over the limit of {limit} bytes, and a use may be in it");
                self.pass_over(name, &reason, true);
            }
            Err(error) => self.pass_over(name, &error.to_string(), true),
        }
    }

    fn may_find(&self, path: &Path, name: &str, asked: Asked) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let mut part = Vec::new();
        loop {
            part.drain(..part.len().saturating_sub(WORD_BYTES));
            let wanted = u64::try_from(limits::AUDIT_FILE_BYTES).unwrap_or(u64::MAX);
            if file.by_ref().take(wanted).read_to_end(&mut part)? == 0 {
                return Ok(false);
            }
            if self.auditor.may_find(name, &part, asked) {
                return Ok(true);
            }
        }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8], asked: Asked) {
        let (findings, omitted) = match self.auditor.audit(name, bytes, asked) {
            Audited::Text { findings, omitted } => (findings, omitted),
            Audited::Binary if asked == Asked::ByName => {
                let may_find = self.auditor.may_find(name, bytes, asked);
                return self.pass_over(name, "not text", may_find);
            }
            Audited::Binary | Audited::Documentation => return,
        };
        self.files = self.files.saturating_add(1);
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
        for rule in omitted {
            self.count(rule, None);
        }
    }

    pub(super) fn add(&mut self, rule: &Rule, row: Row) {
        self.count(rule, Some(row));
    }

    fn count(&mut self, rule: &Rule, row: Option<Row>) {
        self.is_enforced |= rule.is_enforcement();
        if rule.needs_enforcement() {
            self.conditional.add(row);
        } else {
            self.rows.entry(rule.severity).or_default().add(row);
        }
    }

    pub(super) fn pass_over(&mut self, path: &str, reason: &str, is_failure: bool) {
        if self.passed_over.len() < limits::AUDIT_FINDINGS {
            let (path, reason) = (path.to_owned(), reason.to_owned());
            self.passed_over.push(PassedOver { path, reason, is_failure });
        }
    }

    pub(super) fn finish(self) -> Report {
        let counted = self.is_enforced.then_some(self.conditional);
        let mut all = Rows::default();
        self.rows.into_values().chain(counted).for_each(|rows| all.extend(rows));
        let Rows { held: mut findings, omitted } = all;
        findings.sort();
        // Paths may have been named twice.
        findings.dedup();
        let is_found = |rule: &&Rule| findings.iter().any(|row| row.rule == rule.id);
        let rules = RULES.iter().filter(is_found).collect();
        let mut passed_over = self.passed_over;
        passed_over.sort();
        passed_over.dedup();
        Report { files: self.files, findings, omitted, rules, passed_over }
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
    read.is_err() || audit::is_text(&start)
}
