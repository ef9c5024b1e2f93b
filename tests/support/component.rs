//! Where a component is, and what becomes of a test whose component is not there.

use std::{
    env,
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
    thread,
};

/// A program of somebody else's that tests run against. `tools/setup.sh test` installs them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Component {
    /// The AWS KMS API.
    Ministack,
    /// A tar that reads names and headers in its own way.
    Bsdtar,
    /// Fetches without this program.
    Curl,
    /// A registry without the referrers API.
    DockerRegistry,
    /// The notation CLI, or the project's own peer of it.
    Notation,
    /// Server, signer and client of Docker Content Trust.
    Notary,
    /// An enterprise's CA, with OCSP and CRLs.
    Openbao,
    /// Reader of keys, certificates and raw signatures.
    Openssl,
    /// Reader of referrers.
    Oras,
    /// Runs what archives bring along to check them.
    Python,
    /// go-containerregistry's registry, with the referrers API.
    GoRegistry,
    /// Reader and writer of image layouts and registries.
    Skopeo,
    /// Sees which functions a program enters.
    Valgrind,
}

impl Component {
    /// Name, as in `$CACHE/missing`.
    const fn name(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            // Debian's package of it.
            Self::Bsdtar => "libarchive-tools",
            Self::Curl => "curl",
            Self::DockerRegistry => "docker-registry",
            Self::Notation => "notation",
            Self::Notary => "notary",
            Self::Openbao => "openbao",
            Self::Openssl => "openssl",
            Self::Oras => "oras",
            Self::Python => "python3",
            Self::GoRegistry => "go-registry",
            Self::Skopeo => "skopeo",
            Self::Valgrind => "valgrind",
        }
    }

    /// The program, or `None` after the running test was reported as skipped.
    ///
    /// # Panics
    /// Where the component is missing and `CI=true`: there, a skipped test is a failed one.
    pub(crate) fn or_skip(self) -> Option<PathBuf> {
        let found = self.find();
        if found.is_none() {
            self.report_skipped();
        }
        found
    }

    fn find(self) -> Option<PathBuf> {
        let cached = |path: &str| Some(cache()?.join(path)).filter(|program| program.is_file());
        match self {
            Self::Ministack => cached("venv/installed").and_then(|_| cached("venv/bin/ministack")),
            Self::Openbao => cached("openbao/installed").and_then(|_| cached("openbao/bin/bao")),
            Self::Bsdtar => on_path("bsdtar"),
            Self::Oras => on_path("oras").or_else(|| cached("bin/oras")),
            Self::GoRegistry => cached("bin/go-registry"),
            Self::Notation => match variable("NOTATION") {
                Some(program) => Some(PathBuf::from(program)).filter(|program| program.is_file()),
                None => on_path("notation").or_else(|| cached("bin/notation-peer")),
            },
            Self::Curl
            | Self::DockerRegistry
            | Self::Notary
            | Self::Openssl
            | Self::Python
            | Self::Skopeo
            | Self::Valgrind => on_path(self.name()),
        }
    }

    fn report_skipped(self) {
        // libtest names a test's thread after the test.
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let line =
            format!("skipped: {test}: {} is not installed: {}\n", self.name(), self.why_missing());
        assert!(variable("CI").is_none_or(|ci| ci != "true"), "{line}");

        // Not eprint!, which libtest keeps to itself as long as the test passes.
        io::stderr().write_all(line.as_bytes()).unwrap();
        if let Some(log) = variable("NOTATION_SDK_SKIPPED") {
            let mut log = OpenOptions::new().create(true).append(true).open(log).unwrap();
            log.write_all(line.as_bytes()).unwrap();
        }
    }

    /// What the set-up said, if it ran.
    fn why_missing(self) -> String {
        cache()
            .and_then(|cache| fs::read_to_string(cache.join("missing").join(self.name())).ok())
            .map_or_else(
                || "run `tools/setup.sh test`".to_owned(),
                |reason| reason.trim().to_owned(),
            )
    }
}

/// The set-up's cache folder, found as tools/setup.sh finds it.
fn cache() -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from);
    folder("NOTATION_SDK_CACHE")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("notation-sdk")))
        .or_else(|| Some(folder("HOME")?.join(".cache/notation-sdk")))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|program| program.is_file())
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
