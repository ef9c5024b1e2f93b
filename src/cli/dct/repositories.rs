//! Which repositories a command is about.

use std::{
    collections::BTreeSet,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        failure::{Exit, Failure},
        output,
    },
    dct::Gun,
    fs, limits,
};

// The ways to name repositories, beside naming them one by one.
#[derive(Debug, clap::Args)]
pub(super) struct RepositoryArgs {
    /// Repositories, such as docker.io/acme/app; alpine is short for docker.io/library/alpine
    #[arg(value_name = "GUN")]
    names: Vec<String>,
    /// Take names as they are: notary's own clients know repositories that docker has no names for
    #[arg(long)]
    exact: bool,
    /// A file of repositories, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// A file of image references, as kubectl prints them; - for standard input
    #[arg(long, value_name = "FILE")]
    images_from: Option<PathBuf>,
    /// Every repository that the notary server has ever heard of (its changefeed); not Docker Hub's
    #[arg(long)]
    pub(super) all: bool,
    /// Every repository in the catalog of a registry, such as registry.example.com
    #[arg(long, value_name = "REGISTRY")]
    pub(super) catalog: Option<String>,
}

/// What cannot be asked for a list of its repositories, and what to do instead.
pub(super) fn hub_cannot_be_listed() -> Failure {
    let message = "Docker Hub has no list of its repositories, and neither has its notary server";
    Failure::message(Exit::Usage, message).hint(
        "a server of your own is named by --server; else name the repositories, put them into a file \
         (--from-file), or take the images that you run: \
         kubectl get pods -A -o jsonpath='{..image}' | notation-kms dct export --images-from -",
    )
}

impl RepositoryArgs {
    /// The repositories that are named here, each once, in order.
    pub(super) fn named(&self) -> Result<Vec<Gun>, Failure> {
        let mut guns = Vec::new();
        for name in &self.names {
            guns.push(self.gun(name)?);
        }
        if let Some(file) = &self.from_file {
            let text = read(file)?;
            for line in text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                guns.push(self.gun(line)?);
            }
        }
        if let Some(file) = &self.images_from {
            let text = read(file)?;
            for image in images(&text) {
                match Gun::from_image(image) {
                    Ok(gun) => guns.push(gun),
                    Err(error) => output::note(&format!("passed over: {error}")),
                }
            }
        }
        Ok(unique(guns))
    }

    /// Whether nothing says which repositories are meant.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
            && self.from_file.is_none()
            && self.images_from.is_none()
            && !self.all
            && self.catalog.is_none()
    }

    fn gun(&self, name: &str) -> Result<Gun, Failure> {
        let gun = if self.exact { name.parse() } else { Gun::from_repository(name) };
        gun.map_err(|error| Failure::new(Exit::Usage, error))
    }
}

/// References between white space, quotes and commas; an image id is none.
fn images(text: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || "\"',[]".contains(c);
    text.split(separates).filter(|word| !word.is_empty() && !word.starts_with("sha256:"))
}

/// Each once, in the order of their first appearance.
pub(super) fn unique(guns: Vec<Gun>) -> Vec<Gun> {
    let mut seen = BTreeSet::new();
    guns.into_iter().filter(|gun| seen.insert(gun.clone())).collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let one_more = u64::try_from(limits::NAME_LIST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        std::io::stdin().take(one_more).read_to_end(&mut bytes)?;
        bytes
    } else {
        fs::read_bounded(file, limits::NAME_LIST_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?
    };
    if bytes.len() > limits::NAME_LIST_BYTES {
        let message =
            format!("standard input is over the limit of {} bytes", limits::NAME_LIST_BYTES);
        return Err(Failure::message(Exit::Usage, message));
    }
    // Some editors begin a file with a byte order mark.
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).to_vec();
    String::from_utf8(text)
        .map_err(|_| Failure::message(Exit::Usage, format!("{} is not UTF-8 text", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_kubectl_prints_them() {
        let printed = "nginx:1.25 docker.io/acme/app@sha256:00\n\"quay.io/a/b:1\",'c'\nsha256:0011";
        let read: Vec<&str> = images(printed).collect();
        assert_eq!(read, ["nginx:1.25", "docker.io/acme/app@sha256:00", "quay.io/a/b:1", "c"]);
    }
}
