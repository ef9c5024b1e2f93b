//! What `dct plan` writes for admission controllers, held against what those take.

use std::{collections::BTreeSet, fs};

use notation_sdk::{trust::OciPolicy, x509::parse_bundle};
use serde_json::{Value, json};

use super::{World, json_of_file};
use crate::support::quickstart::Quickstart;

const COMMA: &str = "C=US,ST=WA,O=Acme\\, Inc.,CN=release";

/// A plan with two keys of different roots for one repository, and one key that nothing uses.
struct Enforced {
    world: World,
    _other: Quickstart,
}

impl Enforced {
    fn or_skip() -> Option<Self> {
        let world = World::or_skip(&["2.0"])?;
        let other = Quickstart::new();
        let quickstart = &world.multi.quickstart;
        let (key, chain) = (quickstart.key_reference(), quickstart.path("comma.pem"));
        let chain = chain.to_str().unwrap();
        let words =
            ["cert", "self-sign", "--id", &key, "--subject", COMMA, "--days", "9", "--to", chain];
        quickstart.run(&words).expect_status(0);
        world.plan(&["--offline"]).expect_status(0);
        let (repository, others) = (world.repository(), other.path("keys/chain.pem"));
        let planned = |id: &str, chain: &str| json!({"name": null, "id": id, "certChain": chain});
        world.edit_plan(|plan| {
            plan["repositories"][0]["repository"] = json!(repository);
            plan["repositories"][0]["signatures"][1]["key"] = json!("other");
            plan["keys"]["alice"] = planned(&key, chain);
            plan["keys"]["other"] = planned(&other.key_reference(), others.to_str().unwrap());
            plan["keys"]["unused"] = planned(&key, "../keys/chain.pem");
        });
        world.plan(&["--offline"]).expect_status(0);
        Some(Self { world, _other: other })
    }

    /// The documents of a file.
    fn documents(&self, name: &str) -> Vec<Value> {
        let path = self.world.multi.quickstart.path("plan/enforcement").join(name);
        let text = fs::read_to_string(path).unwrap();
        serde_yaml_ng::Deserializer::from_str(&text)
            .map(|document| serde::Deserialize::deserialize(document).unwrap())
            .collect()
    }

    /// What the images of the repository are called.
    fn images(&self) -> BTreeSet<String> {
        let repository = self.world.repository();
        [format!("{repository}:*"), format!("{repository}@*")].into()
    }
}

fn count_of_certificates(pem: &Value) -> usize {
    parse_bundle(pem.as_str().unwrap().as_bytes()).unwrap().len()
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn ratify_has_the_strict_policy_and_the_roots_of_the_keys_that_sign() {
    let Some(enforced) = Enforced::or_skip() else { return };
    let strict = enforced.world.multi.quickstart.path("plan/trustpolicy.strict.json");
    let [provider, verifier] = enforced.documents("ratify.yaml").try_into().unwrap();
    let document = &verifier["spec"]["parameters"]["trustPolicyDoc"];
    assert_eq!(*document, json_of_file(&strict));
    OciPolicy::parse(document.to_string().as_bytes()).unwrap();
    let identities = texts(&document["trustPolicies"][0]["trustedIdentities"]);
    let is_comma = |identity: &String| identity.contains("O=Acme\\, Inc.");
    assert_eq!(identities.iter().filter(|identity| is_comma(identity)).count(), 1);
    assert_eq!(identities.len(), 2, "the key that nothing uses signs nothing: {identities:?}");
    let stores = &verifier["spec"]["parameters"]["verificationCertStores"];
    assert_eq!(stores["ca"]["release"], json!([provider["metadata"]["name"]]));
    assert_eq!(count_of_certificates(&provider["spec"]["parameters"]["value"]), 2);
}

#[test]
fn kyverno_does_not_change_images_while_it_only_audits() {
    let Some(enforced) = Enforced::or_skip() else { return };
    let [policy] = enforced.documents("kyverno.yaml").try_into().unwrap();
    assert_eq!(policy["spec"]["validationFailureAction"], "Audit");
    let [verify] = policy["spec"]["rules"][0]["verifyImages"].as_array().unwrap().as_slice() else {
        panic!("{policy:#}");
    };
    assert_eq!((&verify["type"], &verify["mutateDigest"]), (&json!("Notary"), &json!(false)));
    assert_eq!(texts(&verify["imageReferences"]), enforced.images());
    let certificates = &verify["attestors"][0]["entries"][0]["certificates"]["cert"];
    assert_eq!(count_of_certificates(certificates), 2);
}

#[test]
fn connaisseur_has_a_root_a_certificate_and_matches_tags_and_digests() {
    let Some(enforced) = Enforced::or_skip() else { return };
    let [values] = enforced.documents("connaisseur.yaml").try_into().unwrap();
    let application = &values["application"];
    let [validator] = application["validators"].as_array().unwrap().as_slice() else {
        panic!("{values:#}");
    };
    let roots = validator["trustRoots"].as_array().unwrap();
    assert_eq!(roots.len(), 2);
    assert!(roots.iter().all(|root| count_of_certificates(&root["cert"]) == 1), "{roots:#?}");
    let names: BTreeSet<&str> = roots.iter().map(|root| root["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2);
    let rules = application["policy"].as_array().unwrap();
    let patterns: BTreeSet<String> =
        rules.iter().map(|rule| rule["pattern"].as_str().unwrap().to_owned()).collect();
    assert_eq!(patterns, enforced.images());
    for rule in rules {
        assert_eq!(rule["validator"], validator["name"]);
        assert_eq!(rule["with"], json!({"trustRoot": "*", "verificationLevel": "strict"}));
    }
}

#[test]
fn files_of_keys_that_are_not_known_yet_can_be_read() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.plan(&["--offline"]).expect_status(0);
    for name in ["ratify.yaml", "kyverno.yaml", "connaisseur.yaml"] {
        let path = world.multi.quickstart.path("plan/enforcement").join(name);
        let text = fs::read_to_string(path).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let parsed: Result<Value, _> = serde::Deserialize::deserialize(document);
            parsed.unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        }
    }
}
