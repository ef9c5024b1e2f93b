//! Timestamp authorities: openssl, with keys and certificates that this library made.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use notation_sdk::{
    Certificate, CertificateChain,
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{CertificateTemplate, Extension, Issuer},
    testing::{chain, name, ready, set_extension, validity},
    x509::to_pem,
};
use tempfile::TempDir;
use time::UtcDateTime;

use super::{
    command::{Finished, Run},
    component::Component,
    fake_http::{Answer, FakeHttp, Request},
};

pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// `SEQUENCE { id-kp-timeStamping }`
pub(crate) const TIME_STAMPING: [u8; 12] = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];

/// A root, an issuing CA and a signer of timestamps.
#[derive(Debug)]
pub(crate) struct TsaPki {
    pub(crate) root_key: FileKey,
    pub(crate) issuing_key: FileKey,
    pub(crate) signer_key: FileKey,
    signer_pem: String,
    /// Signer, issuing CA, root.
    pub(crate) chain: CertificateChain,
}

/// What an authority is to be like.
#[derive(Debug)]
pub(crate) struct TsaSettings {
    pub(crate) key: KeySpec,
    /// As openssl calls it.
    pub(crate) digest: &'static str,
    /// `secs:1, millisecs:500`; left out, where it is empty.
    pub(crate) accuracy: &'static str,
    /// Places of a second.
    pub(crate) places: u8,
    pub(crate) policy: &'static str,
}

/// An authority that knows the time.
#[derive(Debug)]
pub(crate) struct Tsa {
    program: PathBuf,
    folder: TempDir,
    pub(crate) pki: TsaPki,
    configuration: String,
    /// How many tokens it gave.
    serial: AtomicU32,
}

/// An authority on the network of this machine.
#[derive(Debug)]
pub(crate) struct TsaServer {
    pub(crate) tsa: Arc<Tsa>,
    http: FakeHttp,
}

impl TsaPki {
    /// One whose certificates are valid around `at`.
    pub(crate) fn new(signer: KeySpec, at: UtcDateTime) -> Self {
        Self::with_signer(signer, validity(at), |_| {})
    }

    /// One of that validity, with the signer's template changed.
    pub(crate) fn with_signer(
        spec: KeySpec,
        validity: (UtcDateTime, UtcDateTime),
        change: impl FnOnce(&mut CertificateTemplate),
    ) -> Self {
        let key = |spec| FileKey::generate(spec).unwrap();
        let ((_, root_key), (_, issuing_key)) = (key(KeySpec::Ec384), key(KeySpec::Ec384));
        let (signer_pem, signer_key) = key(spec);
        let root = CertificateTemplate::ca(name("TSA root"), validity, 1);
        let root = ready(root.issue(&root_key, Issuer::Itself)).unwrap();
        let issuing = CertificateTemplate::ca(name("TSA issuing"), validity, 0);
        let issuing = ready(issuing.issue(&issuing_key, Issuer::Ca(&root, &root_key))).unwrap();
        let mut signer = timestamping(validity);
        change(&mut signer);
        let signer = ready(signer.issue(&signer_key, Issuer::Ca(&issuing, &issuing_key))).unwrap();
        let chain = chain([signer, issuing, root]);
        Self { root_key, issuing_key, signer_key, signer_pem: signer_pem.to_string(), chain }
    }

    /// A signer whose certificate is the whole chain.
    pub(crate) fn self_signed(at: UtcDateTime) -> Self {
        let mut pki = Self::new(KeySpec::Ec256, at);
        let signer = timestamping(validity(at));
        pki.chain = chain([ready(signer.issue(&pki.signer_key, Issuer::Itself)).unwrap()]);
        pki
    }

    /// What a store of type `tsa` holds.
    pub(crate) fn roots(&self) -> Vec<Certificate> {
        vec![self.chain.root().clone()]
    }
}

fn timestamping(validity: (UtcDateTime, UtcDateTime)) -> CertificateTemplate {
    let mut template = CertificateTemplate::code_signing(name("TSA"), validity);
    set_extension(&mut template, Extension::new(EXTENDED_KEY_USAGE, true, &TIME_STAMPING));
    template
}

impl Default for TsaSettings {
    fn default() -> Self {
        Self {
            key: KeySpec::Ec256,
            digest: "sha256",
            accuracy: "secs:1, millisecs:500",
            places: 0,
            policy: "1.2.3.4.1",
        }
    }
}

impl Tsa {
    pub(crate) fn or_skip(settings: &TsaSettings) -> Option<Self> {
        Self::with_pki(settings, TsaPki::new(settings.key, UtcDateTime::now()))
    }

    /// One with these keys and certificates.
    pub(crate) fn with_pki(settings: &TsaSettings, pki: TsaPki) -> Option<Self> {
        let program = Component::Openssl.or_skip()?;
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("signer.key", &pki.signer_pem);
        // openssl takes the first certificate for the signer, and adds all of the second file.
        write("signer.crt", &to_pem(&pki.chain));
        let [_, issuing, root] = pki.chain.certificates() else { panic!("three certificates") };
        write("issuing.crt", &to_pem(&chain([issuing.clone()])));
        write("root.crt", &to_pem(&chain([root.clone()])));
        let configuration = configuration(settings);
        Some(Self { program, folder, pki, configuration, serial: AtomicU32::new(0) })
    }

    /// The root certificate, PEM.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.crt")
    }

    /// Answers a `TimeStampReq`, whatever it is, with a `TimeStampResp`.
    pub(crate) fn reply(&self, query: &[u8]) -> Vec<u8> {
        let work = self.work();
        // openssl counts in a file, and several requests may come at once.
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        work.write("serial", format!("{serial:08X}").as_bytes());
        let serial = work.path("serial");
        work.write("tsa.cnf", self.configuration.replace("SERIAL", &serial).as_bytes());
        work.write("query", query);
        let (configuration, query, reply) =
            (work.path("tsa.cnf"), work.path("query"), work.path("reply"));
        self.ts(&["-reply", "-config", &configuration, "-queryfile", &query, "-out", &reply])
            .expect_status(0);
        work.read("reply")
    }

    /// The token of a timestamp of `message` that openssl asks itself for, with certificates.
    pub(crate) fn token(&self, message: &[u8], digest: &str) -> Vec<u8> {
        let work = self.work();
        work.write("message", message);
        let (message, query) = (work.path("message"), work.path("query"));
        let digest = format!("-{digest}");
        self.ts(&["-query", "-cert", "-data", &message, &digest, "-out", &query]).expect_status(0);
        work.write("reply", &self.reply(&work.read("query")));
        let (reply, token) = (work.path("reply"), work.path("token"));
        self.ts(&["-reply", "-in", &reply, "-token_out", "-out", &token]).expect_status(0);
        work.read("token")
    }

    /// Whether openssl verifies a token of `message` by this authority's root.
    pub(crate) fn verifies(&self, token: &[u8], message: &[u8]) -> bool {
        let work = self.work();
        work.write("token", token);
        work.write("message", message);
        let (token, message) = (work.path("token"), work.path("message"));
        let root = self.root().display().to_string();
        self.ts(&["-verify", "-token_in", "-in", &token, "-data", &message, "-CAfile", &root])
            .status
            == Some(0)
    }

    fn ts(&self, words: &[&str]) -> Finished {
        Run::new(&self.program).current_dir(self.folder.path()).arg("ts").args(words).finish()
    }

    fn work(&self) -> Work {
        Work(TempDir::new_in(self.folder.path()).unwrap())
    }

    /// Answers over HTTP from now on.
    pub(crate) fn serve(self) -> TsaServer {
        let tsa = Arc::new(self);
        let answering = Arc::clone(&tsa);
        let http = FakeHttp::start(move |request| answering.answer(request));
        TsaServer { tsa, http }
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.method != "POST" {
            return Answer::new(405, "");
        }
        if request.header("content-type") != Some("application/timestamp-query") {
            return Answer::new(415, "");
        }
        Answer::new(200, self.reply(&request.bytes))
            .header("Content-Type", "application/timestamp-reply")
    }
}

/// The files of one call of openssl.
struct Work(TempDir);

impl Work {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

impl TsaServer {
    pub(crate) fn or_skip(settings: &TsaSettings) -> Option<Self> {
        Tsa::or_skip(settings).map(Tsa::serve)
    }

    pub(crate) fn url(&self) -> String {
        self.http.url()
    }

    /// How many times it was asked.
    pub(crate) fn requests(&self) -> usize {
        self.http.requests().len()
    }
}

fn configuration(settings: &TsaSettings) -> String {
    let TsaSettings { digest, accuracy, places, policy, .. } = settings;
    let accuracy = match *accuracy {
        "" => String::new(),
        accuracy => format!("accuracy = {accuracy}\n"),
    };
    format!(
        "[tsa]\ndefault_tsa = t\n[t]\nserial = SERIAL\ncrypto_device = builtin\n\
         signer_cert = signer.crt\nsigner_key = signer.key\ncerts = issuing.crt\n\
         signer_digest = {digest}\ndefault_policy = {policy}\ndigests = sha1, sha256, sha384, sha512\n\
         {accuracy}clock_precision_digits = {places}\nordering = yes\ntsa_name = yes\n\
         ess_cert_id_chain = no\ness_cert_id_alg = sha256\n"
    )
}
