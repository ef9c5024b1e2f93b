//! Evidence of revocation in files.

use std::{
    ffi::OsStr,
    fs as std_fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use time::UtcDateTime;

use crate::{
    cli::{
        args::Span,
        failure::{Exit, Failure},
        output,
    },
    fs, limits,
    revocation::{CrlEvidence, Evidence, FetchFailure, FetchFailureKind, crls_of_file},
    verify::Record,
    x509::Rfc3339,
};

/// Reads files and folders. What is older than `max_age` at that time does not count, and says so; but what a CRL
/// revokes stays revoked.
pub(super) fn read(
    paths: &[PathBuf],
    max_age: Option<Duration>,
    at: UtcDateTime,
) -> Result<Evidence, Failure> {
    let mut evidence = Evidence::new();
    for path in paths {
        if path.is_dir() {
            for file in files(path)? {
                evidence.merge(read_file(&file)?);
            }
        } else {
            evidence.merge(read_file(path)?);
        }
    }
    if let Some(max_age) = max_age {
        for crl in &mut evidence.crls {
            if let Some(too_old) = too_old(crl.fetched_at, max_age, at) {
                warn(&crl.url, "does not count, but for what it revokes", &too_old);
                crl.too_old = Some(too_old);
            }
        }
        for one in &mut evidence.ocsp {
            if let Some(too_old) = too_old(one.fetched_at, max_age, at) {
                warn(&one.url, "does not count", &too_old);
                one.answer = one.answer.clone().and(Err(too_old));
            }
        }
    }
    Ok(evidence)
}

/// Why an answer is too old, where it is.
fn too_old(fetched_at: UtcDateTime, max_age: Duration, at: UtcDateTime) -> Option<FetchFailure> {
    // What says that it is from the future does not say how old it is.
    if fetched_at <= at && at - fetched_at <= max_age {
        return None;
    }
    let (of, max_age) = (Rfc3339(fetched_at), Span(max_age));
    let why = format!("it is of {of}, over {max_age} old or from the future");
    Some(FetchFailure::new(FetchFailureKind::TooOld, why))
}

fn warn(url: &str, what: &str, too_old: &FetchFailure) {
    output::note(&format!("warning: evidence of {url} {what}: {}", too_old.message));
}

/// The files of a folder, by name. What begins with a dot is nobody's evidence, and neither is what says by its name
/// that it is there for people.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| {
        Failure::new(Exit::Usage, error)
            .context(format!("folder {} cannot be read", folder.display()))
    };
    let mut files = Vec::new();
    for entry in std_fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !path.is_file() || is_hidden {
            continue;
        }
        if is_for_people(&path) {
            output::note(&format!(
                "warning: {} is passed over: by its name, it is no evidence",
                path.display()
            ));
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file is a README or a text, which whoever fills a folder may put beside evidence.
fn is_for_people(path: &Path) -> bool {
    let lower = |part: Option<&OsStr>| part.unwrap_or_default().to_ascii_lowercase();
    let (name, extension) = (lower(path.file_stem()), lower(path.extension()));
    name == "readme" || extension == "txt" || extension == "md"
}

/// A document of `revocation fetch`, a record of `verify`, or CRLs in DER or PEM, which are as old as their file.
fn read_file(path: &Path) -> Result<Evidence, Failure> {
    let usage = |failure: Failure| failure.context(format!("{} is no evidence", path.display()));
    let bytes = fs::read_regular(path, limits::EVIDENCE_FILE_BYTES)
        .map_err(|error| usage(Failure::new(Exit::Usage, error)))?;
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let evidence = serde_json::from_slice(&bytes);
        // A record of a verification holds evidence too. What is neither is told as evidence that is none.
        return evidence.or_else(|error| match Record::from_json(&bytes) {
            Ok(record) => Ok(record.evidence),
            Err(_) => Err(usage(Failure::new(Exit::Usage, error))),
        });
    }
    let crls = crls_of_file(bytes).map_err(|error| usage(Failure::new(Exit::Usage, error)))?;
    let (name, written_at) = (path.display().to_string(), written_at(path)?);
    let mut evidence = Evidence::new();
    let of_file = |der| CrlEvidence::of_file(name.as_str(), written_at, der);
    evidence.crls.extend(crls.into_iter().map(of_file));
    Ok(evidence)
}

fn written_at(path: &Path) -> Result<UtcDateTime, Failure> {
    let modified = std_fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = modified.ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    let time = seconds.and_then(|seconds| UtcDateTime::from_unix_timestamp(seconds).ok());
    time.ok_or_else(|| {
        Failure::message(Exit::Usage, format!("file {} has no time", path.display()))
    })
}
