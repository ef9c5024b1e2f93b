//! What `dct migrate` tells, and keeps beside the plan.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::Serialize;

use super::{
    super::{RootRow, nothing_released},
    journal::Pushed,
};
use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
    },
    config,
    dct::plan::RefusedRepository,
    fs,
    oci::Digest,
    x509::Rfc3339,
};

const REPORT: &str = "migration-report.json";
const REPORT_PAGE: &str = "migration-report.md";
const MODE: u32 = 0o644;

/// What is printed, and kept beside the plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) plan: String,
    /// When the run ended, RFC 3339.
    pub(super) at: String,
    pub(super) dry_run: bool,
    /// How many have which result.
    pub(super) counts: BTreeMap<Fate, usize>,
    pub(super) signatures: Vec<Row>,
    /// What the trust in each repository's data hangs on.
    roots: Vec<RootRow>,
    /// Repositories that the plan leaves out, because their trust data is not accepted.
    pub(super) refused: Vec<RefusedRepository>,
    /// Every signature manifest that this and earlier runs have pushed, or begun to push.
    pushed: Vec<Pushed>,
    #[serde(skip)]
    pub(super) exits: Vec<Exit>,
}

/// A digest, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) repository: String,
    pub(super) digest: Digest,
    pub(super) tags: Vec<String>,
    pub(super) key: String,
    pub(super) result: Fate,
    /// The signature manifest.
    pub(super) manifest: Option<Digest>,
    pub(super) error: Option<String>,
}

/// What became of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Fate {
    /// Signed, and accepted by the strict policy.
    Signed,
    /// Signed before by the same certificate, and accepted.
    Skipped,
    /// Would be signed.
    Planned,
    /// The registry does not have it.
    Missing,
    /// Not signed, or not accepted.
    Failed,
    /// Not tried, because its key or the timestamp authority has not signed before, or its repository has failed.
    NotTried,
}

impl Report {
    pub(super) fn new(
        plan: &Path,
        dry_run: bool,
        roots: Vec<RootRow>,
        refused: Vec<RefusedRepository>,
    ) -> Self {
        Self {
            plan: plan.display().to_string(),
            at: String::new(),
            dry_run,
            counts: Fate::ALL.map(|fate| (fate, 0)).into(),
            signatures: Vec::new(),
            roots,
            refused,
            pushed: Vec::new(),
            exits: Vec::new(),
        }
    }

    pub(super) fn ended(mut self, pushed: &[Pushed]) -> Self {
        self.pushed = pushed.to_vec();
        self.at = Rfc3339(config::now()).to_string();
        for row in &self.signatures {
            *self.counts.entry(row.result).or_insert(0) += 1;
        }
        self
    }

    pub(super) fn write(&self, folder: &Path) -> Outcome {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        fs::write_atomic(&folder.join(REPORT), &json, MODE)?;
        Ok(fs::write_atomic(&folder.join(REPORT_PAGE), self.page().as_bytes(), MODE)?)
    }

    /// The same for people, as Markdown.
    fn page(&self) -> String {
        let mut page = format!("# Signed again: {}\n\n{}\n\n", self.plan, self.at);
        page.push_str("| repository | tags | digest | result | signature manifest | |\n|---|---|---|---|---|---|\n");
        for RefusedRepository { gun, verdict, reason } in &self.refused {
            page.push_str(&format!(
                "| {gun} | | | left out: {verdict} | | {} |\n",
                reason.replace('|', "\\|")
            ));
        }
        for row in &self.signatures {
            let manifest = row.manifest.as_ref().map(ToString::to_string).unwrap_or_default();
            let error = row.error.as_deref().unwrap_or_default().replace('|', "\\|");
            page.push_str(&format!(
                "| {} | {} | {} | {} | {manifest} | {error} |\n",
                row.repository,
                row.tags.join(", "),
                row.digest,
                row.result,
            ));
        }
        page.push_str("\n## Signature manifests that were pushed, in this and earlier runs\n\n");
        for Pushed { repository, manifest, .. } in &self.pushed {
            page.push_str(&format!("- {repository}@{manifest}\n"));
        }
        page
    }

    pub(super) fn outcome(&self) -> Outcome {
        let first = self.exits.iter().copied().reduce(Exit::first);
        let exit = match first {
            Some(first) if self.exits.len() == self.signatures.len() => first,
            Some(_) => Exit::Partial,
            None if !self.refused.is_empty() => Exit::Partial,
            None if self.signatures.is_empty() => return Err(nothing_released()),
            None => return Ok(()),
        };
        Err(Failure::silent(exit, format!("{} digests are not covered", self.exits.len())))
    }
}

impl Fate {
    const ALL: [Self; 6] =
        [Self::Signed, Self::Skipped, Self::Planned, Self::Missing, Self::Failed, Self::NotTried];
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed => "signed",
            Self::Skipped => "signed before",
            Self::Planned => "to be signed",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for RefusedRepository { gun, verdict, reason } in &self.refused {
            writeln!(f, "left out: {gun}: {verdict}: {reason}")?;
        }
        for row in &self.signatures {
            let Row { repository, digest, tags, result, error, .. } = row;
            write!(f, "{result}: {repository}@{digest} ({})", tags.join(", "))?;
            if let Some(error) = error {
                write!(f, ": {error}")?;
            }
            writeln!(f)?;
        }
        let counts: Vec<String> = self
            .counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(fate, count)| format!("{count} {fate}"))
            .collect();
        write!(f, "{} digests: {}", self.signatures.len(), counts.join(", "))
    }
}
