//! An image verifier for containerd: a program in `bin_dir` that containerd runs before it pulls an image.
//!
//! containerd gives `-name REFERENCE -digest DIGEST -stdin-media-type TYPE` and the image's descriptor on standard
//! input. Exit code 0 allows the pull, any other blocks it, and what is printed is the reason (containerd,
//! docs/image-verification.md). This one looks for signatures in an image layout, a mirror of what is signed:
//!
//! ```text
//! NOTATION_LAYOUT=/srv/signatures NOTATION_CONFIG=/etc/notation containerd_verifier -name … -digest … < descriptor
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a program, with a clock, files and an output of its own"
)]

use std::{env, error::Error, io, path::PathBuf, process::ExitCode};

use notation_sdk::{
    oci::Descriptor,
    registry::layout::ImageLayout,
    revocation::Evidence,
    trust::{DirectoryTrustStore, OciPolicy, PolicyFile, PolicyKind, RegistryScope},
    verify::{Accepted, Revocation, Verifier},
};
use time::UtcDateTime;

const DESCRIPTOR_TYPE: &str = "application/vnd.oci.descriptor.v1+json";

fn main() -> ExitCode {
    match judge() {
        Ok(reason) => {
            println!("{reason}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let mut reason = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                reason.push_str(&format!(": {error}"));
                cause = error.source();
            }
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Why the image may be pulled.
fn judge() -> Result<String, Box<dyn Error>> {
    let image = Image::read()?;
    let configuration = folder("NOTATION_CONFIG")?;
    let file = PolicyFile::in_force(&configuration, PolicyKind::Oci)?
        .ok_or_else(|| format!("there is no trust policy in {}", configuration.display()))?;
    let parsed = OciPolicy::parse(&file.bytes)?;
    // Nobody reads a warning here, and a member that is misspelt does not ask for what it was written for.
    if let Some(problem) = parsed.unknown.first() {
        return Err(format!("{}: {problem}", file.path.display()).into());
    }
    let found = parsed
        .policy
        .statement_for(&image.repository)
        .ok_or_else(|| format!("no statement of the trust policy is for {}", image.repository))?;
    let stores = DirectoryTrustStore::new(configuration.join("truststore"));
    let anchors = stores.read(found.statement.trust_stores())?.anchors;
    let layout = ImageLayout::open(folder("NOTATION_LAYOUT")?)?;
    let (evidence, now) = (Evidence::new(), UtcDateTime::now());
    let offline = Revocation::Offline(&evidence);
    let verifier = Verifier::new(&found.statement, &anchors, offline, now);
    Ok(match verifier.verify_layout(&layout, &image.descriptor)?.accepted {
        Accepted::Verified(verified) => format!("signed by {}", verified.signer().subject()),
        Accepted::Skipped(_) => "the trust policy skips it".to_owned(),
        _ => "accepted by a policy that only logs what failed".to_owned(),
    })
}

/// What containerd asks about.
struct Image {
    repository: RegistryScope,
    descriptor: Descriptor,
}

impl Image {
    fn read() -> Result<Self, Box<dyn Error>> {
        let (mut name, mut digest, mut media_type) = (None, None, None);
        let mut arguments = env::args().skip(1);
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} has no value"))?;
            match flag.trim_start_matches('-') {
                "name" => name = Some(value),
                "digest" => digest = Some(value),
                "stdin-media-type" => media_type = Some(value),
                _ => return Err(format!("unknown flag {flag}").into()),
            }
        }
        if media_type.as_deref() != Some(DESCRIPTOR_TYPE) {
            return Err(format!("standard input is not of type {DESCRIPTOR_TYPE}").into());
        }
        let descriptor: Descriptor = serde_json::from_reader(io::stdin().lock())?;
        if digest.as_deref() != Some(descriptor.digest.as_str()) {
            return Err("-digest is not the descriptor's".into());
        }
        let name = name.ok_or("-name is missing")?;
        Ok(Self { repository: repository_of(&name).parse()?, descriptor })
    }
}

/// A reference without its digest and tag.
fn repository_of(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("{variable} is not set"))
}
