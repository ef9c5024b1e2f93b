//! Settings for admission controllers, each with a word on what it cannot express.
//!
//! Texts of a plan and of certificates are written as JSON strings, which YAML has too.

use serde_json::Value;

use crate::{
    dct::plan::{Plan, PlannedRepository},
    x509::Certificate,
};

/// What the settings are made of.
pub(super) struct Settings<'a> {
    /// Repositories with something to sign, each with the roots of its own keys.
    repositories: Vec<(&'a PlannedRepository, Vec<&'a Certificate>)>,
    roots: Vec<&'a Certificate>,
    store: &'a str,
    strict: &'a Value,
}

impl<'a> Settings<'a> {
    /// `roots_of` gives the roots of a repository's keys, each once, and of all keys without a repository.
    pub(super) fn new(
        plan: &'a Plan,
        roots_of: &dyn Fn(Option<&PlannedRepository>) -> Vec<&'a Certificate>,
        store: &'a str,
        strict: &'a Value,
    ) -> Self {
        let signed = plan.repositories.iter().filter(|one| !one.signatures.is_empty());
        let repositories = signed.map(|one| (one, roots_of(Some(one)))).collect();
        Self { repositories, roots: roots_of(None), store, strict }
    }

    /// Names and texts.
    pub(super) fn files(&self) -> Result<[(&'static str, String); 3], serde_json::Error> {
        Ok([
            ("ratify.yaml", self.ratify()?),
            ("kyverno.yaml", self.kyverno()?),
            ("connaisseur.yaml", self.connaisseur()?),
        ])
    }

    fn ratify(&self) -> Result<String, serde_json::Error> {
        let policy = serde_json::to_string_pretty(self.strict)?.replace('\n', "\n      ");
        Ok(format!(
            "# Ratify 1.x: the notation verifier with trustpolicy.strict.json as it stands. To begin without refusing\n\
             # anything, take the statements of trustpolicy.audit.json, or Gatekeeper's enforcementAction warn or dryrun.\n\
             # It cannot express: user metadata, so not that a tag belongs to a digest.\n\
             apiVersion: config.ratify.deislabs.io/v1beta1\n\
             kind: KeyManagementProvider\n\
             metadata:\n  name: {store}\n\
             spec:\n  type: inline\n  parameters:\n    contentType: certificate\n    value: |\n{roots}\
             ---\n\
             apiVersion: config.ratify.deislabs.io/v1beta1\n\
             kind: Verifier\n\
             metadata:\n  name: verifier-notation\n\
             spec:\n  name: notation\n  artifactTypes: application/vnd.cncf.notary.signature\n  parameters:\n\
             \x20   verificationCertStores:\n      ca:\n        {store}:\n          - {store}\n\
             \x20   trustPolicyDoc:\n      {policy}\n",
            store = quoted(self.store)?,
            roots = certificates(&self.roots, "      "),
        ))
    }

    fn kyverno(&self) -> Result<String, serde_json::Error> {
        let mut text = "# Kyverno: verifyImages of the type Notary. Audit first; then Enforce, and with it mutateDigest and verifyDigest\n\
             # true, so that what was verified is what runs. Kyverno takes no mutateDigest true under Audit.\n\
             # It cannot express: trusted identities (every certificate below a repository's roots is accepted), levels other\n\
             # than Audit and Enforce, user metadata.\n\
             apiVersion: kyverno.io/v1\n\
             kind: ClusterPolicy\n\
             metadata:\n  name: notary-project-signatures\n\
             spec:\n  validationFailureAction: Audit\n  webhookTimeoutSeconds: 30\n  rules:\n\
             \x20   - name: signed\n      match:\n        any:\n          - resources:\n              kinds: [Pod]\n\
             \x20     verifyImages:\n"
            .to_owned();
        for (planned, roots) in &self.repositories {
            let repository = planned.place();
            let images = [":*", "@*"].map(|rest| quoted(&format!("{repository}{rest}")));
            let [by_tag, by_digest] = images;
            text.push_str(&format!(
                "        - type: Notary\n          imageReferences:\n            - {}\n            - {}\n\
                 \x20         mutateDigest: false\n          verifyDigest: false\n\
                 \x20         attestors:\n            - count: 1\n              entries:\n                - certificates:\n\
                 \x20                   cert: |-\n{}",
                by_tag?,
                by_digest?,
                certificates(roots, "                      "),
            ));
        }
        Ok(text)
    }

    fn connaisseur(&self) -> Result<String, serde_json::Error> {
        let (mut validators, mut policy) = (String::new(), String::new());
        for (planned, roots) in &self.repositories {
            let (repository, name) = (planned.place(), quoted(&planned.statement)?);
            validators.push_str(&format!(
                "    - name: {name}\n      type: notation\n      trustRoots:\n"
            ));
            // It reads the first certificate of a root, and no other.
            for (number, root) in (1..).zip(roots) {
                validators.push_str(&format!(
                    "        - name: root-{number}\n          cert: |\n{}",
                    certificates(&[root], "            ")
                ));
            }
            if roots.is_empty() {
                validators.push_str(&certificates(&[], "        "));
            }
            for rest in [":*", "@*"] {
                policy.push_str(&format!(
                    "    - pattern: {}\n      validator: {name}\n      with:\n        trustRoot: \"*\"\n        verificationLevel: strict\n",
                    quoted(&format!("{repository}{rest}"))?,
                ));
            }
        }
        Ok(format!(
            "# Connaisseur 3.x: values of its chart, in place of validators of the type notaryv1.\n\
             # These lists take the place of the chart's own, and an image that no pattern matches is denied: add validators\n\
             # and patterns for whatever else runs in the cluster, Connaisseur's own image among it.\n\
             # To begin without refusing anything: features.detectionMode, as here, or verificationLevel audit;\n\
             # automaticUnchangedApproval lets what runs already go on.\n\
             # It cannot express: trusted identities (every certificate below a repository's roots is accepted), user\n\
             # metadata.\n\
             application:\n  features:\n    detectionMode: true\n  validators:\n{validators}  policy:\n{policy}"
        ))
    }
}

/// Text as YAML has it.
fn quoted(text: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(text)
}

/// Certificates, indented; a comment where none is known yet.
fn certificates(roots: &[&Certificate], indent: &str) -> String {
    if roots.is_empty() {
        return format!(
            "{indent}# no certificate is known yet: run dct plan again with the keys\n"
        );
    }
    let pem = roots.iter().map(|root| root.to_pem());
    pem.flat_map(|pem| pem.lines().map(|line| format!("{indent}{line}\n")).collect::<Vec<_>>())
        .collect()
}
