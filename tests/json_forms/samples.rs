//! What the commands print with `--output json`, one sample for each form that it can have.

use std::{fs, path::Path, sync::LazyLock};

use notation_sdk::{
    algorithm::KeySpec,
    pki::{CertificateTemplate, Extension},
    testing::{TestPki, name, set_extension, validity},
    x509::{CertificateChain, to_pem},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::UtcDateTime;

use crate::support::{
    command::{Finished, Run},
    der::{distribution_point, sequence},
    fake_http::{Answer, FakeHttp},
    layout::Layout,
    quickstart::Quickstart,
    revocation::TestCrl,
    trust_data::{self, GUN, TrustKey, TrustRepository},
    tsa::{TsaServer, TsaSettings},
};

/// One object that a command printed.
pub(super) struct Sample {
    pub(super) schema: &'static str,
    /// Which form it is.
    pub(super) what: String,
    pub(super) json: Value,
}

/// Every sample; the commands run once.
pub(super) fn all() -> &'static [Sample] {
    static ALL: LazyLock<Vec<Sample>> = LazyLock::new(|| {
        let mut samples = Samples(Vec::new());
        samples.verdicts_on_artifacts();
        samples.broken_signatures();
        samples.verdicts_on_files();
        samples.signing();
        samples.envelopes();
        samples.keys();
        samples.certificates();
        samples.policies();
        samples.revocation();
        samples.trust_stores();
        samples.trust_data();
        samples.logins();
        samples.errors();
        samples.0
    });
    &ALL
}

struct Samples(Vec<Sample>);

/// `verify` of quickstart's artifact.
const VERIFY: [&str; 5] = ["verify", "--oci-layout", "layout:v1", "--scope", Quickstart::SCOPE];

impl Samples {
    fn take(&mut self, schema: &'static str, what: &str, finished: &Finished) {
        let json = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{what}: {error}: {finished:?}"));
        self.0.push(Sample { schema, what: what.to_owned(), json });
    }

    /// Runs a command in a quickstart's folder.
    fn run(
        &mut self,
        (schema, what): (&'static str, &str),
        quickstart: &Quickstart,
        words: &[&str],
        status: i32,
    ) {
        let finished = quickstart.run(&[words, &["-o", "json"]].concat()).expect_status(status);
        self.take(schema, what, &finished);
    }

    fn verdicts_on_artifacts(&mut self) {
        let quickstart = Quickstart::new();
        let mut verify = |what: &str, quickstart: &Quickstart, status: i32| {
            self.run(("verify", what), quickstart, &VERIFY, status);
        };
        verify("verified", &quickstart, 0);
        let another = json!(["x509.subject: C=US, ST=WA, O=Other"]);
        quickstart.change_policy(|statement| statement["trustedIdentities"] = another);
        verify("rejected", &quickstart, 3);
        quickstart.change_policy(|statement| {
            statement["signatureVerification"] = json!({"level": "audit"});
        });
        verify("with failures", &quickstart, 0);
        quickstart.change_policy(|statement| {
            statement["signatureVerification"] =
                json!({"level": "strict", "override": {"revocation": "skip"}});
            statement["trustedIdentities"] = json!(["*"]);
        });
        verify("revocation is left out", &quickstart, 0);
        quickstart.remove_trust_store();
        verify("a trust store is missing", &quickstart, 5);
        quickstart.write_policy(
            "trustpolicy.json",
            &json!([{
                "name": "none", "registryScopes": [Quickstart::SCOPE], "signatureVerification": {"level": "skip"},
            }]),
        );
        verify("skipped", &quickstart, 0);
    }

    fn broken_signatures(&mut self) {
        let quickstart = Quickstart::new();
        quickstart.run(&["sign", "--force", "--oci-layout", "layout:v1"]).expect_status(0);
        let listed = quickstart.run(&["list", "--oci-layout", "layout:v1", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed.expect_status(0).stdout).unwrap();
        let manifest =
            |i: usize| quickstart.blob(listed["signatures"][i]["manifest"].as_str().unwrap());
        let envelope: Value = serde_json::from_slice(&fs::read(manifest(0)).unwrap()).unwrap();
        let envelope = quickstart.blob(envelope["layers"][0]["digest"].as_str().unwrap());
        fs::write(envelope, b"{}").unwrap();
        let limited = [&VERIFY[..], &["--max-signatures", "1"]].concat();
        self.run(
            ("verify", "an envelope that is changed, and one too many"),
            &quickstart,
            &limited,
            3,
        );
        fs::write(manifest(1), b"{}").unwrap();
        self.run(("verify", "a manifest that is changed"), &quickstart, &VERIFY, 3);
        for command in ["list", "inspect"] {
            let words = [command, "--oci-layout", "layout:v1"];
            self.run((command, "signatures that are changed"), &quickstart, &words, 0);
        }
        let layout = Layout::new(b"unsigned");
        let reference = layout.reference();
        let words = ["verify", "--oci-layout", &reference, "--scope", Quickstart::SCOPE];
        self.run(("verify", "unsigned"), &quickstart, &words, 4);
        for command in ["list", "inspect"] {
            self.run((command, "unsigned"), &quickstart, &[command, "--oci-layout", &reference], 0);
        }
    }

    /// A signer whose certificate names a CRL of nobody, and one of a server; and a timestamp.
    fn revocation(&mut self) {
        let quickstart = Quickstart::new();
        let chain = ["keys/chain.pem"];
        let check = [&["revocation", "check"][..], &chain].concat();
        self.run(("revocation-check", "nobody to ask"), &quickstart, &check, 0);
        let fetch = [&["revocation", "fetch"][..], &chain, &["--to", "evidence.json"]].concat();
        self.run(("revocation-fetch", "nobody to ask"), &quickstart, &fetch, 0);

        let at = UtcDateTime::now();
        let server = FakeHttp::start(|_| Answer::new(404, "nothing here"));
        let url = format!("{}/crl", server.url());
        let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(at));
        let points = sequence(&[distribution_point(&[&url], &[])]);
        set_extension(&mut leaf, Extension::new("2.5.29.31", false, &points));
        let pki = TestPki::with_templates(KeySpec::Ec256, at, |_| {}, leaf).unwrap();
        quickstart.write("named.pem", to_pem(&pki.chain));
        let check = ["revocation", "check", "named.pem"];
        self.run(("revocation-check", "no answer"), &quickstart, &check, 3);
        let fetch = ["revocation", "fetch", "named.pem", "--to", "named.json"];
        self.run(("revocation-fetch", "no answer"), &quickstart, &fetch, 9);
        let good = TestCrl::new(&pki.chain.certificates()[1], at).sign(&pki.issuing_key);
        quickstart.write("good.crl", &good);
        let offline = [&check[..], &["--offline", "--evidence", "good.crl"]].concat();
        self.run(("revocation-check", "good"), &quickstart, &offline, 0);
        let revoked =
            TestCrl::new(&pki.chain.certificates()[1], at).revoke(pki.chain.leaf(), Some(1));
        quickstart.write("good.crl", revoked.sign(&pki.issuing_key));
        self.run(("revocation-check", "revoked"), &quickstart, &offline, 3);
        self.timestamp();
    }

    fn timestamp(&mut self) {
        let settings = TsaSettings { accuracy: "millisecs:1", ..TsaSettings::default() };
        let Some(tsa) = TsaServer::or_skip(&settings) else { return };
        let quickstart = Quickstart::new();
        // The whole range of the timestamp has to be within the new certificate's validity.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let root = CertificateChain::from_ordered(tsa.tsa.pki.roots()).unwrap();
        quickstart.write("tsa.pem", to_pem(&root));
        let url = tsa.url();
        let sign = ["sign", "--oci-layout", "layout:v1", "-m", "timestamped=yes"];
        let timestamp = ["--timestamp-url", &url, "--timestamp-root-cert", "tsa.pem"];
        quickstart.run(&[&sign[..], &timestamp].concat()).expect_status(0);
        let add = ["cert", "add", "--type", "tsa", "--store", "times", "tsa.pem"];
        quickstart.run(&add).expect_status(0);
        quickstart.change_policy(|statement| {
            statement["trustStores"] = json!(["ca:quickstart", "tsa:times"]);
        });
        let verify = [&VERIFY[..], &["-m", "timestamped=yes"]].concat();
        self.run(("verify", "a timestamp"), &quickstart, &verify, 0);
    }

    fn trust_stores(&mut self) {
        let quickstart = Quickstart::new();
        self.run(("cert-list", "one"), &quickstart, &["cert", "list"], 0);
        let listed = quickstart.run(&["cert", "list", "-o", "json"]).expect_status(0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let file = listed["certificates"][0]["file"].as_str().unwrap().to_owned();
        let show = ["cert", "show", "--type", "ca", "--store", "quickstart", &file];
        self.run(("cert-show", "one"), &quickstart, &show, 0);
        quickstart
            .write("config/notation/truststore/x509/ca/quickstart/notes.txt", "no certificate");
        self.run(("cert-list", "a problem"), &quickstart, &["cert", "list"], 0);
    }

    fn verdicts_on_files(&mut self) {
        let quickstart = Quickstart::new();
        quickstart.write("tool", "content");
        let sign = ["blob", "sign", "tool"];
        self.run(("blob-sign", "a file"), &quickstart, &sign, 0);
        let verify = ["blob", "verify", "tool", "--signature", "tool.jws.sig"];
        self.run(("verify", "a file"), &quickstart, &verify, 0);
        quickstart.write("tool", "other content");
        self.run(("verify", "a file that is changed"), &quickstart, &verify, 3);
        quickstart.write("tool.jws.sig", "no signature");
        self.run(
            ("verify", "a file with something else than a signature"),
            &quickstart,
            &verify,
            3,
        );
        quickstart.write_policy(
            "trustpolicy.blob.json",
            &json!([{"name": "none", "signatureVerification": {"level": "skip"}}]),
        );
        let named = [&verify[..], &["--policy-name", "none"]].concat();
        self.run(("verify", "a file that is skipped"), &quickstart, &named, 0);
    }

    /// Several artifacts at once, each of which is a sample too.
    fn several(&mut self, quickstart: &Quickstart) {
        let references = ["layout:v1", "layout:none"];
        for (command, more) in [("sign", &[][..]), ("verify", &["--scope", Quickstart::SCOPE])] {
            let words = [&[command, "--oci-layout"][..], &references, more].concat();
            self.run(("results", command), quickstart, &words, 9);
            let results = self.0.last().unwrap().json["results"].as_array().unwrap().clone();
            let [good, failed] = results.as_slice() else { panic!("{results:?}") };
            let what = "one of several".to_owned();
            self.0.push(Sample { schema: command, what: what.clone(), json: good.clone() });
            let mut error = failed.clone();
            error.as_object_mut().unwrap().remove("reference").unwrap();
            self.0.push(Sample { schema: "error", what, json: error });
        }
    }

    fn signing(&mut self) {
        let quickstart = Quickstart::new();
        let sign = ["sign", "--oci-layout", "layout:v1", "--expiry", "1h", "-m", "build=7"];
        self.run(("sign", "an artifact"), &quickstart, &sign, 0);
        self.run(("sign", "an artifact that is signed"), &quickstart, &sign, 0);
        self.several(&quickstart);
        let listed = quickstart.run(&["list", "--oci-layout", "layout:v1", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let root = listed["signatures"][0]["thumbprints"][2].as_str().unwrap();
        let find = ["list", "--oci-layout", "layout", "--signed-by", root];
        self.run(("list-signed-by", "a layout"), &quickstart, &find, 0);
        let copy = ["copy", "layout:v1", "copied", "--from-oci-layout", "--to-oci-layout"];
        let copy = [&copy[..], &["--scope", Quickstart::SCOPE]].concat();
        self.run(("copy", "a layout"), &quickstart, &copy, 0);
        for command in ["list", "inspect"] {
            let words = [command, "--oci-layout", "layout:v1"];
            self.run((command, "signed twice"), &quickstart, &words, 0);
        }
    }

    fn envelopes(&mut self) {
        let quickstart = Quickstart::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/interop/envelopes");
        for name in [
            "ok-user-metadata.jws",
            "ok-expiry-future.cose",
            "ok-signing-authority.jws",
            "ok-tsa-p256.cose",
            "odd-attr-critical.jws",
            "bad-tampered-payload-rsa2048.jws",
            "bad-payload-notjson.cose",
        ] {
            let path = folder.join(name);
            let words = ["blob", "inspect", path.to_str().unwrap()];
            self.run(("blob-inspect", name), &quickstart, &words, 0);
        }
    }

    fn keys(&mut self) {
        let quickstart = Quickstart::new();
        let list = quickstart.path("config/notation/signingkeys.json");
        let mut keys: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
        let mut broken = keys["keys"][0].clone();
        broken["name"] = "broken".into();
        broken["pluginConfig"]["cert-chain"] = "/none/chain.pem".into();
        let foreign = json!({"name": "foreign", "id": "x", "pluginName": "other"});
        let local = json!({"name": "local", "keyPath": "/k", "certPath": "/c"});
        keys["keys"].as_array_mut().unwrap().extend([broken, foreign, local]);
        fs::write(list, keys.to_string()).unwrap();
        self.run(("key-list", "keys of all kinds"), &quickstart, &["key", "list"], 0);
        for name in ["quickstart", "broken", "foreign", "local"] {
            self.run(("key-describe", name), &quickstart, &["key", "describe", name], 0);
        }
        self.run(("version", "this one"), &quickstart, &["version"], 0);
    }

    fn certificates(&mut self) {
        let quickstart = Quickstart::new();
        let mut check = |what: &str, words: &[&str], status: i32| {
            let words = [&["cert", "check"], words].concat();
            self.run(("cert-check", what), &quickstart, &words, status);
        };
        check("a good chain", &["keys/chain.pem"], 0);
        let id = quickstart.key_reference();
        check("a good chain, held against its key", &["keys/chain.pem", "--id", &id], 0);
        check("another purpose", &["keys/chain.pem", "--purpose", "timestamping"], 3);
        quickstart.write_certificates("cut.pem", 0, 2);
        check("no root", &["cut.pem"], 3);
    }

    fn policies(&mut self) {
        let quickstart = Quickstart::new();
        self.run(("policy-check", "valid"), &quickstart, &["policy", "check"], 0);
        quickstart.write("no-json", "{}{}");
        self.run(("policy-check", "no JSON"), &quickstart, &["policy", "check", "no-json"], 3);
        let explain = ["policy", "explain", "local/quickstart:v1"];
        self.run(("policy-explain", "strict"), &quickstart, &explain, 0);
        quickstart.remove_trust_store();
        self.run(("policy-explain", "a trust store is missing"), &quickstart, &explain, 0);
        quickstart.change_policy(|statement| {
            statement["registryScopes"] = json!(["*"]);
            statement["trustStores"] = json!(["signingAuthority:times", "tsa:times"]);
            statement["signatureVerification"] =
                json!({"level": "permissive", "override": {"revocation": "skip"}, "verifyTimestamp": "afterCertExpiry"});
        });
        self.run(("policy-explain", "permissive, global"), &quickstart, &explain, 0);
        quickstart.change_policy(|statement| {
            *statement = json!({"name": "none", "registryScopes": [Quickstart::SCOPE], "signatureVerification": {"level": "skip"}});
        });
        self.run(("policy-explain", "skip"), &quickstart, &explain, 0);
        quickstart.change_policy(|statement| statement["trustStore"] = json!([]));
        let check = ["policy", "check"];
        self.run(("policy-check", "a member that is not known"), &quickstart, &check, 3);
    }

    fn trust_data(&mut self) {
        let data = TrustRepository::new().build();
        let server = FakeHttp::start(move |request| {
            let file = request.target.strip_prefix(&format!("/v2/{GUN}/_trust/tuf/"));
            match file.and_then(|file| data.get(file)) {
                Some(bytes) => Answer::new(200, bytes),
                None if request.target.contains("/broken/") => Answer::new(500, "oops"),
                None => Answer::new(404, r#"{"errors":[{"code":"METADATA_NOT_FOUND"}]}"#),
            }
        });
        let home = TempDir::new().unwrap();
        let url = server.url();
        let export = ["export", "--server", &url, "acme/broken", "acme/none", GUN];
        self.dct(("dct-export", "one of three"), home.path(), &export, 9);
        let inspect = ["inspect", "dct-archive"];
        self.dct(("dct-inspect", "trusted on first use"), home.path(), &inspect, 0);
        let known = self.0.last().unwrap().json["repositories"][0]["rootKeys"][0]["id"].clone();
        for (what, key, status) in
            [("pinned", known.as_str().unwrap(), 0), ("not what is pinned", &"0".repeat(64), 3)]
        {
            let pinned = [&inspect[..], &["--pin-root", key]].concat();
            self.dct(("dct-inspect", what), home.path(), &pinned, status);
        }
        self.odd_trust_data();
        self.uses_of_content_trust();
        self.leaving_content_trust();
    }

    /// A tag with two digests, a rotated root, a delegation that is not published, a file that is not there.
    fn odd_trust_data(&mut self) {
        let home = TempDir::new().unwrap();
        let mut repository = TrustRepository::new();
        repository.rotate_root();
        repository.delegate("targets", "targets/carol", &[""], &[]);
        repository.signed.remove("targets/carol");
        repository.role("targets/bob")["expires"] = "2020-01-01T00:00:00Z".into();
        let mut data = repository.build();
        data.insert("targets/stray.json", TrustKey::ecdsa().entry().to_string().into_bytes());
        let folder = home.path().join("raw");
        trust_data::write(&data, &folder);
        fs::remove_file(folder.join("targets/alice.json")).unwrap();
        let export = ["export", "--from-raw", "raw", GUN];
        self.dct(("dct-export", "something is missing"), home.path(), &export, 3);
        self.dct(("dct-inspect", "odd"), home.path(), &["inspect", "dct-archive"], 3);
    }

    /// A plan, carried out where no registry answers.
    fn leaving_content_trust(&mut self) {
        let quickstart = Quickstart::new();
        let mut take = |sample: (&'static str, &'static str), words: &[&str], status: i32| {
            self.run(sample, &quickstart, &[&["dct"], words].concat(), status);
        };
        for (folder, raw) in [("good", "raw-good"), ("bad", "raw-bad")] {
            let mut data = TrustRepository::new().build();
            if folder == "bad" {
                data.insert("targets.json", b"{}".to_vec());
            }
            trust_data::write(&data, &quickstart.path(raw));
            let export = ["dct", "export", "--from-raw", raw, "--to", folder, GUN];
            quickstart.run(&export);
        }
        let plan = ["plan", "good", "--to", "plan", "--offline", "--key", "quickstart"];
        take(("dct-plan", "not asked"), &plan, 0);
        take(("dct-plan", "a key is missing"), &["plan", "good", "--to", "other", "--offline"], 0);
        take(("dct-plan", "refused"), &["plan", "bad", "--to", "third", "--offline"], 9);
        let file = quickstart.path("plan/plan.json");
        let text = fs::read_to_string(&file).unwrap();
        let nowhere = format!("\"repository\": \"{GUN}\"");
        assert!(text.contains(&nowhere), "{text}");
        fs::write(&file, text.replace(&nowhere, "\"repository\": \"127.0.0.1:1/acme/app\""))
            .unwrap();
        take(("dct-plan", "moved"), &plan, 0);
        take(("dct-migrate", "no registry"), &["migrate", "plan/plan.json"], 6);
        let plan = ["--plan", "plan/plan.json"];
        take(("dct-status", "no registry"), &[&["status", "good"][..], &plan].concat(), 6);
        take(("dct-status", "refused"), &["status", "bad"], 9);
    }

    /// Lines and a variable, a file that is too large, and nothing.
    fn uses_of_content_trust(&mut self) {
        let home = TempDir::new().unwrap();
        self.dct(("dct-audit", "nothing"), home.path(), &["audit", "."], 0);
        self.dct(("dct-audit", "rules"), home.path(), &["audit", "--rules"], 0);
        fs::write(home.path().join("a.sh"), "docker trust sign acme/app:1\n").unwrap();
        fs::write(home.path().join("dump.sql"), "x".repeat(9 * 1024 * 1024)).unwrap();
        self.dct(("dct-audit", "lines"), home.path(), &["audit", "."], 3);
        fs::create_dir_all(home.path().join(".docker/trust/private")).unwrap();
        fs::write(home.path().join(".docker/trust/private/0a.key"), "role: root\n").unwrap();
        self.dct(("dct-audit", "a machine"), home.path(), &["audit", "--host"], 3);
    }

    fn dct(&mut self, form: (&'static str, &str), home: &Path, words: &[&str], status: i32) {
        let run = Run::notation_kms().home(home).current_dir(home);
        let finished = run.arg("dct").args(words).args(["-o", "json"]).finish();
        self.take(form.0, form.1, &finished.expect_status(status));
    }

    fn logins(&mut self) {
        let quickstart = Quickstart::new();
        let server = FakeHttp::start(|request| match request.header("authorization") {
            None => Answer::new(401, "").header("WWW-Authenticate", "Basic realm=test"),
            Some(_) => Answer::new(200, "{}"),
        });
        let host = server.url().trim_start_matches("http://").to_owned();
        let login = ["login", &host, "--insecure-registry", "--plain-text", "-o", "json"];
        let run = |words: &[&str]| Run::notation_kms().home(&quickstart.path("")).args(words);
        let token = run(&login).env("NOTATION_PASSWORD", "hunter2").finish();
        self.take(
            "error",
            "an identity token where a password is asked for",
            &token.expect_status(7),
        );
        let user = run(&login).args(["-u", "me"]).env("NOTATION_PASSWORD", "hunter2").finish();
        self.take("login", "a user", &user.expect_status(0));
        let logout = ["logout", &host, "-o", "json"];
        self.take("logout", "a user", &run(&logout).finish().expect_status(0));
        let auths = json!({"auths": {&host: {"auth": "bWU6aHVudGVyMg=="}}}).to_string();
        let left = run(&logout).env("DOCKER_AUTH_CONFIG", auths).finish().expect_status(0);
        self.take("logout", "credentials elsewhere", &left);
    }

    fn errors(&mut self) {
        let quickstart = Quickstart::new();
        let mut error = |what: &str, words: &[&str], status: i32| {
            self.run(("error", what), &quickstart, words, status);
        };
        error("a wrong command line", &["verify"], 2);
        error("no such tag", &["list", "--oci-layout", "layout:v2"], 8);
        error("no such key", &["key", "describe", "none"], 5);
        error("no certificates", &["cert", "check", "layout/index.json"], 2);
        let policy = ["policy", "explain", "local/other"];
        error("no statement", &policy, 5);
        fs::remove_file(quickstart.path("config/notation/trustpolicy.json")).unwrap();
        self.run(("error", "no trust policy"), &quickstart, &VERIFY, 5);
    }
}
