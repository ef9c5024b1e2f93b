//! `verify`

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Serialize;

use super::{
    Outcome as CommandOutcome,
    args::{self, OutputArgs},
    failure::{Exit, Failure},
    output, policy,
};
use crate::{
    config::{self, Directories},
    envelope::Envelope,
    oci::{Descriptor, Manifest},
    registry::layout::ImageLayout,
    trust::{DirectoryTrustStore, RegistryScope, Statement, TrustAnchors, Verification},
    verify::{Accepted, Artifact, CheckVerdict, Outcome, evaluate},
};

/// Verify the signatures of an artifact under the trust policy.
///
/// Timestamps and revocation are not judged yet: a policy that enforces one of them refuses what has it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The artifact: PATH@DIGEST or PATH:TAG of an image layout
    reference: String,
    /// Read the artifact and its signatures from an image layout; registries are not read yet
    #[arg(long, required = true)]
    oci_layout: bool,
    /// The repository that the artifact is judged as, such as registry.example/team/app
    #[arg(long, value_name = "REPOSITORY")]
    scope: RegistryScope,
    /// Metadata that has to be signed; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    /// Signatures that are looked at, at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    max_signatures: u16,
    /// Follow links in trust stores, as a mounted ConfigMap or Secret has them
    #[arg(long)]
    follow_symlinks: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    scope: String,
    statement: String,
    /// `verified`, `withFailures`, `skipped`, `rejected` or `unsigned`.
    result: &'static str,
    /// Who signed, where the result is `verified`.
    signer: Option<String>,
    /// Every signature that was looked at, up to the first that is accepted.
    signatures: Vec<SignatureRow>,
    /// Trust stores that cannot be used.
    store_problems: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignatureRow {
    digest: Option<String>,
    /// What the signature says of its signer, without any proof.
    claimed_signer: Option<String>,
    outcome: Option<Outcome>,
    /// Why it could not be read.
    error: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> CommandOutcome {
        let (file, in_force) = policy::for_artifacts()?;
        let Some(found) = in_force.statement_for(&self.scope) else {
            let message = format!("no statement of {} is for {}", file.path.display(), self.scope);
            return Err(Failure::message(Exit::NotConfigured, message));
        };
        let (layout, descriptor) = self.open()?;
        let mut report = self.report(&descriptor, &found.statement);
        if found.statement.verification == Verification::Skip {
            report.result = "skipped";
        } else {
            let anchors = self.anchors(&found.statement, &mut report)?;
            self.try_signatures(&layout, &descriptor, &found.statement, &anchors, &mut report)?;
        }
        output::data(self.output.format, &report)?;
        report.conclude()
    }

    /// The layout, and the artifact in it, whose bytes are shown to be what its digest says.
    fn open(&self) -> Result<(ImageLayout, Descriptor), Failure> {
        let usage = || {
            let message =
                format!("{:?} is not of the form PATH@DIGEST or PATH:TAG", self.reference);
            Failure::message(Exit::Usage, message)
        };
        let split = self.reference.split_once('@').or_else(|| self.reference.rsplit_once(':'));
        let (path, reference) = split.ok_or_else(usage)?;
        let layout = ImageLayout::open(PathBuf::from(path))
            .map_err(|error| Failure::new(Exit::NotFound, error))?;
        let mut descriptor =
            layout.resolve(reference).map_err(|error| Failure::new(Exit::NotFound, error))?;
        layout.read(&descriptor).map_err(|error| Failure::new(Exit::Rejected, error))?;
        descriptor.annotations = BTreeMap::new();
        Ok((layout, descriptor))
    }

    fn report(&self, descriptor: &Descriptor, statement: &Statement) -> Report {
        Report {
            artifact: descriptor.digest.to_string(),
            scope: self.scope.to_string(),
            statement: statement.name.clone(),
            result: "unsigned",
            signer: None,
            signatures: Vec::new(),
            store_problems: Vec::new(),
        }
    }

    /// A store that cannot be used vouches for nobody, which is then a matter of authenticity.
    fn anchors(&self, statement: &Statement, report: &mut Report) -> Result<TrustAnchors, Failure> {
        let mut anchors = TrustAnchors::new();
        let Verification::Verify(requirements) = &statement.verification else {
            return Ok(anchors);
        };
        let stores = DirectoryTrustStore::new(Directories::from_environment()?.trust_stores());
        let stores = if self.follow_symlinks { stores.follow_links() } else { stores };
        for store in &requirements.trust_stores {
            match stores.read([store]) {
                Ok(read) => {
                    read.warnings.iter().for_each(|line| output::note(&format!("warning: {line}")));
                    for certificate in read.anchors.certificates(store) {
                        anchors.insert(store.clone(), certificate.clone());
                    }
                }
                Err(error) => {
                    let failure = Failure::new(Exit::NotConfigured, error);
                    report.store_problems.push(failure.one_line());
                }
            }
        }
        Ok(anchors)
    }

    /// Tries one signature after the other, up to the first that is accepted.
    fn try_signatures(
        &self,
        layout: &ImageLayout,
        descriptor: &Descriptor,
        statement: &Statement,
        anchors: &TrustAnchors,
        report: &mut Report,
    ) -> CommandOutcome {
        let mut artifact = Artifact::new(descriptor.clone());
        artifact.user_metadata = self.user_metadata.iter().cloned().collect();
        let at = config::now();
        let manifests = layout.signatures(descriptor).map_err(|e| Failure::new(Exit::Other, e))?;
        let limit = usize::from(self.max_signatures);
        if manifests.len() > limit {
            output::note(&format!(
                "warning: {} signatures, and {limit} are looked at",
                manifests.len()
            ));
        }
        for manifest in manifests.iter().take(limit) {
            report.result = "rejected";
            let envelope = match read_envelope(layout, manifest) {
                Ok(envelope) => envelope,
                Err(failure) => {
                    report.signatures.push(SignatureRow::unreadable(manifest, &failure));
                    continue;
                }
            };
            let evaluated = evaluate(&envelope, &artifact, statement, anchors, at);
            let claimed = envelope.dangerous_unverified().certificate_chain().leaf().subject();
            let mut row = SignatureRow::new(manifest, claimed.to_string());
            match evaluated {
                Ok(accepted) => {
                    report.accept(&accepted);
                    row.outcome = Some(accepted.into_outcome());
                    report.signatures.push(row);
                    return Ok(());
                }
                Err(rejected) => {
                    row.outcome = Some(*rejected.outcome);
                    report.signatures.push(row);
                }
            }
        }
        Ok(())
    }
}

fn read_envelope(layout: &ImageLayout, manifest: &Manifest) -> Result<Envelope, Failure> {
    let (format, layer) = manifest.envelope().ok_or_else(|| {
        Failure::message(Exit::Rejected, "signature manifest does not hold exactly one envelope")
    })?;
    Ok(Envelope::parse(format, &layout.read(layer)?)?)
}

impl SignatureRow {
    fn new(manifest: &Manifest, claimed_signer: String) -> Self {
        let digest = manifest.envelope().map(|(_, layer)| layer.digest.to_string());
        Self { digest, claimed_signer: Some(claimed_signer), outcome: None, error: None }
    }

    fn unreadable(manifest: &Manifest, failure: &Failure) -> Self {
        let digest = manifest.envelope().map(|(_, layer)| layer.digest.to_string());
        Self { digest, claimed_signer: None, outcome: None, error: Some(failure.one_line()) }
    }
}

impl Report {
    fn accept(&mut self, accepted: &Accepted) {
        self.result = match accepted {
            Accepted::Verified(_) => "verified",
            Accepted::WithFailures(_) => "withFailures",
            Accepted::Skipped(_) => "skipped",
        };
        self.signer = accepted.signer().map(|signer| signer.subject().to_string());
    }

    /// The exit code: a store that cannot be used comes before a signature that is refused for it.
    fn conclude(&self) -> CommandOutcome {
        let exit = match self.result {
            "verified" | "withFailures" | "skipped" => return Ok(()),
            _ if !self.store_problems.is_empty() => Exit::NotConfigured,
            "unsigned" => Exit::Unsigned,
            _ => Exit::Rejected,
        };
        Err(Failure::silent(exit, format!("{} is not accepted", self.artifact)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.store_problems {
            writeln!(f, "problem: {problem}")?;
        }
        for row in &self.signatures {
            row.fmt(f)?;
        }
        let Self { artifact, statement, .. } = self;
        match (self.result, &self.signer) {
            ("verified", Some(signer)) => write!(f, "verified: {artifact}, signed by {signer}")?,
            ("withFailures", _) => {
                write!(f, "accepted with failures, the signer is not proved: {artifact}")?;
            }
            ("skipped", _) => write!(f, "not verified, the policy skips it: {artifact}")?,
            ("unsigned", _) => write!(f, "unsigned: {artifact}")?,
            _ => write!(f, "rejected: {artifact}")?,
        }
        write!(f, ", by statement {statement:?}")
    }
}

impl fmt::Display for SignatureRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_deref().unwrap_or("without envelope");
        if let Some(error) = &self.error {
            return writeln!(f, "signature {digest}: cannot be read: {error}");
        }
        for result in self.outcome.iter().flat_map(|outcome| &outcome.checks) {
            match &result.verdict {
                CheckVerdict::FailedEnforced(error) => {
                    writeln!(f, "signature {digest}: {} failed: {error}", result.check)?;
                }
                CheckVerdict::FailedLogged(error) => {
                    writeln!(
                        f,
                        "signature {digest}: {} failed, and is only logged: {error}",
                        result.check
                    )?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
