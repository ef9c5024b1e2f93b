//! Writers of one index of referrers at the same time, and indexes of platforms, beside notation.

use std::{sync::Barrier, thread};

use notation_sdk::{
    algorithm::HashAlgorithm,
    oci::{Descriptor, Digest, EMPTY_CONFIG, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest},
    registry::remote::{RemoteOptions, RemoteRepository},
};
use serde_json::{Value, json};

use crate::{
    registry_matrix::{Writer, notation_with_key},
    support::{
        layout::Layout,
        notation::Notation,
        registry::{GoRegistry, Reached, ReferrersRegistry, Registry},
    },
};

/// Digests of the signature manifests that are listed.
fn listed(registry: &Reached, notation: &Notation, reference: &str) -> Vec<String> {
    let listed = registry.ours(notation, &["list", reference, "-o", "json"]).expect_status(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let rows = listed["signatures"].as_array().unwrap().iter();
    rows.map(|row| row["manifest"].as_str().unwrap().to_owned()).collect()
}

/// Signs with so many processes at the same time, and gives what ours say that they have written.
fn sign_at_once(
    registry: &Reached,
    notation: &Notation,
    reference: &str,
    ours: usize,
    theirs: usize,
) -> Vec<String> {
    let start = Barrier::new(ours + theirs);
    let words = ["sign", "--key", "release", reference];
    let write = || {
        start.wait();
        let signed = registry.ours(notation, &[&words[..], &["--force", "-o", "json"]].concat());
        let signed: Value = serde_json::from_str(&signed.expect_status(0).stdout).unwrap();
        signed["manifest"].as_str().unwrap().to_owned()
    };
    thread::scope(|scope| {
        for _ in 0..theirs {
            scope.spawn(|| {
                start.wait();
                // It may find the index gone that it has read and wants to delete.
                registry.theirs(notation, &words)
            });
        }
        #[expect(
            clippy::needless_collect,
            reason = "all are to be started before one is waited for"
        )]
        let writers: Vec<_> = (0..ours).map(|_| scope.spawn(write)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

#[test]
fn ten_commands_that_sign_one_artifact_at_the_same_time_lose_nothing() {
    let Some(notation) = notation_with_key() else { return };
    let (Some(docker), Some(go)) = (Registry::or_skip(), GoRegistry::or_skip()) else { return };
    for host in [docker.host(), go.host()] {
        let registry = Reached::plainly(host);
        let Some(reference) = registry.push(&Layout::new(b"content"), "team/app") else { return };
        let mut written = sign_at_once(&registry, &notation, &reference, 10, 0);
        let mut listed = listed(&registry, &notation, &reference);
        written.sort();
        listed.sort();
        assert_eq!(listed, written);
    }
}

#[test]
fn what_we_write_beside_notation_at_the_same_time_is_listed() {
    let Some(notation) = notation_with_key() else { return };
    let Some(docker) = Registry::or_skip() else { return };
    let registry = Reached::plainly(docker.host());
    let Some(reference) = registry.push(&Layout::new(b"content"), "team/app") else { return };
    // Notation reads, writes, and never looks again: beside another of itself it loses its own.
    let written = sign_at_once(&registry, &notation, &reference, 6, 2);
    let before = listed(&registry, &notation, &reference);
    assert!(written.iter().all(|digest| before.contains(digest)), "{written:?} {before:?}");
    // Once it is alone, it adds one.
    registry.theirs(&notation, &["sign", "--key", "release", &reference]).expect_status(0);
    let after = listed(&registry, &notation, &reference);
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|digest| after.contains(digest)), "{before:?} {after:?}");
}

/// An index of two platforms and a nested index with a third: what is listed before what lists it.
fn push_index(host: &str) -> Vec<Descriptor> {
    let mut options = RemoteOptions::default();
    options.insecure = true;
    let reference = format!("{host}/team/app").parse().unwrap();
    let repository = RemoteRepository::new(&reference, options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        repository.push_blob(EMPTY_CONFIG).await.unwrap();
        let mut pushed = Vec::new();
        for platform in ["amd64", "arm64", "riscv64"] {
            let digest = repository.push_blob(platform.as_bytes()).await.unwrap();
            assert_eq!(digest, Digest::of(HashAlgorithm::Sha256, platform.as_bytes()));
            let layer = Descriptor::new("text/plain", digest, platform.len().try_into().unwrap());
            let manifest = Manifest::artifact("test/platform", layer);
            let bytes = serde_json::to_vec(&manifest).unwrap();
            pushed.push(repository.push_manifest(MANIFEST_MEDIA_TYPE, &bytes, None).await.unwrap());
        }
        for (manifests, tag) in [(&[2][..], None), (&[0, 1, 3], Some("multi"))] {
            let manifests: Vec<_> = manifests.iter().map(|&at: &usize| &pushed[at]).collect();
            let index =
                json!({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": manifests});
            let index = index.to_string();
            let index = repository.push_manifest(INDEX_MEDIA_TYPE, index.as_bytes(), tag).await;
            pushed.push(index.unwrap());
        }
        pushed
    })
}

#[test]
fn an_index_a_nested_one_and_each_platform_are_signed_by_either_and_verified_by_both() {
    let Some(notation) = notation_with_key() else { return };
    let (Some(docker), Some(go)) = (Registry::or_skip(), GoRegistry::or_skip()) else { return };
    let ferro = ReferrersRegistry::start();
    for (host, writer) in
        [(docker.host(), Writer::Ours), (ferro.host(), Writer::Notation), (go.host(), Writer::Ours)]
    {
        let registry = Reached::plainly(host);
        let all = push_index(&registry.host);
        let reference = |one: &Descriptor| format!("{}/team/app@{}", registry.host, one.digest);
        let verified = |one: &Descriptor| {
            let words = ["verify", &reference(one)];
            let status = (
                registry.ours(&notation, &words).status,
                registry.theirs(&notation, &words).status,
            );
            assert!(matches!(status, (Some(0), Some(0)) | (Some(4), Some(1))), "{status:?}");
            status.0 == Some(0)
        };
        // The signature of an index is none of what it lists, nor the other way round.
        let (index, below) = all.split_last().unwrap();
        let sign = |words: &[&str]| match writer {
            Writer::Ours => registry.ours(&notation, words).expect_status(0),
            Writer::Notation => registry.theirs(&notation, words).expect_status(0),
        };
        let tagged = format!("{}/team/app:multi", registry.host);
        sign(&["sign", "--key", "release", &tagged]);
        assert!(verified(index));
        assert!(!below.iter().any(&verified));
        for one in below {
            sign(&["sign", "--key", "release", &reference(one)]);
            assert!(verified(one));
        }
    }
}
