//! What `verify` and `blob verify` have in common: the trust stores of a statement, and the report.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Serialize;
use time::UtcDateTime;

use super::{
    Outcome as CommandOutcome,
    cert::folder_entries,
    failure::{Exit, Failure},
    list::UnreadableRow,
    output,
    results::Entry,
    revocation::RevocationLines,
};
use crate::{
    config::Directories,
    envelope::Envelope,
    registry::{RepositoryError, RepositoryErrorKind},
    revocation::Evidence,
    text::within_line,
    trust::{DirectoryTrustStore, Statement, StoreType, TrustAnchors, TrustStore},
    verify::{
        Accepted, AcceptedArtifact, Outcome, Record, Refusal, RefusedSignature, SignatureSource,
        Tried,
    },
    x509::{Certificate, Rfc3339},
};

// Trust stores
#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    /// Follow links in trust stores, as a mounted ConfigMap or Secret has them
    #[arg(long)]
    follow_symlinks: bool,
}

/// The trust stores of a statement.
#[derive(Debug, Default)]
pub(super) struct OpenStores {
    pub(super) anchors: TrustAnchors,
    /// Why some of them cannot be used.
    pub(super) problems: Vec<String>,
}

impl StoreArgs {
    /// Reads the stores of a statement. One that cannot be used vouches for nobody, which is then a matter of
    /// authenticity, and of the report.
    pub(super) fn read(&self, statement: &Statement) -> Result<OpenStores, Failure> {
        self.read_in(Directories::from_environment()?.trust_stores(), statement)
    }

    /// The same, of stores in a folder `truststore`.
    pub(super) fn read_in(
        &self,
        folder: PathBuf,
        statement: &Statement,
    ) -> Result<OpenStores, Failure> {
        let mut open = OpenStores::default();
        let stores = self.stores(folder);
        for store in statement.trust_stores() {
            match stores.read([store]) {
                Ok(read) => {
                    read.warnings.iter().for_each(|line| output::note(&format!("warning: {line}")));
                    for certificate in read.anchors.certificates(store) {
                        open.anchors.insert(store.clone(), certificate.clone());
                    }
                }
                Err(error) => {
                    let failure = Failure::new(Exit::NotConfigured, error);
                    open.problems.push(failure.one_line());
                }
            }
        }
        Ok(open)
    }

    /// The certificates of all stores of some types. A store that cannot be used is left out, and said.
    pub(super) fn read_all(&self, kinds: &[StoreType]) -> Result<Vec<Certificate>, Failure> {
        let stores = self.stores(Directories::from_environment()?.trust_stores());
        let mut certificates = Vec::new();
        for &kind in kinds {
            for folder in folder_entries(&stores.folder_of(kind))? {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                let Ok(store) = TrustStore::new(kind, name) else { continue };
                match stores.read([&store]) {
                    Ok(read) => certificates.extend_from_slice(read.anchors.certificates(&store)),
                    Err(error) => {
                        let failure = Failure::new(Exit::NotConfigured, error);
                        output::note(&format!("warning: {}", failure.one_line()));
                    }
                }
            }
        }
        Ok(certificates)
    }

    pub(super) fn stores(&self, folder: PathBuf) -> DirectoryTrustStore {
        let stores = DirectoryTrustStore::new(folder);
        if self.follow_symlinks { stores.follow_links() } else { stores }
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// What was asked for, by its name.
    reference: String,
    /// The digest of the artifact or the file.
    artifact: Option<String>,
    /// The repository that the artifact is judged as; files have none.
    scope: Option<String>,
    statement: String,
    result: Conclusion,
    /// The time for which this holds.
    at: String,
    /// Whether the time is another than now, by `--at`.
    at_given: bool,
    /// Who signed, where the result is `verified`.
    signer: Option<String>,
    /// What was signed beside the artifact, where the result is `verified`.
    user_metadata: Option<BTreeMap<String, String>>,
    /// Every signature that was looked at, up to the first that is accepted.
    signatures: Vec<SignatureRow>,
    /// Manifests that cannot be read, so that nobody knows whether they are signatures.
    unreadable: Vec<UnreadableRow>,
    /// Signatures that were not looked at, because there are more than may be.
    untried: usize,
    /// Trust stores that cannot be used.
    pub(super) store_problems: Vec<String>,
    /// What is known of revocation.
    #[serde(skip)]
    evidence: Evidence,
    #[serde(skip)]
    exit: Option<Exit>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Conclusion {
    /// Every check passed.
    Verified,
    /// Accepted by a policy that only logs what failed.
    WithFailures,
    /// The policy verifies nothing here.
    Skipped,
    /// There are signatures, or what cannot be read and may be some, and none is accepted.
    Rejected,
    /// There is no signature.
    Unsigned,
}

/// A signature, and what became of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignatureRow {
    /// The signature manifest; files have none.
    manifest: Option<String>,
    envelope: Option<String>,
    /// What the signature says of its signer, without any proof.
    claimed_signer: Option<String>,
    outcome: Option<Outcome>,
    /// Why it could not be judged.
    error: Option<String>,
}

impl Report {
    pub(super) fn new(reference: impl fmt::Display, statement: &Statement) -> Self {
        Self {
            reference: reference.to_string(),
            artifact: None,
            scope: None,
            statement: statement.name.clone(),
            result: Conclusion::Unsigned,
            at: String::new(),
            at_given: false,
            signer: None,
            user_metadata: None,
            signatures: Vec::new(),
            unreadable: Vec::new(),
            untried: 0,
            store_problems: Vec::new(),
            evidence: Evidence::new(),
            exit: Some(Exit::Unsigned),
        }
    }

    pub(super) fn of(mut self, digest: impl fmt::Display) -> Self {
        self.artifact = Some(digest.to_string());
        self
    }

    pub(super) fn judged_at(&mut self, at: UtcDateTime, is_given: bool) {
        self.at = Rfc3339(at).to_string();
        self.at_given = is_given;
    }

    /// Who signed, where the result is `verified`.
    pub(super) fn signer(&self) -> Option<String> {
        self.signer.clone()
    }

    /// What was found out about revocation.
    pub(super) const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The manifest of the signature for which it is accepted.
    pub(super) fn accepted_signature(&self) -> Option<&str> {
        let accepted = self.signatures.last().filter(|_| self.exit.is_none());
        accepted?.manifest.as_deref()
    }

    pub(super) const fn untried(&self) -> usize {
        self.untried
    }

    /// Keeps the verdict, and what it rests on beside the arguments, in a record.
    pub(super) fn keep_in(&self, record: &mut Record) -> Result<(), Failure> {
        record.store_problems.clone_from(&self.store_problems);
        record.report = serde_json::to_value(self)?;
        Ok(())
    }

    pub(super) fn under(mut self, scope: impl fmt::Display) -> Self {
        self.scope = Some(scope.to_string());
        self
    }

    /// What the verifier of a repository has accepted.
    pub(super) fn accepted(&mut self, accepted: AcceptedArtifact) {
        self.tried(accepted.tried);
        let row = accepted.signature.as_ref().map(SignatureRow::of);
        self.accept(accepted.accepted, row.unwrap_or_default());
    }

    pub(super) fn accept(&mut self, accepted: Accepted, mut row: SignatureRow) {
        self.exit = None;
        self.result = match accepted {
            Accepted::Verified(_) => Conclusion::Verified,
            Accepted::WithFailures(_) => Conclusion::WithFailures,
            Accepted::Skipped(_) => Conclusion::Skipped,
        };
        if let Accepted::Verified(verified) = &accepted {
            let timestamp = verified.outcome.timestamp.as_ref().map(|timestamp| timestamp.earliest);
            for (who, made) in [
                ("signature", Some(verified.content.attributes().signing_time)),
                ("timestamp", timestamp),
            ] {
                let Some(made) = made.filter(|made| *made > verified.outcome.at) else { continue };
                output::note(&format!(
                    "warning: the {who} says that it is of {}: it was not made yet at {}",
                    Rfc3339(made),
                    self.at
                ));
            }
            self.signer = Some(verified.signer().subject().to_string());
            self.user_metadata =
                verified.content.payload().ok().map(|payload| payload.target_artifact.annotations);
        }
        if self.result != Conclusion::Skipped {
            row.outcome = Some(accepted.into_outcome());
            self.signatures.push(row);
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, mut row: SignatureRow) {
        self.refused(exit_of(&refusal));
        match refusal {
            Refusal::Rejected(rejected) => row.outcome = Some(*rejected.outcome),
            other => row.error = Some(Failure::from(other).one_line()),
        }
        self.signatures.push(row);
    }

    fn refused(&mut self, exit: Exit) {
        self.result = Conclusion::Rejected;
        self.exit = Some(match self.exit {
            Some(earlier) if earlier != Exit::Unsigned => earlier.first(exit),
            _ => exit,
        });
    }

    /// What was tried in vain, in front of what is accepted.
    pub(super) fn tried(&mut self, tried: Tried) {
        for RefusedSignature { source, refusal } in tried.refused {
            self.refuse(refusal, SignatureRow::of(&source));
        }
        for unreadable in &tried.unreadable {
            self.refused(exit_of_unreadable(&unreadable.error));
        }
        self.unreadable = tried.unreadable.into_iter().map(UnreadableRow::new).collect();
        self.untried = tried.untried;
        self.evidence = tried.evidence;
    }

    /// Prints the report, and gives the exit code.
    pub(super) fn conclude(self, format: output::Format) -> CommandOutcome {
        output::data(format, &self)?;
        match self.exit() {
            None => Ok(()),
            Some(exit) => Err(Failure::silent(exit, format!("{} is not accepted", self.reference))),
        }
    }
}

impl Entry for Report {
    /// A store that cannot be used comes before a signature that is refused for it.
    fn exit(&self) -> Option<Exit> {
        self.exit.map(|exit| match self.store_problems.is_empty() {
            true => exit,
            false => exit.first(Exit::NotConfigured),
        })
    }
}

fn exit_of(refusal: &Refusal) -> Exit {
    match refusal {
        Refusal::Unreadable(error) => exit_of_unreadable(error),
        Refusal::Rejected(rejected) if rejected.is_unavailable() => Exit::Unavailable,
        _ => Exit::Rejected,
    }
}

/// One that is missing or broken is a signature that does not hold.
fn exit_of_unreadable(error: &RepositoryError) -> Exit {
    match error.kind() {
        kind @ (RepositoryErrorKind::Denied | RepositoryErrorKind::Unavailable) => kind.into(),
        _ => Exit::Rejected,
    }
}

impl SignatureRow {
    /// A signature of a repository.
    pub(super) fn of(source: &SignatureSource) -> Self {
        Self {
            manifest: Some(source.manifest.to_string()),
            envelope: source.envelope.as_ref().map(ToString::to_string),
            claimed_signer: source.claimed_signer.as_ref().map(ToString::to_string),
            ..Self::default()
        }
    }

    /// A signature in a file.
    pub(super) fn detached(envelope: &Envelope) -> Self {
        let signer = envelope.dangerous_unverified().certificate_chain().leaf().subject();
        Self { claimed_signer: Some(signer.to_string()), ..Self::default() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.store_problems {
            writeln!(f, "problem: {problem}")?;
        }
        for row in &self.unreadable {
            writeln!(f, "problem: {row}")?;
        }
        for row in &self.signatures {
            row.fmt(f)?;
        }
        let Self { reference, statement, .. } = self;
        match (self.result, &self.signer) {
            (Conclusion::Verified, Some(signer)) => {
                write!(f, "verified: {reference}, signed by {signer}")?;
            }
            (Conclusion::Verified | Conclusion::WithFailures, _) => {
                write!(f, "accepted with failures, the signer is not proved: {reference}")?;
            }
            (Conclusion::Skipped, _) => {
                write!(f, "not verified, the policy skips it: {reference}")?;
            }
            (Conclusion::Unsigned, _) => write!(f, "unsigned: {reference}")?,
            (Conclusion::Rejected, _) => write!(f, "rejected: {reference}")?,
        }
        write!(f, ", by statement {statement:?}")?;
        if self.at_given {
            write!(f, ", as of {}", self.at)?;
        }
        for (name, value) in self.user_metadata.iter().flatten() {
            write!(f, "\n  user metadata: {}", within_line(&format!("{name}={value}")))?;
        }
        match self.signatures.last().and_then(|row| row.outcome.as_ref()) {
            Some(outcome) => Sources(outcome).fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SignatureRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.manifest {
            Some(name) => format!("signature {name}"),
            None => "signature".to_owned(),
        };
        if let Some(error) = &self.error {
            return writeln!(f, "{name}: {error}");
        }
        for (check, is_enforced, reason) in self.outcome.iter().flat_map(Outcome::failures) {
            let failed = if is_enforced { "failed" } else { "failed, and is only logged" };
            writeln!(f, "{name}: {check} {failed}: {reason}")?;
        }
        Ok(())
    }
}

/// What a verdict rests on: the timestamp, and who was asked about revocation.
struct Sources<'a>(&'a Outcome);

impl fmt::Display for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(timestamp) = &self.0.timestamp {
            let (earliest, latest) = (Rfc3339(timestamp.earliest), Rfc3339(timestamp.latest));
            write!(f, "\n  timestamp: {earliest} to {latest}, by {}", timestamp.authority)?;
        }
        let asked = self.0.timestamp.iter().flat_map(|timestamp| &timestamp.revocation);
        let asked = asked.chain(&self.0.revocation);
        for certificate in asked.filter(|one| one.names_source()) {
            let lines =
                RevocationLines { certificate, at: self.0.at }.to_string().replace('\n', "\n  ");
            write!(f, "\n  revocation: {lines}")?;
        }
        Ok(())
    }
}
