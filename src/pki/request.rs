//! Certificate requests (PKCS#10, RFC 2986), signed by the key in its service.

use der::{Encode, EncodePem, asn1::SetOfVec, pem::LineEnding};
use x509_cert::{
    attr::Attribute,
    ext::Extensions,
    request::{CertReq, CertReqInfo, ExtensionReq, Version},
};

use super::{CertificateTemplate, PkiError, RsaPadding, algorithm_of, der as encode, sign_der};
use crate::{keys::SigningKey, x509::Name};

/// A signed certificate request.
#[derive(Debug, Clone)]
pub struct CertificateRequest {
    request: CertReq,
}

impl CertificateRequest {
    /// Asks `key` for its public key and its signature, in two calls, and gives a request for a
    /// code-signing certificate: key usage `digitalSignature`, extended key usage `codeSigning`, no CA.
    ///
    /// # Errors
    /// [`PkiError`].
    pub async fn for_code_signing(
        key: &dyn SigningKey,
        subject: &Name,
        padding: RsaPadding,
    ) -> Result<Self, PkiError> {
        let public = key.public_key().await?;
        let algorithm = algorithm_of(&public, padding)?;
        let info = request_info(subject, &public).map_err(PkiError::Encoding)?;
        let message = info.to_der().map_err(PkiError::Encoding)?;
        let signature = sign_der(key, &public, algorithm, &message).await?;
        let request = CertReq {
            info,
            algorithm: encode::signature_algorithm(algorithm).map_err(PkiError::Encoding)?,
            signature: encode::bit_string(&signature).map_err(PkiError::Encoding)?,
        };
        Ok(Self { request })
    }

    /// The request in PEM, `CERTIFICATE REQUEST`.
    ///
    /// # Errors
    /// [`PkiError::Encoding`].
    pub fn to_pem(&self) -> Result<String, PkiError> {
        self.request.to_pem(LineEnding::LF).map_err(PkiError::Encoding)
    }

    /// The request in DER.
    ///
    /// # Errors
    /// [`PkiError::Encoding`].
    pub fn to_der(&self) -> Result<Vec<u8>, PkiError> {
        self.request.to_der().map_err(PkiError::Encoding)
    }
}

fn request_info(subject: &Name, key: &crate::x509::PublicKey) -> Result<CertReqInfo, ::der::Error> {
    let extensions: Extensions = CertificateTemplate::code_signing_extensions()
        .iter()
        .map(encode::extension)
        .collect::<Result<_, _>>()?;
    let attribute = Attribute::try_from(ExtensionReq(extensions))?;
    Ok(CertReqInfo {
        version: Version::V1,
        subject: encode::name(subject)?,
        public_key: encode::public_key(key)?,
        attributes: SetOfVec::try_from(vec![attribute])?,
    })
}
