//! This machine: variables, settings, keys and trust data.

use std::{
    fs::{FileType, metadata, read_dir},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{
    report::Row,
    walk::{Walk, shown},
};
use crate::{
    config,
    dct::audit::{RULES, Rule},
    dct::repositories_below,
    fs, limits,
};

/// The rules about what lies in a trust folder, by name.
const KEY_RULE: &str = "TrustKey";
const DATA_RULE: &str = "TrustData";

/// How deep keys lie below `private`: older clients have `tuf_keys/GUN/ID.key`.
const KEY_DEPTH: usize = 12;

/// Looks at this machine.
pub(super) fn audit(walk: &mut Walk<'_>) {
    variables(walk);
    let files = config::docker_settings().into_iter().chain(config::shell_profiles());
    for path in files {
        match kind(walk, &path) {
            Some(found) if found.is_dir() => {
                let mut below = children(walk, &path);
                below.sort();
                for path in below {
                    if kind(walk, &path).is_some_and(|kind| kind.is_file()) {
                        walk.file(&path);
                    }
                }
            }
            Some(_) => walk.file(&path),
            None => {}
        }
    }
    for folder in config::trust_folders() {
        keys(walk, &folder);
        trust_data(walk, &folder);
    }
}

fn variables(walk: &mut Walk<'_>) {
    for (name, value) in config::variables_like(&["DOCKER_CONTENT_TRUST", "NOTARY_"]) {
        let Some(rule) = walk.auditor().variable(&name, &value) else { continue };
        // The others are passphrases, credentials and addresses of databases.
        let is_plain = ["DOCKER_CONTENT_TRUST", "DOCKER_CONTENT_TRUST_SERVER"].contains(&&*name);
        let value = if is_plain { &value } else { "***" };
        walk.add(rule, Row::of_file("environment".to_owned(), rule, format!("{name}={value}")));
    }
}

fn keys(walk: &mut Walk<'_>, folder: &Path) {
    let Some(rule) = rule(KEY_RULE) else { return };
    let mut folders = vec![(folder.join("private"), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for path in children(walk, &folder) {
            let is_folder = kind(walk, &path).is_some_and(|kind| kind.is_dir());
            if is_folder && depth < KEY_DEPTH && !path.is_symlink() {
                folders.push((path, depth.saturating_add(1)));
            } else if path.extension().is_some_and(|ending| ending == "key") {
                match fs::read_regular(&path, limits::DCT_KEY_BYTES) {
                    Ok(bytes) => {
                        walk.add(rule, Row::of_file(shown(&path), rule, about_key(&bytes)));
                    }
                    Err(error) => walk.pass_over(&shown(&path), &error.to_string(), true),
                }
            }
        }
    }
}

/// What the headers of a key's file say: its role, and the repository, which root keys do not have.
fn about_key(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let header = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value
            .map(|value| value.trim().chars().take(limits::AUDIT_EXCERPT_CHARS).collect::<String>())
    };
    let role = header("role").map_or_else(|| "no role".to_owned(), |role| format!("role {role}"));
    let gun = header("gun").map(|gun| format!(" of {gun}")).unwrap_or_default();
    format!("private key, {role}{gun}")
}

fn trust_data(walk: &mut Walk<'_>, folder: &Path) {
    let Some(rule) = rule(DATA_RULE) else { return };
    let data = folder.join("tuf");
    if kind(walk, &data).is_none_or(|kind| !kind.is_dir()) {
        return;
    }
    match repositories_below(&data, "metadata/root.json") {
        Ok(guns) if guns.is_empty() => {}
        Ok(guns) => {
            let text = format!("trust data, repositories: {}", guns.len());
            walk.add(rule, Row::of_file(shown(&data), rule, text));
        }
        Err(error) => walk.pass_over(&shown(&data), &error.to_string(), true),
    }
}

/// What a path leads to. One that may not be looked at is no sign that nothing is there.
fn kind(walk: &mut Walk<'_>, path: &Path) -> Option<FileType> {
    let found = readable(walk, path, metadata(path))?;
    Some(found.file_type())
}

fn children(walk: &mut Walk<'_>, folder: &Path) -> Vec<PathBuf> {
    let entries = readable(walk, folder, read_dir(folder)).into_iter().flatten();
    let entries: Vec<_> = entries.collect();
    entries.into_iter().filter_map(|entry| Some(readable(walk, folder, entry)?.path())).collect()
}

/// What was read, if it is there; what is there and cannot be read is told.
fn readable<T>(walk: &mut Walk<'_>, path: &Path, read: io::Result<T>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            None
        }
        Err(error) => {
            walk.pass_over(&shown(path), &error.to_string(), true);
            None
        }
    }
}

fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}
