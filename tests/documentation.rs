//! The pages of docs/: their commands run and print what they say, and no error is left out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use notation_sdk::{
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{CertificateTemplate, Issuer},
    testing::{self, ready},
    x509::{CertificateChain, Name, to_pem},
};
use tempfile::TempDir;
use time::UtcDateTime;

use crate::support::{
    command::{Finished, Run},
    layout::Layout,
};

/// Folders of src/ whose errors stand on other pages.
const ELSEWHERE: [&str; 2] = ["dct", "plugin"];

#[test]
fn every_error_stands_on_the_page_of_errors() {
    let page = include_str!("../docs/errors.md");
    let texts = all_texts();
    assert!(
        texts.len() > 200,
        "the sources have {} texts: they are not read any more",
        texts.len()
    );
    let missing: Vec<&String> =
        texts.iter().filter(|text| !page.contains(&format!("`{text}`"))).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:#?}");
}

#[test]
fn the_page_of_errors_has_none_that_is_gone() {
    let texts = all_texts();
    let page = include_str!("../docs/errors.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split("` |").next());
    let gone: Vec<&str> = rows.filter(|row| !texts.iter().any(|text| text == row)).collect();
    assert!(gone.is_empty(), "docs/errors.md explains what nothing says: {gone:#?}");
}

#[test]
fn texts_are_read_out_of_sources() {
    let source = "#[error(\"a {0:?} is {limit} b\", limit = 3)]\n#[error(\n    \"c \\\"d\\\" \\\n     e\"\n)]\n\
        #[error(transparent)]\n#[error(\"{0}\")]";
    assert_eq!(error_texts(source), ["a … is … b", "c \"d\" e"]);
}

#[test]
fn the_commands_of_the_page_on_verification_do_what_it_says() {
    let folder = world();
    let page = include_str!("../docs/verify.md");
    let links = folder.path().join("etc/notation");
    for (script, printed) in blocks(page) {
        let script = script.replace("/etc/notation", links.to_str().unwrap());
        if script.contains("NOTATION_CONFIG") {
            mount(folder.path(), &links);
            let unfollowed = script.replace(" --follow-symlinks", "");
            shell(folder.path(), &unfollowed).expect_status(5);
        }
        let finished = shell(folder.path(), &script).expect_status(0);
        if let Some(printed) = printed {
            assert!(
                matches(&printed, &finished.stdout),
                "{script}\n{printed}\n{}",
                finished.stdout
            );
        }
    }
}

#[test]
fn quickstart_prints_what_the_readme_says_and_the_commands_after_it_go_on() {
    let folder = TempDir::new().unwrap();
    install(folder.path());
    let made = shell(folder.path(), "notation-kms quickstart").expect_status(0).stdout;
    let readme = include_str!("../README.md");
    let printed = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let printed = printed.replace("/home/you", root.to_str().unwrap());
    let made: Vec<&str> = made.lines().take(printed.lines().count()).collect();
    assert!(matches(&printed, &made.join("\n")), "{printed}\n{made:#?}");

    let (script, _) = &blocks(readme)[0];
    let shown = shell(folder.path(), script).expect_status(0).stdout;
    assert_eq!(shown.lines().filter(|line| line.starts_with("verified: ")).count(), 2, "{shown}");
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages: Vec<PathBuf> = pages.chain([root.join("README.md")]).collect();
    assert!(pages.len() > 5);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            assert!(target.exists(), "{} links to {link}", page.display());
            let is_there = || {
                let text = fs::read_to_string(&target).unwrap();
                text.lines().any(|line| line.starts_with('#') && anchor_of(line) == anchor)
            };
            assert!(anchor.is_empty() || is_there(), "{} links to {link}", page.display());
        }
    }
}

#[test]
fn an_ellipsis_stands_for_anything_within_a_line() {
    assert!(matches("a … c\nd\n", "a b b c\nd\n"));
    assert!(matches("…\n", "anything\n") && matches("a…\n", "a\n"));
    assert!(!matches("a … c\n", "a b\n") && !matches("a\n", "a\nb\n") && !matches("a\n", "ab\n"));
    assert!(!matches("…b\n", "abc\n") && !matches("ab…b\n", "ab\n"));
}

/// The anchor of a heading, as GitHub makes it.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// What errors say, in the library and in the commands.
fn all_texts() -> Vec<String> {
    let read = |path: PathBuf| error_texts(&fs::read_to_string(path).unwrap());
    let rules = rules(include_str!("../src/x509/profile.rs"));
    sources().into_iter().flat_map(read).chain(rules).collect()
}

/// Files of the library and of the commands.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_elsewhere = ELSEWHERE.iter().any(|name| path == root.join(name));
            match path.is_dir() {
                true if !is_elsewhere => folders.push(path),
                false => found.push(path),
                true => {}
            }
        }
    }
    found
}

/// The texts of `#[error("…")]`, with `…` for what is put into them.
fn error_texts(source: &str) -> Vec<String> {
    let attributes = source.split("#[error(").skip(1).map(str::trim_start);
    let literals = attributes.filter_map(|rest| literal(rest.strip_prefix('"')?));
    literals.map(|text| with_gaps(&text)).filter(|text| says_something(text)).collect()
}

/// The sentences of certificate requirements, which are written out by hand.
fn rules(source: &str) -> Vec<String> {
    let display = source.split("impl fmt::Display for Rule").nth(1).unwrap();
    let texts = display.split('"').skip(1).step_by(2).map(with_gaps);
    texts.filter(|text| says_something(text)).collect()
}

fn says_something(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// A string literal behind its opening quote, to its closing one.
fn literal(source: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = source.chars();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                '\n' => rest = rest.as_str().trim_start().chars(),
                escaped => text.push(escaped),
            },
            plain => text.push(plain),
        }
    }
}

/// `{…}` of a format string as `…`.
fn with_gaps(text: &str) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        format!("{whole}…{}", part.split_once('}').map_or(part, |(_, rest)| rest))
    })
}

/// The blocks of a page that are shell, each with what the page says that it prints.
pub(crate) fn blocks(page: &str) -> Vec<(String, Option<String>)> {
    let block = |text: &str| {
        let (script, rest) = text.split_once("\n```\n").unwrap();
        let printed = rest
            .strip_prefix("\n```text\n")
            .map(|rest| rest.split("```").next().unwrap().to_owned());
        (script.to_owned(), printed)
    };
    let blocks: Vec<_> = page.split("```sh\n").skip(1).map(block).collect();
    assert!(!blocks.is_empty());
    blocks
}

pub(crate) fn shell(folder: &Path, script: &str) -> Finished {
    let path = std::env::var("PATH").unwrap();
    let run = Run::new("sh").home(folder).current_dir(folder).args(["-euc", script]);
    let run = run.env("XDG_CONFIG_HOME", folder.join(".config"));
    run.env("PATH", format!("{}:{path}", folder.join("bin").display())).finish()
}

/// Whether lines are as they are said to be; `…` stands for anything within a line.
pub(crate) fn matches(said: &str, printed: &str) -> bool {
    let line = |(said, printed): (&str, &str)| {
        let (first, rest) =
            said.split_once('…').map_or((said, None), |(first, rest)| (first, Some(rest)));
        let Some(rest) = rest else { return said == printed };
        let Some(printed) = printed.strip_prefix(first) else { return false };
        let (between, last) = rest.rsplit_once('…').unwrap_or(("", rest));
        let Some(mut printed) = printed.strip_suffix(last) else { return false };
        between.split('…').all(|part| {
            let found = printed.split_once(part).map(|(_, rest)| rest);
            printed = found.unwrap_or_default();
            found.is_some()
        })
    };
    said.lines().count() == printed.lines().count() && said.lines().zip(printed.lines()).all(line)
}

/// Puts the executable where [`shell`] looks.
pub(crate) fn install(folder: &Path) {
    fs::create_dir(folder.join("bin")).unwrap();
    let program = env!("CARGO_BIN_EXE_notation-kms");
    std::os::unix::fs::symlink(program, folder.join("bin/notation-kms")).unwrap();
}

/// What the page has at hand: `root.pem`, the artifact `app:1.0` and `app.tar`, `tool` and its signature.
fn world() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    install(folder.path());
    let chain = signer(folder.path());
    let root = testing::chain([chain.root().clone()]);
    fs::write(path("root.pem"), to_pem(&root)).unwrap();
    fs::write(path("chain.pem"), to_pem(&chain)).unwrap();
    fs::write(path("tool"), "content").unwrap();
    let layout = Layout::new(b"app");
    let tagged = fs::read_to_string(layout.path().join("index.json")).unwrap();
    fs::write(layout.path().join("index.json"), tagged.replace("\"v1\"", "\"1.0\"")).unwrap();
    let script = format!(
        "cp -R '{}' app\nkey=\"--id file://$PWD/key.pem --cert-chain chain.pem\"\n\
         notation-kms sign --oci-layout app:1.0 $key\nnotation-kms blob sign tool $key\n",
        layout.path().display()
    );
    shell(folder.path(), &script).expect_status(0);
    let mut tar = tar::Builder::new(fs::File::create(path("app.tar")).unwrap());
    tar.append_dir_all(".", path("app")).unwrap();
    tar.finish().unwrap();
    folder
}

/// Writes `key.pem`, and gives the chain of that key.
fn signer(folder: &Path) -> CertificateChain {
    let (_, root_key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let (pem, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    fs::write(folder.join("key.pem"), pem.as_bytes()).unwrap();
    let validity = testing::validity(UtcDateTime::now());
    let subject = |common_name: &str| -> Name {
        format!("CN={common_name},O=Acme,ST=WA,C=US").parse().unwrap()
    };
    let root = CertificateTemplate::ca(subject("Acme root"), validity, 0);
    let root = ready(root.issue(&root_key, Issuer::Itself)).unwrap();
    let leaf = CertificateTemplate::code_signing(subject("release signing"), validity);
    let leaf = ready(leaf.issue(&key, Issuer::Ca(&root, &root_key))).unwrap();
    testing::chain([leaf, root])
}

/// Mounts root certificate and policy as a kubelet does: the folder's files are links to those of a hidden one.
fn mount(folder: &Path, configuration: &Path) {
    use std::os::unix::fs::symlink;
    let store = configuration.join("truststore/x509/ca/acme");
    fs::create_dir_all(store.join("..2026_11_23")).unwrap();
    fs::copy(folder.join("root.pem"), store.join("..2026_11_23/root.pem")).unwrap();
    symlink("..2026_11_23", store.join("..data")).unwrap();
    symlink("..data/root.pem", store.join("root.pem")).unwrap();
    fs::copy(folder.join("trustpolicy.json"), configuration.join("trustpolicy.json")).unwrap();
}
