//! Verifies the signature of an artifact in an image layout: no network, no runtime, no environment.
//!
//! ```text
//! cargo run --example verify -- LAYOUT DIGEST POLICY.json TRUSTSTORE REPOSITORY
//! ```
//! `TRUSTSTORE` is a folder as the notation CLI keeps it, `truststore`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a program, with a clock, files and an output of its own"
)]

use std::{env, error::Error, fs};

use notation_sdk::{
    registry::layout::ImageLayout,
    revocation::Evidence,
    trust::{DirectoryTrustStore, OciPolicy},
    verify::{Accepted, Revocation, Verifier},
};
use time::UtcDateTime;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [layout, digest, policy, stores, repository] = arguments.as_slice() else {
        return Err("usage: verify LAYOUT DIGEST POLICY.json TRUSTSTORE REPOSITORY".into());
    };
    let parsed = OciPolicy::parse(&fs::read(policy)?)?;
    if let Some(problem) = parsed.unknown.first() {
        return Err(problem.to_string().into());
    }
    let found =
        parsed.policy.statement_for(&repository.parse()?).ok_or("no statement is for it")?;
    let stores = DirectoryTrustStore::new(stores).read(found.statement.trust_stores())?;
    let layout = ImageLayout::open(layout)?;
    let artifact = layout.resolve(digest)?;
    // Nobody is asked about revocation: what is known of it, and what time it is, are the caller's to say.
    let (evidence, now) = (Evidence::new(), UtcDateTime::now());
    let offline = Revocation::Offline(&evidence);
    let verifier = Verifier::new(&found.statement, &stores.anchors, offline, now);
    match verifier.verify_layout(&layout, &artifact)?.accepted {
        Accepted::Verified(verified) => println!("signed by {}", verified.signer().subject()),
        // Audit and permissive policies accept what they cannot prove: that names no signer.
        other => println!("accepted, and not verified: {:?}", other.outcome()),
    }
    Ok(())
}
