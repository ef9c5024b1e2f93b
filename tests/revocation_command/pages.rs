//! The pages on revocation and on incidents: their commands do what they say.

use std::fs;

use notation_sdk::{testing::chain, x509::to_pem};
use serde_json::json;
use time::{Duration, UtcDateTime};

use super::Desk;
use crate::{
    documentation::{blocks, install, matches, shell},
    support::{
        command::Finished,
        component::Component,
        fake_ca::{CRL, FakeCa, OCSP, Pointers},
        fake_http::Answer,
        revocation::TestCrl,
        tsa::{TsaServer, TsaSettings},
    },
};

/// The folder that a page's commands run in, and what its names stand for.
struct World {
    desk: Desk,
    names: Vec<(&'static str, String)>,
}

impl World {
    /// `chain.pem`, `root.pem`, a key that is named `release`, and the artifact `app:1.0`.
    fn new(ca: FakeCa) -> Self {
        let names = [
            ("O=Acme", "O=Test".to_owned()),
            ("CN=release signing", "CN=leaf".to_owned()),
            ("CN=Acme ", "CN=".to_owned()),
            ("http://ca.acme.example", ca.url("")),
        ];
        let desk = Desk::unsigned(ca);
        install(desk.home.path());
        desk.write("root.pem", to_pem(&chain([desk.ca.pki.chain.root().clone()])).as_bytes());
        let world = Self { desk, names: names.into() };
        let policy = json!({ "version": "1.0", "trustPolicies": [{
            "name": "acme", "registryScopes": ["registry.example/team/app"],
            "signatureVerification": { "level": "strict" }, "trustStores": ["ca:acme"],
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Test"],
        }] });
        world.desk.write("policy.json", policy.to_string().as_bytes());
        let layout = world.desk.layout.path().display();
        let script = format!(
            "cp -R '{layout}' app\nsed -i 's/\"v1\"/\"1.0\"/' app/index.json\n\
             notation-kms cert add --type ca --store acme root.pem\n\
             notation-kms policy import policy.json\n\
             notation-kms key add release --id \"file://$PWD/signing.key\" --cert-chain chain.pem --default\n"
        );
        world.shell(&script);
        world
    }

    fn shell(&self, script: &str) -> Finished {
        shell(self.desk.home.path(), script).expect_status(0)
    }

    fn named(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, is)| text.replace(name, is))
    }

    /// Runs a block, which has to print what the page says.
    fn run(&self, (script, printed): &(String, Option<String>)) {
        let script = self.named(script);
        let finished = self.shell(&script);
        if let Some(printed) = printed {
            let printed = self.named(printed);
            assert!(
                matches(&printed, &finished.stdout),
                "{script}\n--- said\n{printed}\n--- printed\n{}",
                finished.stdout
            );
        }
    }
}

#[test]
fn the_commands_of_the_page_on_revocation_do_what_it_says() {
    if Component::Curl.or_skip().is_none() {
        return;
    }
    let leaf = Pointers { ocsp: &[OCSP], crl: &[&[CRL]] };
    let issuing = Pointers { ocsp: &[], crl: &[&["/root.crl"]] };
    let ca = FakeCa::with(leaf, issuing, Duration::days(365));
    ca.put_ocsp(OCSP, &ca.good());
    ca.put_crl(CRL, &ca.crl());
    let of_root = TestCrl::new(ca.pki.chain.root(), ca.at).sign(&ca.pki.root_key);
    ca.put("/root.crl", Answer::new(200, of_root));
    let world = World::new(ca);
    world.shell("notation-kms sign --oci-layout app:1.0");
    for block in blocks(include_str!("../../docs/revocation.md")) {
        world.run(&block);
    }
}

#[test]
fn the_commands_of_the_page_on_incidents_do_what_it_says() {
    let Some(tsa) = TsaServer::or_skip(&TsaSettings::default()) else { return };
    let leaf = Pointers { ocsp: &[], crl: &[&[CRL]] };
    let ca = FakeCa::with(leaf, Pointers::default(), Duration::days(30));
    let mut world = World::new(ca);
    world.names.push(("http://tsa.acme.example/", tsa.url()));
    let root = fs::read(tsa.tsa.root()).unwrap();
    world.desk.write("tsa-root.pem", &root);
    world.shell("cp -R app old && notation-kms sign --oci-layout old:1.0");
    let ca = &world.desk.ca;
    let good = TestCrl { next_update: Some(ca.at + Duration::days(400)), ..ca.crl() };
    ca.put_crl(CRL, &good);
    for block in blocks(include_str!("../../docs/incident.md")) {
        if block.0.contains("revocation check") {
            let since = UtcDateTime::now().replace_nanosecond(0).unwrap() + Duration::MINUTE;
            ca.put_crl(CRL, &good.clone().revoke_since(ca.leaf(), 1, since));
        } else if block.0.contains("without.json") {
            // Of the next section: the key is good again.
            ca.put_crl(CRL, &good);
            fs::remove_dir_all(world.desk.path("cache")).unwrap();
        }
        world.run(&block);
    }
}
