//! Which signature manifests were pushed, in all runs of a plan: a line each, on the disk before the push begins, so
//! that none is forgotten, whatever ends the run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
    },
    fs::{self, FolderLock},
    limits,
    oci::Digest,
};

const JOURNAL: &str = "migration-journal.jsonl";
const MODE: u32 = 0o644;

/// A signature manifest whose push was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Pushed {
    pub(super) repository: String,
    /// What is signed.
    pub(super) artifact: Digest,
    /// The signature manifest.
    pub(super) manifest: Digest,
}

/// The journal beside a plan. While it is held, nobody else signs by this plan.
pub(super) struct Journal {
    path: PathBuf,
    pushed: Vec<Pushed>,
    _lock: Option<FolderLock>,
}

impl Journal {
    /// Opens the journal to write it.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let lock = fs::lock_folder(folder)?;
        if lock.is_none() {
            let message = format!("another dct migrate works by the plan in {}", folder.display());
            return Err(Failure::message(Exit::Usage, message)
                .hint("it signs each digest once; two would sign them twice"));
        }
        let journal = Self { _lock: lock, ..Self::read(folder)? };
        journal.drop_unfinished_line()?;
        Ok(journal)
    }

    /// Reads the journal.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(JOURNAL);
        let bytes = match fs::read_bounded(&path, limits::JOURNAL_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(Failure::new(Exit::Usage, error)),
        };
        let mut pushed = Vec::new();
        for (number, line) in (1..).zip(finished_lines(&bytes)) {
            pushed.push(serde_json::from_slice(line).map_err(|error| {
                let message =
                    format!("line {number} of {} is not one of dct migrate", path.display());
                Failure::new(Exit::Usage, error).context(message)
            })?);
        }
        Ok(Self { path, pushed, _lock: None })
    }

    /// What was pushed so far, in order.
    pub(super) fn pushed(&self) -> &[Pushed] {
        &self.pushed
    }

    /// Writes down a push that is about to begin.
    pub(super) fn add(&mut self, pushed: Pushed) -> Outcome {
        let mut line = serde_json::to_vec(&pushed)?;
        line.push(b'\n');
        fs::append(&self.path, &line, MODE)?;
        self.pushed.push(pushed);
        Ok(())
    }

    /// A line without an end was being written when the run ended: its push had not begun.
    fn drop_unfinished_line(&self) -> Outcome {
        let bytes = match fs::read_bounded(&self.path, limits::JOURNAL_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if bytes.last().is_none_or(|last| *last == b'\n') {
            return Ok(());
        }
        let lines: Vec<u8> = finished_lines(&bytes).flatten().copied().collect();
        Ok(fs::write_atomic(&self.path, &lines, MODE)?)
    }
}

/// Lines with their ends.
fn finished_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"))
}
