//! openssl: a certification authority, and a reader of what we write.

use std::{
    fs,
    path::{Path, PathBuf},
};

use notation_sdk::algorithm::{HashAlgorithm, KeySpec, SignatureAlgorithm};
use tempfile::TempDir;

use super::{
    command::{Finished, Run},
    component::Component,
};

/// The program, with a folder for its files.
#[derive(Debug)]
pub(crate) struct Openssl {
    program: PathBuf,
    folder: TempDir,
}

/// What the authority's certificates hold; the leaf's is what notation asks of a code-signing one.
const EXTENSIONS: &str = "\
[req]
distinguished_name=name
[name]
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[issuing]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[leaf]
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=codeSigning
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
";

impl Openssl {
    pub(crate) fn or_skip() -> Option<Self> {
        let program = Component::Openssl.or_skip()?;
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("extensions.cnf"), EXTENSIONS).unwrap();
        Some(Self { program, folder })
    }

    /// A file of this openssl's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs it on words that are split at spaces; file names are relative to the folder.
    pub(crate) fn run(&self, words: &str) -> Finished {
        Run::new(&self.program).current_dir(self.folder.path()).args(words.split(' ')).finish()
    }

    /// Makes a private key, `NAME.key`, PKCS#8 in PEM.
    pub(crate) fn create_key(&self, name: &str, spec: KeySpec) -> PathBuf {
        let kind = match spec {
            KeySpec::Ec256 => "EC -pkeyopt ec_paramgen_curve:P-256".to_owned(),
            KeySpec::Ec384 => "EC -pkeyopt ec_paramgen_curve:P-384".to_owned(),
            KeySpec::Ec521 => "EC -pkeyopt ec_paramgen_curve:P-521".to_owned(),
            rsa => format!("RSA -pkeyopt rsa_keygen_bits:{}", rsa.bits()),
        };
        self.run(&format!("genpkey -algorithm {kind} -out {name}.key")).expect_status(0);
        self.path(&format!("{name}.key"))
    }

    /// Makes a certificate request for `NAME.key`, `NAME.csr`.
    pub(crate) fn request(&self, name: &str, common_name: &str) -> PathBuf {
        self.run(&format!(
            "req -new -key {name}.key -subj /C=US/ST=WA/O=Acme/CN={common_name} -out {name}.csr"
        ))
        .expect_status(0);
        self.path(&format!("{name}.csr"))
    }

    /// Whether `signature`, as the service or openssl gives it (ECDSA in DER), is good for `message`.
    pub(crate) fn verifies(
        &self,
        spec: KeySpec,
        public_key_der: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        for (name, bytes) in
            [("public.der", public_key_der), ("message", message), ("signature", signature)]
        {
            fs::write(self.path(name), bytes).unwrap();
        }
        let hash = match spec.hash() {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha384 => "sha384",
            other => {
                assert_eq!(other, HashAlgorithm::Sha512);
                "sha512"
            }
        };
        let padding = match spec.signature_algorithm() {
            SignatureAlgorithm::RsaPss(_) => {
                " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"
            }
            _ => "",
        };
        let verify = format!(
            "dgst -{hash} -keyform DER -verify public.der{padding} -signature signature message"
        );
        self.run(&verify).status == Some(0)
    }
}

/// A root and an issuing authority, on P-384 keys because those are quick to make.
#[derive(Debug)]
pub(crate) struct Authority<'a> {
    openssl: &'a Openssl,
}

impl<'a> Authority<'a> {
    pub(crate) fn new(openssl: &'a Openssl) -> Self {
        let name = "/C=US/ST=WA/O=Acme/CN=Root";
        openssl.create_key("root", KeySpec::Ec384);
        openssl
            .run(&format!(
                "req -x509 -new -key root.key -sha384 -days 3650 -subj {name} \
                 -config extensions.cnf -extensions root -out root.crt"
            ))
            .expect_status(0);
        openssl.create_key("issuing", KeySpec::Ec384);
        openssl.request("issuing", "Issuing");
        let authority = Self { openssl };
        authority.sign("issuing.csr", "root", "issuing", "issuing.crt");
        authority
    }

    /// The root certificate, PEM: a trust store's anchor.
    pub(crate) fn root(&self) -> PathBuf {
        self.openssl.path("root.crt")
    }

    /// Issues a code-signing certificate for a request, and gives the chain in PEM: leaf, issuing, root.
    pub(crate) fn issue(&self, request: &Path) -> PathBuf {
        let leaf = request.with_extension("crt").display().to_string();
        self.sign(&request.display().to_string(), "issuing", "leaf", &leaf);
        let chain = request.with_extension("pem");
        let certificates = [PathBuf::from(leaf), self.openssl.path("issuing.crt"), self.root()];
        let pem: String =
            certificates.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        fs::write(&chain, pem).unwrap();
        chain
    }

    fn sign(&self, request: &str, issuer: &str, section: &str, to: &str) {
        self.openssl
            .run(&format!(
                "x509 -req -in {request} -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -sha384 \
                 -days 365 -extfile extensions.cnf -extensions {section} -out {to}"
            ))
            .expect_status(0);
    }
}
