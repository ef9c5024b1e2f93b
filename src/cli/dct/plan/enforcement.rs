//! Settings for admission controllers, each with a word on what it cannot express.

use std::collections::BTreeSet;

use crate::{dct::plan::Plan, x509::Certificate};

/// Names and texts.
pub(super) fn files(
    plan: &Plan,
    roots: &[Certificate],
    store: &str,
    subjects: &BTreeSet<String>,
) -> [(&'static str, String); 3] {
    let repositories: Vec<&str> = plan
        .repositories
        .iter()
        .filter(|repository| !repository.signatures.is_empty())
        .map(|repository| repository.repository.as_str())
        .collect();
    [
        ("ratify.yaml", ratify(&repositories, roots, store, subjects)),
        ("kyverno.yaml", kyverno(&repositories, roots)),
        ("connaisseur.yaml", connaisseur(&repositories, roots)),
    ]
}

/// Certificates, indented; a comment where none is known yet.
fn certificates(roots: &[Certificate], indent: &str) -> String {
    if roots.is_empty() {
        return format!(
            "{indent}# no certificate is known yet: run dct plan again with the keys\n"
        );
    }
    let pem = roots.iter().map(Certificate::to_pem);
    pem.flat_map(|pem| pem.lines().map(|line| format!("{indent}{line}\n")).collect::<Vec<_>>())
        .collect()
}

fn list(items: &[&str], indent: &str, suffix: &str) -> String {
    items.iter().map(|item| format!("{indent}- \"{item}{suffix}\"\n")).collect()
}

fn ratify(
    repositories: &[&str],
    roots: &[Certificate],
    store: &str,
    subjects: &BTreeSet<String>,
) -> String {
    let mut identities: Vec<&str> = subjects.iter().map(String::as_str).collect();
    if identities.is_empty() {
        identities.push("x509.subject: <run dct plan again with the keys>");
    }
    format!(
        "# Ratify 1.x: the notation verifier with the statements of trustpolicy.strict.json.\n\
         # It cannot express: the audit step first (set Gatekeeper's enforcementAction to warn or dryrun for that);\n\
         # user metadata, so not that a tag belongs to a digest; which of the identities is for which repository.\n\
         apiVersion: config.ratify.deislabs.io/v1beta1\n\
         kind: KeyManagementProvider\n\
         metadata:\n  name: {store}\n\
         spec:\n  type: inline\n  parameters:\n    contentType: certificate\n    value: |\n{}\
         ---\n\
         apiVersion: config.ratify.deislabs.io/v1beta1\n\
         kind: Verifier\n\
         metadata:\n  name: notation\n\
         spec:\n  name: notation\n  artifactTypes: application/vnd.cncf.notary.signature\n  parameters:\n\
         \x20   verificationCertStores:\n      ca:\n        {store}:\n          - {store}\n\
         \x20   trustPolicyDoc:\n      version: \"1.0\"\n      trustPolicies:\n        - name: content-trust\n\
         \x20         registryScopes:\n{}\
         \x20         signatureVerification:\n            level: strict\n\
         \x20         trustStores:\n            - ca:{store}\n\
         \x20         trustedIdentities:\n{}",
        certificates(roots, "      "),
        list(repositories, "            ", ""),
        list(&identities, "            ", ""),
    )
}

fn kyverno(repositories: &[&str], roots: &[Certificate]) -> String {
    format!(
        "# Kyverno: verifyImages of the type Notary. Audit first, then Enforce.\n\
         # It cannot express: trusted identities (every certificate below the root is accepted), levels other than\n\
         # Audit and Enforce, signingAuthority, statements a repository, user metadata.\n\
         apiVersion: kyverno.io/v1\n\
         kind: ClusterPolicy\n\
         metadata:\n  name: notary-project-signatures\n\
         spec:\n  validationFailureAction: Audit\n  webhookTimeoutSeconds: 30\n  rules:\n\
         \x20   - name: signed\n      match:\n        any:\n          - resources:\n              kinds: [Pod]\n\
         \x20     verifyImages:\n        - type: Notary\n          imageReferences:\n{}\
         \x20         attestors:\n            - count: 1\n              entries:\n                - certificates:\n\
         \x20                   cert: |-\n{}",
        list(repositories, "            ", ":*") + &list(repositories, "            ", "@*"),
        certificates(roots, "                      "),
    )
}

fn connaisseur(repositories: &[&str], roots: &[Certificate]) -> String {
    let policies: String = repositories
        .iter()
        .map(|repository| {
            format!("    - pattern: \"{repository}:*\"\n      validator: notary-project\n      with:\n        trustRoot: content-trust\n")
        })
        .collect();
    format!(
        "# Connaisseur 3.x: values of its chart, in place of validators of the type notaryv1.\n\
         # It cannot express: trusted identities, levels, statements a repository, user metadata; automatic_unchanged_approval\n\
         # and features.detectionMode are its own way to begin without refusing anything.\n\
         application:\n  features:\n    detectionMode: true\n  validators:\n    - name: notary-project\n      type: notation\n\
         \x20     trustRoots:\n        - name: content-trust\n          cert: |\n{}\
         \x20 policy:\n{policies}",
        certificates(roots, "            "),
    )
}
