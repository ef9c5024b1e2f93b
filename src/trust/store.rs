//! Trust stores: folders of trusted certificates, read once into values
//! (trust-store-trust-policy.md, "Trust Store").

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs as std_fs, io,
    path::{Path, PathBuf},
};

use super::{StoreType, TrustStore};
use crate::{
    fs::{self, FileError},
    limits,
    x509::{BundleError, Certificate, Name, parse_bundle},
};

/// Trusted certificates, by the store that holds them. A chain is trusted where one of its certificates is
/// one of these, byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustAnchors {
    stores: BTreeMap<TrustStore, Vec<Certificate>>,
}

/// A folder of trust stores: `x509/TYPE/NAME/*.pem`, `.crt` and `.cer`.
#[derive(Debug, Clone)]
pub struct DirectoryTrustStore {
    root: PathBuf,
    follows_links: bool,
}

/// What was read, and what lies about beside it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadAnchors {
    /// The certificates.
    pub anchors: TrustAnchors,
    /// Folders and files that are passed over, each with its path.
    pub warnings: Vec<String>,
}

/// Why a trust store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The policy names a store that is not there.
    #[error("trust store {store} is missing: there is no folder {path}")]
    Missing {
        /// The store.
        store: TrustStore,
        /// Its folder.
        path: PathBuf,
    },
    /// No certificate in it.
    #[error("trust store {store} is empty: no file ending in .pem, .crt or .cer stands in {path}")]
    Empty {
        /// The store.
        store: TrustStore,
        /// Its folder.
        path: PathBuf,
    },
    /// A link, which the specification forbids.
    #[error("{0} is a symbolic link, which trust stores must not hold")]
    Link(PathBuf),
    /// A link that leads out of the trust store.
    #[error("{path} leads to {target}, out of the trust store")]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// More files than a store may have.
    #[error("trust store {store} has over {limit} files", limit = limits::TRUST_STORE_FILES)]
    TooManyFiles {
        /// The store.
        store: TrustStore,
    },
    /// A folder that cannot be read.
    #[error("folder {path} cannot be read")]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file without certificates.
    #[error("{path} holds no certificates")]
    NotCertificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BundleError,
    },
    /// A certificate that nobody is to be trusted for.
    #[error("{path}: certificate {subject} is {what}")]
    NotAnAnchor {
        /// The file.
        path: PathBuf,
        /// The certificate's subject.
        subject: Name,
        /// What it is.
        what: &'static str,
    },
}

impl TrustAnchors {
    /// No certificates: nothing is trusted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts a certificate in a store. For those who have no folder; nothing is checked.
    pub fn insert(&mut self, store: TrustStore, certificate: Certificate) {
        self.stores.entry(store).or_default().push(certificate);
    }

    /// The certificates of a store.
    #[must_use]
    pub fn certificates(&self, store: &TrustStore) -> &[Certificate] {
        self.stores.get(store).map(Vec::as_slice).unwrap_or_default()
    }
}

impl DirectoryTrustStore {
    /// The folder `truststore` of notation's configuration, or one laid out like it. Links are refused.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), follows_links: false }
    }

    /// Follows links that stay within the folder, as those of a mounted ConfigMap or Secret do. The
    /// specification has none.
    #[must_use]
    pub fn follow_links(self) -> Self {
        Self { follows_links: true, ..self }
    }

    /// The folder of a store.
    #[must_use]
    pub fn folder(&self, store: &TrustStore) -> PathBuf {
        self.folder_of(store.kind).join(&store.name)
    }

    /// The folder of all stores of a type.
    #[must_use]
    pub fn folder_of(&self, kind: StoreType) -> PathBuf {
        self.root.join("x509").join(kind.name())
    }

    /// Reads the stores that a policy names.
    ///
    /// # Errors
    /// [`StoreError`], at the first store that cannot be used: a store is trusted whole or not at all.
    pub fn read<'a>(
        &self,
        stores: impl IntoIterator<Item = &'a TrustStore>,
    ) -> Result<ReadAnchors, StoreError> {
        let mut read = ReadAnchors { anchors: TrustAnchors::new(), warnings: Vec::new() };
        for store in stores {
            if read.anchors.certificates(store).is_empty() {
                self.read_store(store, &mut read)?;
            }
        }
        Ok(read)
    }

    fn read_store(&self, store: &TrustStore, read: &mut ReadAnchors) -> Result<(), StoreError> {
        for path in self.entries(store)? {
            match self.read_entry(store.kind, &path)? {
                None => read.warnings.push(format!("{} is passed over", path.display())),
                Some(certificates) => {
                    for certificate in certificates {
                        read.anchors.insert(store.clone(), certificate);
                    }
                }
            }
        }
        if read.anchors.certificates(store).is_empty() {
            return Err(StoreError::Empty { store: store.clone(), path: self.folder(store) });
        }
        Ok(())
    }

    /// What stands in the folder of a store, by name.
    pub(crate) fn entries(&self, store: &TrustStore) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.folder(store);
        if !folder.is_dir() {
            return Err(StoreError::Missing { store: store.clone(), path: folder });
        }
        self.check_link(&folder)?;
        let io_error = |source| StoreError::Io { path: folder.clone(), source };
        let mut paths = Vec::new();
        for entry in std_fs::read_dir(&folder).map_err(io_error)? {
            let path = entry.map_err(io_error)?.path();
            if !is_version(&path) {
                paths.push(path);
            }
            if paths.len() > limits::TRUST_STORE_FILES {
                return Err(StoreError::TooManyFiles { store: store.clone() });
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// The certificates of what stands in a store; `None`: it is passed over.
    pub(crate) fn read_entry(
        &self,
        kind: StoreType,
        path: &Path,
    ) -> Result<Option<Vec<Certificate>>, StoreError> {
        self.check_link(path)?;
        if path.is_dir() || !Self::is_read(path) {
            return Ok(None);
        }
        let bytes = fs::read_regular(path, limits::CERTIFICATE_FILE_BYTES)?;
        Self::parse(kind, path, &bytes).map(Some)
    }

    /// Whether a file of that name is read, and not passed over.
    pub(crate) fn is_read(path: &Path) -> bool {
        let is_certificate = |extension: &OsStr| {
            ["pem", "crt", "cer"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        };
        path.extension().is_some_and(is_certificate) && !is_version(path)
    }

    /// The certificates of a file, once each is one that somebody may be trusted for.
    pub(crate) fn parse(
        kind: StoreType,
        path: &Path,
        bytes: &[u8],
    ) -> Result<Vec<Certificate>, StoreError> {
        let certificates = parse_bundle(bytes)
            .map_err(|source| StoreError::NotCertificates { path: path.to_owned(), source })?;
        for certificate in &certificates {
            let what = match kind {
                StoreType::Tsa if !certificate.is_self_issued() => Some("no root"),
                _ if certificate.is_ca() || certificate.is_self_signed() => None,
                _ => Some("neither a CA's nor self-signed"),
            };
            if let Some(what) = what {
                let (path, subject) = (path.to_owned(), certificate.subject().clone());
                return Err(StoreError::NotAnAnchor { path, subject, what });
            }
        }
        Ok(certificates)
    }

    /// Refuses a link, or one that leads out of the trust store: also above a store, and not above the folder of all.
    pub(crate) fn check_link(&self, path: &Path) -> Result<(), StoreError> {
        let Some(link) = self.first_link(path)? else { return Ok(()) };
        if !self.follows_links {
            return Err(StoreError::Link(link));
        }
        let canonical = |path: &Path| {
            std_fs::canonicalize(path)
                .map_err(|source| StoreError::Io { path: path.to_owned(), source })
        };
        let target = canonical(path)?;
        if target.starts_with(canonical(&self.root)?) {
            return Ok(());
        }
        Err(StoreError::LinkOutside { path: path.to_owned(), target })
    }

    fn first_link(&self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        let below = path.ancestors().take_while(|path| *path != self.root);
        let mut below: Vec<&Path> = below.collect();
        below.reverse();
        for path in below {
            let io_error = |source| StoreError::Io { path: path.to_owned(), source };
            if std_fs::symlink_metadata(path).map_err(io_error)?.file_type().is_symlink() {
                return Ok(Some(path.to_owned()));
            }
        }
        Ok(None)
    }
}

/// A mounted ConfigMap keeps its versions in folders that begin with two dots.
fn is_version(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
}
