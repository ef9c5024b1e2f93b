//! The keys and certificates of a quickstart. No key is ever replaced or removed, whoever made it.

use std::path::{Path, PathBuf};

use time::{Duration, UtcDateTime};

use super::Step;
use crate::{
    algorithm::KeySpec,
    cli::failure::{Exit, Failure},
    fs,
    keys::{SigningKey, file::FileKey},
    limits,
    pki::{CertificateTemplate, Issuer},
    x509::{CertificateChain, Name, Purpose, parse_bundle, to_pem},
};

const SIGNING: &str = "signing";

/// A folder with a root, an issuing CA and a code-signing certificate, each with its key.
pub(super) struct Hierarchy {
    folder: PathBuf,
    pub(super) chain: CertificateChain,
    step: Step,
}

impl Hierarchy {
    /// That of an earlier run, where it can still be used; else a new one, beside which the earlier one
    /// is kept.
    pub(super) async fn open_or_create(
        folder: PathBuf,
        subject: Name,
        now: UtcDateTime,
    ) -> Result<Self, Failure> {
        if !fs::is_empty_folder(&folder)? {
            match earlier_chain(&folder, now).await {
                Ok(chain) => return Ok(Self { folder, chain, step: Step::Kept }),
                Err(reason) => set_aside(&folder, &reason)?,
            }
        }
        let chain = create(&folder, subject, now).await?;
        Ok(Self { folder, chain, step: Step::Made })
    }

    pub(super) const fn step(&self) -> Step {
        self.step
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the chain: leaf, issuing CA, root.
    pub(super) fn chain_path(&self) -> PathBuf {
        chain_path(&self.folder)
    }

    /// The file of the leaf's key.
    pub(super) fn key_path(&self) -> PathBuf {
        key_path(&self.folder, SIGNING)
    }
}

fn chain_path(folder: &Path) -> PathBuf {
    folder.join("chain.pem")
}

fn key_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.key.pem"))
}

/// The chain of an earlier run, or why nothing can be signed with it now.
async fn earlier_chain(folder: &Path, now: UtcDateTime) -> Result<CertificateChain, Failure> {
    let bytes = fs::read_bounded(&chain_path(folder), limits::CERTIFICATE_FILE_BYTES)?;
    let chain = CertificateChain::from_ordered(parse_bundle(&bytes)?)?;
    chain.verify(Purpose::CodeSigning)?;
    chain.check_validity(now)?;
    let key = FileKey::from_pem_file(&key_path(folder, SIGNING))?;
    if key.public_key().await? != *chain.leaf().public_key() {
        let message = "the chain's leaf certificate is of another key";
        return Err(Failure::message(Exit::Rejected, message));
    }
    Ok(chain)
}

/// Renames the folder to the first name that is free.
fn set_aside(folder: &Path, reason: &Failure) -> Result<(), Failure> {
    let mut names = (1..).map(|n: u32| folder.with_extension(format!("old-{n}")));
    let aside = names.find(|aside| !aside.exists()).unwrap_or_default();
    fs::rename(folder, &aside)?;
    let what = format!("keys of an earlier run, which cannot be used: {}", reason.one_line());
    Step::Kept.tell(&what, &aside)
}

async fn create(
    folder: &Path,
    subject: Name,
    now: UtcDateTime,
) -> Result<CertificateChain, Failure> {
    let new_key = |name| new_key(&key_path(folder, name));
    let [root_key, issuing_key, signing_key] =
        [new_key("root")?, new_key("issuing")?, new_key(SIGNING)?];
    let years = |n: i64| (now, now + Duration::days(365 * n));
    let root = ca("Quickstart root", years(10), 1)?.issue(&root_key, Issuer::Itself).await?;
    let by_root = Issuer::Ca(&root, &root_key);
    let issuing = ca("Quickstart issuing CA", years(5), 0)?.issue(&issuing_key, by_root).await?;
    let by_issuing = Issuer::Ca(&issuing, &issuing_key);
    let leaf = CertificateTemplate::code_signing(subject, years(1))
        .issue(&signing_key, by_issuing)
        .await?;
    let chain = CertificateChain::from_ordered(vec![leaf, issuing, root])?;
    fs::write_new(&chain_path(folder), to_pem(&chain).as_bytes(), 0o644)?;
    Ok(chain)
}

fn new_key(path: &Path) -> Result<FileKey, Failure> {
    let (pem, key) = FileKey::generate(KeySpec::Ec256)?;
    fs::write_new(path, pem.as_bytes(), 0o600)?;
    Ok(key)
}

fn ca(
    common_name: &str,
    validity: (UtcDateTime, UtcDateTime),
    path_length: u8,
) -> Result<CertificateTemplate, Failure> {
    let subject: Name =
        format!("CN={common_name},O=Notation Quickstart,ST=WA,C=US").parse::<Name>()?;
    Ok(CertificateTemplate::ca(subject, validity, path_length))
}
