//! `copy`

mod place;

use std::{collections::BTreeSet, fmt};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    Outcome,
    args::{MaxSignatures, OutputArgs},
    artifact::OpenArtifact,
    block_on,
    failure::{Exit, Failure},
    list::UnreadableRow,
    output,
    registry::{Registries, RegistryArgs},
    results::Entry,
    verify::{Judge, JudgeArgs},
};
use crate::{
    limits,
    oci::{
        DOCKER_LIST_MEDIA_TYPE, DOCKER_MANIFEST_MEDIA_TYPE, Descriptor, Digest, INDEX_MEDIA_TYPE,
        MANIFEST_MEDIA_TYPE, Manifest,
    },
    registry::{
        Content, Listing, RepositoryError, RepositoryErrorKind, Unreadable, tree::manifests_below,
    },
    verify::{Refusal, SignatureSource, read_signature},
};
use place::{Carried, Place};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The artifact, as `verify` takes it
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Where to: REGISTRY/REPOSITORY or REGISTRY/REPOSITORY:TAG; with --to-oci-layout PATH or PATH:TAG, a folder that is
    /// made where there is none
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// The source is an image layout in a folder
    #[arg(long)]
    from_oci_layout: bool,
    /// The destination is an image layout in a folder
    #[arg(long)]
    to_oci_layout: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    /// List the signatures in indexes at referrers tags also where the registry has the referrers API
    #[arg(long, conflicts_with = "to_oci_layout")]
    force_referrers_tag: bool,
    #[command(flatten)]
    judging: JudgeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    source: String,
    destination: String,
    artifact: String,
    /// Who signed; `null` where the policy does not find out.
    signer: Option<String>,
    /// Of the artifact and all that it lists.
    manifests: usize,
    blobs: Blobs,
    /// Signature manifests.
    signatures: Vec<Digest>,
    /// What is or may be a signature, and could not be read.
    unreadable: Vec<UnreadableRow>,
}

/// How blobs came there.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blobs {
    copied: usize,
    /// Taken by the registry from another of its repositories.
    mounted: usize,
    /// There already.
    present: usize,
    /// Of other hosts, by their manifests: left where they are.
    foreign: usize,
    copied_bytes: u64,
}

/// The blobs that a manifest names.
#[derive(Deserialize)]
struct Names {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let source = Registries::new(&self.registry, false);
        let destination = Registries::new(&self.registry, self.force_referrers_tag);
        let judge = Judge::new(&self.judging, source.artifacts(self.from_oci_layout))?;
        let scope = judge.scope(&self.source)?;
        block_on(async {
            let (from, wanted) = Place::open(&self.source, self.from_oci_layout, &source)?;
            let descriptor = from.resolve(wanted.as_deref()).await?;
            let artifact = OpenArtifact::in_place(from.repository(), descriptor, from.name());
            let before = judge.verify_artifact(&scope, &artifact, None).await?;
            if before.exit().is_some() {
                output::note("nothing was copied: the source is not accepted");
                return before.conclude(self.output.format);
            }
            let (to, tag) =
                Place::open_to_write(&self.destination, self.to_oci_layout, &destination)?;
            if let Some(Ok(digest)) = tag.as_deref().map(str::parse::<Digest>)
                && digest != artifact.descriptor.digest
            {
                let message = format!("{} has not the digest {digest}", self.source);
                return Err(Failure::message(Exit::Usage, message));
            }
            let mut copy = Copy {
                from: &from,
                to: &to,
                max: judge.max_signatures(),
                accepted: before.accepted_signature(),
                report: Report::default(),
            };
            copy.artifact(&artifact).await?;
            let copied =
                OpenArtifact::in_place(to.repository(), artifact.descriptor.clone(), to.name());
            copy.check(&copied).await?;
            let after = judge.verify_artifact(&scope, &copied, None).await?;
            if after.exit().is_some() {
                output::note("the copy is not accepted, as its source was, and has no tag");
                return after.conclude(self.output.format);
            }
            to.name_manifest(&artifact.descriptor, tag.as_deref()).await?;
            let report = Report {
                source: artifact.to_string(),
                destination: copied.to_string(),
                artifact: artifact.descriptor.digest.to_string(),
                signer: after.signer(),
                ..copy.report
            };
            output::data(self.output.format, &report)
        })?
    }
}

/// What is copied so far.
struct Copy<'a> {
    from: &'a Place,
    to: &'a Place,
    max: &'a MaxSignatures,
    /// The signature for which the source is accepted.
    accepted: Option<&'a str>,
    report: Report,
}

impl Copy<'_> {
    /// Copies what an artifact lists, the artifact, and then the signatures of all. Nothing gets a name.
    async fn artifact(&mut self, artifact: &OpenArtifact) -> Outcome {
        let nodes = manifests_below(artifact.repository.as_ref(), &artifact.descriptor).await?;
        for node in &nodes {
            self.manifest(&node.descriptor, false).await?;
        }
        for node in &nodes {
            self.signatures(&artifact.beside(node.descriptor.clone())).await?;
        }
        self.report.manifests = nodes.len();
        Ok(())
    }

    /// Copies the signatures of an artifact, but for those that cannot be read: they prove nothing there either.
    async fn signatures(&mut self, artifact: &OpenArtifact) -> Outcome {
        let OpenArtifact { repository, descriptor, .. } = artifact;
        let Listing { mut signatures, unreadable } = repository.signatures(descriptor).await?;
        unreadable.into_iter().for_each(|unreadable| self.leave_out(unreadable));
        signatures.sort_by_key(|listed| Some(listed.digest.as_str()) != self.accepted);
        self.max.cut(&mut signatures);
        for signature in signatures {
            match read_whole(artifact, &signature).await {
                Ok(()) => {
                    self.manifest(&signature, true).await?;
                    self.report.signatures.push(signature.digest);
                }
                Err(error) if may_be_read_later(&error) => return Err(error.into()),
                Err(error) => {
                    self.leave_out(Unreadable::new(&signature, error));
                }
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, unreadable: Unreadable) {
        let unreadable = UnreadableRow::new(unreadable);
        output::note(&format!("warning: {unreadable}; it is not copied"));
        self.report.unreadable.push(unreadable);
    }

    /// Copies what a manifest names, and then the manifest.
    async fn manifest(&mut self, descriptor: &Descriptor, is_listed: bool) -> Outcome {
        let repository = self.from.repository();
        let bytes = repository.read(descriptor, Content::Manifest).await?;
        match descriptor.media_type.as_str() {
            INDEX_MEDIA_TYPE | DOCKER_LIST_MEDIA_TYPE => {}
            MANIFEST_MEDIA_TYPE | DOCKER_MANIFEST_MEDIA_TYPE => self.blobs(&bytes).await?,
            other => {
                let message = format!(
                    "manifest {} is of the media type {other:?}, which is not copied",
                    descriptor.digest
                );
                return Err(Failure::message(Exit::Usage, message));
            }
        }
        self.to.put_manifest(descriptor, &bytes, is_listed).await
    }

    /// Copies the blobs of a manifest, some at a time.
    async fn blobs(&mut self, manifest: &[u8]) -> Outcome {
        let names: Names = serde_json::from_slice(manifest)
            .map_err(|error| Failure::new(Exit::Rejected, error).context("manifest is none"))?;
        let mut seen = BTreeSet::new();
        let mut wanted = Vec::new();
        for blob in names.config.into_iter().chain(names.layers) {
            if is_foreign(&blob.media_type) {
                self.report.blobs.foreign += 1;
            } else if seen.insert(blob.digest.clone()) {
                wanted.push(blob);
            }
        }
        let (from, to) = (self.from, self.to);
        let carried: Vec<(Carried, u64)> = stream::iter(wanted)
            .map(|blob| async move { Ok::<_, Failure>((to.carry(&blob, from).await?, blob.size)) })
            .buffer_unordered(limits::BLOBS_AT_A_TIME)
            .try_collect()
            .await?;
        let blobs = &mut self.report.blobs;
        for (how, size) in carried {
            match how {
                Carried::Present => blobs.present += 1,
                Carried::Mounted => blobs.mounted += 1,
                Carried::Copied => {
                    blobs.copied += 1;
                    blobs.copied_bytes = blobs.copied_bytes.saturating_add(size);
                }
            }
        }
        Ok(())
    }

    /// Shows that the artifact is there, and that every signature that was copied is listed.
    async fn check(&self, copied: &OpenArtifact) -> Outcome {
        copied.check().await?;
        let repository = copied.repository.as_ref();
        let mut listed = BTreeSet::new();
        for node in manifests_below(repository, &copied.descriptor).await? {
            let listing = repository.signatures(&node.descriptor).await?;
            listed.extend(listing.signatures.into_iter().map(|signature| signature.digest));
        }
        match self.report.signatures.iter().find(|signature| !listed.contains(signature)) {
            None => Ok(()),
            Some(lost) => {
                let message =
                    format!("signature {lost} was copied to {copied}, and is not listed there");
                Err(Failure::message(Exit::Other, message).hint("copy it again"))
            }
        }
    }
}

/// Reads what a signature is made of, so that one that is broken is not half copied.
async fn read_whole(
    artifact: &OpenArtifact,
    signature: &Descriptor,
) -> Result<(), RepositoryError> {
    let repository = artifact.repository.as_ref();
    let bad = |error: Refusal| RepositoryError::new(RepositoryErrorKind::BadContent, error);
    let mut source = SignatureSource::new(signature.digest.clone());
    let read = read_signature(repository, &artifact.descriptor, signature, &mut source).await;
    read.map_err(|refusal| match refusal {
        Refusal::Unreadable(error) => error,
        refusal => bad(refusal),
    })?;
    let bytes = repository.read(signature, Content::Manifest).await?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| bad(Refusal::NotAManifest(error)))?;
    repository.read(&manifest.config, Content::Blob).await?;
    Ok(())
}

fn may_be_read_later(error: &RepositoryError) -> bool {
    matches!(error.kind(), RepositoryErrorKind::Denied | RepositoryErrorKind::Unavailable)
}

/// Layers that must not be handed on, which registries do not hold.
fn is_foreign(media_type: &str) -> bool {
    media_type.contains(".nondistributable.") || media_type.contains(".foreign.")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, manifests, blobs, signatures, unreadable, .. } = self;
        writeln!(f, "copied: {source}\n    to: {destination}")?;
        let Blobs { copied, mounted, present, foreign, copied_bytes } = blobs;
        writeln!(
            f,
            "  {manifests} manifests, {copied} blobs ({copied_bytes} bytes), {mounted} blobs mounted, {present} \
             there already, {foreign} of other hosts",
        )?;
        write!(f, "  {} signatures", signatures.len())?;
        if !unreadable.is_empty() {
            write!(f, ", {} that cannot be read left out", unreadable.len())?;
        }
        match &self.signer {
            Some(signer) => write!(f, ", verified before and after: signed by {signer}"),
            None => write!(f, ", accepted before and after"),
        }
    }
}
