//! `quickstart`: everything that a signature needs, made, used and verified in one folder.
//!
//! What is there already is kept, so a second run signs nothing twice. A folder of somebody else's is left
//! alone.

mod configuration;
mod hierarchy;
mod next_steps;

use std::path::{Path, PathBuf};

use time::UtcDateTime;

use super::{
    Outcome, block_on,
    failure::{Exit, Failure},
    output,
};
use crate::{
    config::{self, Directories},
    envelope::{Envelope, EnvelopeFormat, Payload, SignedAttributes},
    fs,
    keys::{SigningKey, file::FileKey},
    limits,
    oci::{Descriptor, EMPTY_CONFIG, EMPTY_MEDIA_TYPE, Manifest},
    registry::{Repository, layout::ImageLayout},
    revocation::Evidence,
    sign::{SignRequest, sign_envelope},
    trust::{DirectoryTrustStore, OciPolicy},
    verify::{Revocation, Verifier},
    x509::{CertificateChain, Name, Rfc3339},
};
use hierarchy::Hierarchy;
use next_steps::NextSteps;

/// Tells a later run that the folder is its own.
const MARKER: &str = ".notation-kms-quickstart";
const NAME: &str = "quickstart";
const TAG: &str = "v1";
const SCOPE: &str = "local/quickstart";
const SUBJECT: &str = "CN=Quickstart signer,O=Notation Quickstart,ST=WA,C=US";
const ARTIFACT_TYPE: &str = "application/vnd.notation-kms.quickstart";
const LAYER_TYPE: &str = "application/octet-stream";
const PAGE: &[u8] = b"<!doctype html>\n<title>Signed</title>\n<p>This page is signed.</p>\n";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to pack and sign; a small page where it is left out
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
    /// Folder for everything that is made: a new or an empty one, or that of an earlier run
    #[arg(long, value_name = "DIR", default_value = "notation-quickstart")]
    to: PathBuf,
}

/// The folder, and what is in it.
struct Quickstart {
    root: PathBuf,
    directories: Directories,
    now: UtcDateTime,
}

/// A signature that the trust policy accepts.
struct Signed {
    signer: Name,
    envelope: Vec<u8>,
}

/// What became of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It was not there.
    Made,
    /// It is as an earlier run, or its user, left it.
    Kept,
}

impl Step {
    fn tell(self, what: &str, path: &Path) -> Outcome {
        let verb = match self {
            Self::Made => "made",
            Self::Kept => "kept",
        };
        output::line(&format!("{verb}: {what}\n      {}", path.display()))
    }
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let content = match &self.path {
            None => PAGE.to_vec(),
            Some(path) => fs::read_bounded(path, limits::QUICKSTART_FILE_BYTES)
                .map_err(|error| Failure::new(Exit::Usage, error))?,
        };
        claim(&self.to)?;
        let root =
            std::path::absolute(&self.to).map_err(|error| Failure::new(Exit::Other, error))?;
        let directories = Directories::under(root.join("config"));
        let quickstart = Quickstart { root, directories, now: config::now() };
        block_on(quickstart.run(&content))?
    }
}

impl Quickstart {
    async fn run(&self, content: &[u8]) -> Outcome {
        let subject = SUBJECT.parse::<Name>()?;
        let keys = Hierarchy::open_or_create(self.root.join("keys"), subject, self.now).await?;
        keys.step().tell("key and certificates", keys.folder())?;
        let written = configuration::write(&self.directories, &keys)?;
        for step in [Step::Made, Step::Kept] {
            let parts = written.iter().filter(|(_, done)| *done == step).map(|(part, _)| *part);
            let parts = parts.collect::<Vec<_>>().join(", ");
            if !parts.is_empty() {
                step.tell(&parts, &self.directories.config)?;
            }
        }
        let layout = ImageLayout::open_or_create(self.root.join("layout"))?;
        let (artifact, step) = pack(&layout, content)?;
        step.tell(&format!("artifact {}", artifact.digest), layout.path())?;
        let verified = self.verified(&layout, &artifact, &keys).await?;
        output::line(&format!(
            "verified: signed by {}, under the strict trust policy",
            verified.signer
        ))?;
        let refusal = refuse_a_changed_byte(&verified.envelope)?;
        output::line(&format!("refused, with one byte of the payload changed: {refusal}"))?;
        output::line(&NextSteps { root: &self.root, artifact: &artifact }.to_string())
    }

    /// Verifies the artifact under the trust policy, after signing it where that does not hold yet.
    async fn verified(
        &self,
        layout: &ImageLayout,
        artifact: &Descriptor,
        hierarchy: &Hierarchy,
    ) -> Result<Signed, Failure> {
        if let Ok(signed) = self.verify(layout, artifact).await {
            output::line("kept: the signature of an earlier run")?;
            return Ok(signed);
        }
        let chain = &hierarchy.chain;
        let key = FileKey::from_pem_file(&hierarchy.key_path())?;
        let envelope = self.sign(&key, artifact, chain).await?;
        let created = Rfc3339(self.now).to_string();
        let manifest =
            Manifest::signature(artifact, EnvelopeFormat::Jws, &envelope, chain, &created);
        let pushed = layout.push_signature(&manifest, &envelope).await?;
        output::line(&format!("signed: signature manifest {}", pushed.digest))?;
        self.verify(layout, artifact).await
    }

    /// What `verify` does, with this folder's trust policy and trust stores.
    async fn verify(&self, layout: &ImageLayout, artifact: &Descriptor) -> Result<Signed, Failure> {
        let not_configured = |error| Failure::new(Exit::NotConfigured, error);
        let policy = fs::read_bounded(&self.directories.trust_policy(), limits::CONFIG_FILE_BYTES)?;
        let policy = OciPolicy::parse(&policy).map_err(not_configured)?.policy;
        let statement = &policy
            .statement_for(&SCOPE.parse()?)
            .ok_or_else(|| {
                Failure::message(Exit::NotConfigured, format!("no statement is for {SCOPE}"))
            })?
            .statement;
        let stores = DirectoryTrustStore::new(self.directories.trust_stores());
        let anchors = stores.read(statement.trust_stores())?.anchors;
        // The quickstart's certificates name nobody to ask.
        let evidence = Evidence::new();
        let offline = Revocation::Offline(&evidence);
        let verifier = Verifier::new(statement, &anchors, offline, self.now);
        let accepted = verifier.verify(layout, artifact).await?;
        let signer = accepted.accepted.signer().map(|signer| signer.subject().clone());
        let (Some(signer), Some(source)) = (signer, accepted.signature) else {
            let message = "the trust policy no longer verifies who signed";
            return Err(Failure::message(Exit::Rejected, message));
        };
        let listed = layout.list_signatures(artifact)?.signatures;
        let listed = listed.into_iter().find(|listed| listed.digest == source.manifest);
        let listed = listed.ok_or_else(|| Failure::message(Exit::Other, "signature is gone"))?;
        let manifest: Manifest = serde_json::from_slice(&layout.read(&listed)?)?;
        let (_, layer) = manifest
            .envelope()
            .ok_or_else(|| Failure::message(Exit::Other, "signature has no envelope"))?;
        Ok(Signed { signer, envelope: layout.read(layer)? })
    }

    async fn sign(
        &self,
        key: &dyn SigningKey,
        artifact: &Descriptor,
        chain: &CertificateChain,
    ) -> Result<Vec<u8>, Failure> {
        let payload = Payload::new(artifact.clone()).to_json();
        let attributes = SignedAttributes::new(self.now);
        let mut request = SignRequest::new(EnvelopeFormat::Jws, &payload, attributes);
        request.signing_agent = Some(crate::plugin::SIGNING_AGENT.to_owned());
        Ok(sign_envelope(key, chain, &request).await?)
    }
}

/// Takes a folder that is new or empty, or that an earlier run made.
fn claim(folder: &Path) -> Outcome {
    let marker = folder.join(MARKER);
    if marker.exists() {
        return Ok(());
    }
    if !fs::is_empty_folder(folder).map_err(|error| Failure::new(Exit::Usage, error))? {
        let message =
            format!("folder {} is not empty, and no quickstart made it", folder.display());
        return Err(Failure::message(Exit::Usage, message).hint("--to DIR takes another"));
    }
    let text = "Made by notation-kms quickstart, which takes no other folder that is not empty.\n";
    Ok(fs::write_atomic(&marker, text.as_bytes(), 0o644)?)
}

/// Packs the content as an OCI artifact; the same content gives the same digest.
fn pack(layout: &ImageLayout, content: &[u8]) -> Result<(Descriptor, Step), Failure> {
    let before = layout.resolve(TAG);
    let layer = layout.push_blob(LAYER_TYPE, content)?;
    layout.push_blob(EMPTY_MEDIA_TYPE, EMPTY_CONFIG)?;
    let artifact = layout.push_manifest(&Manifest::artifact(ARTIFACT_TYPE, layer), Some(TAG))?;
    let kept = before.is_ok_and(|before| before.digest == artifact.digest);
    Ok((artifact, if kept { Step::Kept } else { Step::Made }))
}

/// Changes one byte of the payload, and gives the reason for which the envelope is refused.
fn refuse_a_changed_byte(envelope: &[u8]) -> Result<String, Failure> {
    let mut changed: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(envelope)?;
    let payload = changed.get("payload").and_then(|payload| payload.as_str()).unwrap_or_default();
    let (first, rest) = payload.split_at_checked(4).unwrap_or_default();
    let other = if first == "eyJ0" { "eyJ1" } else { "eyJ0" };
    changed.insert("payload".to_owned(), format!("{other}{rest}").into());
    let bytes = serde_json::to_vec(&changed)?;
    match Envelope::parse(EnvelopeFormat::Jws, &bytes).and_then(Envelope::verify) {
        Err(error) => Ok(error.to_string()),
        Ok(_) => Err(Failure::message(
            Exit::Other,
            "a changed payload was accepted: do not use this build",
        )),
    }
}
