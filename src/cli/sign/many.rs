//! `sign` of several artifacts, and of all that an index lists.

use std::collections::BTreeMap;

use super::{Args, Report};
use crate::{
    cli::{
        Outcome,
        artifact::{Artifacts, OpenArtifact},
        block_on,
        failure::{Exit, Failure},
        output::Progress,
        results::Results,
        signing::Signer,
    },
    oci::Digest,
    registry::tree::manifests_below,
};

/// What is signed so far.
struct Run<'a> {
    args: &'a Args,
    signer: &'a Signer,
    artifacts: &'a Artifacts<'a>,
    results: Results,
    progress: Progress,
    /// Set when the key could not sign: the next ones are not tried.
    key_failed: Option<Exit>,
}

/// Signs one after the other. One that fails does not stop the rest, but a key that does not sign does.
pub(super) fn sign(args: &Args, signer: &Signer, artifacts: &Artifacts<'_>) -> Outcome {
    let (results, progress) = (Results::new("signed"), Progress::new());
    let mut run = Run { args, signer, artifacts, results, progress, key_failed: None };
    for reference in &args.references {
        run.sign(reference)?;
    }
    run.progress.clear();
    run.results.conclude(args.output.format)
}

impl Run<'_> {
    fn sign(&mut self, reference: &str) -> Outcome {
        let nodes = match block_on(self.nodes(reference))? {
            Ok(nodes) => nodes,
            Err(failure) => return self.results.add::<Report>(reference, Err(failure)),
        };
        // An index is not signed where something that it lists is not.
        let mut failed: BTreeMap<Digest, Exit> = BTreeMap::new();
        for (artifact, below) in nodes {
            let unsigned = below.iter().find_map(|digest| Some((digest, *failed.get(digest)?)));
            let signed = match (self.key_failed, unsigned) {
                (Some(exit), _) => Err(Failure::message(exit, "not tried: the key has not signed")),
                (None, Some((digest, exit))) => {
                    let message = format!("not tried: {digest}, which it lists, is not signed");
                    Err(Failure::message(exit, message))
                }
                (None, None) => self.sign_one(&artifact),
            };
            if let Err(failure) = &signed {
                failed.insert(artifact.descriptor.digest.clone(), failure.exit());
            }
            self.results.add(&artifact.to_string(), signed)?;
        }
        Ok(())
    }

    fn sign_one(&mut self, artifact: &OpenArtifact) -> Result<Report, Failure> {
        self.progress.show(&artifact.to_string());
        if self.args.recursive {
            block_on(artifact.check())??;
        }
        let key_failed = &mut self.key_failed;
        self.args.sign(self.signer, artifact, |failure| *key_failed = Some(failure.exit()))
    }

    /// The artifact, and with `--recursive` before it what it lists.
    async fn nodes(&self, reference: &str) -> Result<Vec<(OpenArtifact, Vec<Digest>)>, Failure> {
        if !self.args.recursive {
            return Ok(vec![(self.artifacts.open_checked(reference).await?, Vec::new())]);
        }
        let artifact = self.artifacts.open(reference).await?;
        let nodes = manifests_below(artifact.repository.as_ref(), &artifact.descriptor).await?;
        Ok(nodes.into_iter().map(|node| (artifact.beside(node.descriptor), node.below)).collect())
    }
}
