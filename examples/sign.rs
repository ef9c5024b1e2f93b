//! Signs an artifact in an image layout with a key in a file; any other [`SigningKey`] does as well.
//!
//! ```text
//! cargo run --example sign -- LAYOUT TAG KEY.pem CHAIN.pem
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a program, with a clock, files and an output of its own"
)]

use std::{env, error::Error, fs, path::Path};

use notation_sdk::{
    CertificateChain, EnvelopeFormat, Payload, SignRequest, SignedAttributes, SigningKey,
    keys::file::FileKey,
    oci::Manifest,
    registry::{Repository, layout::ImageLayout},
    sign_envelope,
    x509::parse_bundle,
};
use time::{UtcDateTime, format_description::well_known::Rfc3339};

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(sign())
}

async fn sign() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [layout, tag, key, chain] = arguments.as_slice() else {
        return Err("usage: sign LAYOUT TAG KEY.pem CHAIN.pem".into());
    };
    let key: Box<dyn SigningKey> = Box::new(FileKey::from_pem_file(Path::new(key))?);
    let chain = CertificateChain::repair(parse_bundle(&fs::read(chain)?)?)?.chain;
    let layout = ImageLayout::open(layout)?;
    let artifact = layout.resolve(tag)?;

    let payload = Payload::new(artifact.clone()).to_json();
    let now = UtcDateTime::now();
    let request = SignRequest::new(EnvelopeFormat::Jws, &payload, SignedAttributes::new(now));
    let envelope = sign_envelope(key.as_ref(), &chain, &request).await?;

    let created = now.replace_nanosecond(0)?.format(&Rfc3339)?;
    let manifest = Manifest::signature(&artifact, EnvelopeFormat::Jws, &envelope, &chain, &created);
    let pushed = layout.push_signature(&manifest, &envelope).await?;
    println!("signed {}: {}", artifact.digest, pushed.digest);
    Ok(())
}
