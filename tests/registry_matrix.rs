//! Registry × format × who signs × who verifies: our commands beside notation on the same repositories and layouts.

use std::fs;

use notation_sdk::{algorithm::KeySpec, oci::SIGNATURE_MEDIA_TYPE};
use serde_json::Value;

use crate::support::{
    command::{Finished, Run},
    component::Component,
    layout::Layout,
    notation::{Artifact, Notation},
    openssl::{Authority, Openssl},
    registry::{GoRegistry, Reached, ReferrersRegistry, Registry},
};

const FORMATS: [&str; 2] = ["jws", "cose"];
const WRITERS: [Writer; 2] = [Writer::Ours, Writer::Notation];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Ours,
    Notation,
}

impl Writer {
    const fn other(self) -> Self {
        match self {
            Self::Ours => Self::Notation,
            Self::Notation => Self::Ours,
        }
    }
}

/// Notation with a key of its own, which our executable reads from the same configuration.
pub(crate) fn notation_with_key() -> Option<Notation> {
    let (notation, openssl) = (Notation::or_skip()?, Openssl::or_skip()?);
    let authority = Authority::new(&openssl);
    notation.trust(&authority.root());
    let key = openssl.create_key("release", KeySpec::Ec256);
    let chain = authority.issue(&openssl.request("release", "release"));
    let keep = |from: &std::path::Path, name: &str| {
        let to = notation.home().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    notation.add_local_key("release", &keep(&key, "release.key"), &keep(&chain, "release.crt"));
    Some(notation)
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
}

/// Runs the matrix over a registry, and holds what it lists against what oras finds.
fn each_reads_the_other(registry: &Reached) {
    let Some(notation) = notation_with_key() else { return };
    let ours = |words: &[&str]| registry.ours(&notation, words);
    let sign = |writer: Writer, format: &str, reference: &str| {
        let words = ["sign", "--key", "release", "--signature-format", format, reference];
        match writer {
            Writer::Notation => registry.theirs(&notation, &words).expect_status(0),
            Writer::Ours => ours(&[&words[..], &["--force"]].concat()).expect_status(0),
        };
    };
    for format in FORMATS {
        for writer in WRITERS {
            let layout = Layout::new(format!("{} {format} {writer:?}", registry.host).as_bytes());
            let Some(reference) = registry.push(&layout, "team/app") else { return };
            let verify = ["verify", reference.as_str()];
            ours(&verify).expect_status(4);
            registry.theirs(&notation, &verify).expect_status(1);

            sign(writer, format, &reference);
            let verified = ours(&verify).expect_status(0);
            assert!(verified.stdout.starts_with("verified: "), "{}", verified.stdout);
            registry.theirs(&notation, &verify).expect_status(0);

            // The other adds one to the same list.
            sign(writer.other(), format, &reference);
            let listed = json_of(&ours(&["list", &reference, "-o", "json"]));
            let rows = listed["signatures"].as_array().unwrap().iter();
            let mut listed: Vec<String> =
                rows.map(|row| row["manifest"].as_str().unwrap().to_owned()).collect();
            listed.sort();
            assert_eq!(listed.len(), 2, "{listed:?}");
            let inspected = json_of(&ours(&["inspect", &reference, "-o", "json"]));
            for row in inspected["signatures"].as_array().unwrap() {
                assert_eq!(row["integrity"]["holds"], true, "{inspected:#}");
            }
            registry.theirs(&notation, &verify).expect_status(0);
            let Some(found) = registry.discovered(&reference, SIGNATURE_MEDIA_TYPE) else { return };
            assert_eq!(found, listed);
        }
    }
}

#[test]
fn ours_and_notation_read_each_other_at_the_referrers_tag_of_docker_registry() {
    let Some(registry) = Registry::or_skip() else { return };
    each_reads_the_other(&Reached::plainly(registry.host()));
}

#[test]
fn ours_and_notation_read_each_other_in_docker_registry_by_tls_and_password() {
    let Some(openssl) = Openssl::or_skip() else { return };
    openssl.create_key("server", KeySpec::Ec256);
    let make = "req -x509 -new -key server.key -days 2 -subj /CN=server-of-test -config extensions.cnf \
                -addext subjectAltName=IP:127.0.0.1 -out server.crt";
    openssl.run(make).expect_status(0);
    let Some(registry) = Registry::with_password_or_skip(&openssl.path("")) else { return };
    let roots = openssl.path("roots");
    fs::create_dir(&roots).unwrap();
    let root = roots.join("root.crt");
    fs::copy(openssl.path("server.crt"), &root).unwrap();
    each_reads_the_other(&Reached { host: registry.host(), root: Some(root) });
}

#[test]
fn ours_and_notation_read_each_other_in_ferro_by_the_referrers_api() {
    each_reads_the_other(&Reached::plainly(ReferrersRegistry::start().host()));
}

#[test]
fn ours_and_notation_read_each_other_in_go_containerregistry_by_the_referrers_api() {
    let Some(registry) = GoRegistry::or_skip() else { return };
    each_reads_the_other(&Reached::plainly(registry.host()));
}

#[test]
fn ours_and_notation_read_each_other_in_an_image_layout() {
    let Some(notation) = notation_with_key() else { return };
    let ours = |words: &[&str]| Run::notation_kms().home(notation.home()).args(words).finish();
    for format in FORMATS {
        for writer in WRITERS {
            let layout = Layout::new(format!("{format} {writer:?}").as_bytes());
            let reference = layout.reference();
            let key = ["--key", "release", "--signature-format", format];
            let sign = |writer: Writer| match writer {
                Writer::Notation => {
                    notation.sign(Artifact::Layout(&layout), &key).expect_status(0);
                }
                Writer::Ours => {
                    let words = ["sign", "--force", "--oci-layout", &reference];
                    ours(&[&words[..], &key].concat()).expect_status(0);
                }
            };
            let verify = ["verify", "--oci-layout", "--scope", "registry.example/app", &reference];
            ours(&verify).expect_status(4);
            notation.verify(Artifact::Layout(&layout), &[]).expect_status(1);
            sign(writer);
            ours(&verify).expect_status(0);
            notation.verify(Artifact::Layout(&layout), &[]).expect_status(0);
            sign(writer.other());
            let listed = json_of(&ours(&["list", "--oci-layout", &reference, "-o", "json"]));
            assert_eq!(listed["signatures"].as_array().unwrap().len(), 2, "{listed:#}");
            notation.verify(Artifact::Layout(&layout), &[]).expect_status(0);
        }
    }
}

#[test]
fn what_skopeo_copies_with_its_signature_is_verified_where_it_is_then() {
    let Some(notation) = notation_with_key() else { return };
    let (Some(from), Some(to)) = (Registry::or_skip(), GoRegistry::or_skip()) else { return };
    let Some(skopeo) = Component::Skopeo.or_skip() else { return };
    let (from, to) = (Reached::plainly(from.host()), Reached::plainly(to.host()));
    let layout = Layout::new(b"copied");
    let Some(reference) = from.push(&layout, "team/app") else { return };
    let signed = from.ours(&notation, &["sign", "--key", "release", &reference, "-o", "json"]);
    let signed = json_of(&signed.expect_status(0));
    let copy = |digest: &str, tag: &str| {
        Run::new(&skopeo)
            .args(["--insecure-policy", "copy", "--preserve-digests"])
            .args(["--src-tls-verify=false", "--dest-tls-verify=false"])
            .arg(format!("docker://{}/team/app@{digest}", from.host))
            .arg(format!("docker://{}/other/app:{tag}", to.host))
            .finish()
            .expect_status(0);
    };
    copy(layout.digest(), "v1");
    let copied = format!("{}/other/app@{}", to.host, layout.digest());
    to.ours(&notation, &["verify", &copied]).expect_status(4);
    copy(signed["manifest"].as_str().unwrap(), "signature");
    to.ours(&notation, &["verify", &copied]).expect_status(0);
}

#[test]
fn the_form_by_artifact_type_is_found_by_us_everywhere_and_by_notation_where_it_is_listed_as_one() {
    let Some(notation) = notation_with_key() else { return };
    let (Some(docker), Some(go)) = (Registry::or_skip(), GoRegistry::or_skip()) else { return };
    let ferro = ReferrersRegistry::start();
    // Go-containerregistry lists every manifest by its config.
    for (host, status) in [(docker.host(), 0), (ferro.host(), 0), (go.host(), 1)] {
        let registry = Reached::plainly(host);
        let Some(reference) = registry.push(&Layout::new(b"form"), "team/app") else { return };
        let form = ["--signature-manifest", "artifact-type"];
        let sign = [&["sign", "--key", "release", &reference][..], &form].concat();
        registry.ours(&notation, &sign).expect_status(0);
        let verify = ["verify", reference.as_str()];
        registry.ours(&notation, &verify).expect_status(0);
        registry.theirs(&notation, &verify).expect_status(status);
    }
}
