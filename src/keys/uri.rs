//! References of keys: the grammar that cosign users have, the services' own ids, and `file:`.

use std::{fmt, fmt::Write as _, path::Path, str::FromStr};

/// A reference of a key, kept byte for byte as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyUri {
    text: String,
    provider: Provider,
}

/// The service that holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// AWS KMS: `awskms://`, or an ARN.
    Aws,
    /// Azure Key Vault: `azurekms://`.
    Azure,
    /// Google Cloud KMS: `gcpkms://`.
    Gcp,
    /// Vault: `hashivault://`.
    Vault,
    /// OpenBao: `openbao://`.
    OpenBao,
    /// A PKCS#11 module: `pkcs11:`.
    Pkcs11,
    /// A local file: `file:///`.
    File,
}

/// Why text is not a reference of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// No scheme that is known.
    #[error("key reference {text:?} begins with no known scheme; {hint}")]
    UnknownScheme {
        /// What was given.
        text: String,
        /// What was probably meant, or the schemes that there are.
        hint: String,
    },
    /// A part of the reference is wrong.
    #[error("key reference {text:?}: {part}; the form is {form}")]
    BadPart {
        /// What was given.
        text: String,
        /// What is wrong.
        part: String,
        /// How such references look.
        form: &'static str,
    },
}

const AWS_FORM: &str = "awskms:///alias/NAME, awskms:///KEY-ID, awskms:///arn:aws:kms:REGION:ACCOUNT:key/KEY-ID, \
    or the ARN alone; an endpoint may stand between the second and the third slash";
const FILE_FORM: &str = "file:///ABSOLUTE/PATH/key.pem";

impl Provider {
    /// The scheme, with what follows it in every reference.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Aws => "awskms://",
            Self::Azure => "azurekms://",
            Self::Gcp => "gcpkms://",
            Self::Vault => "hashivault://",
            Self::OpenBao => "openbao://",
            Self::Pkcs11 => "pkcs11:",
            Self::File => "file://",
        }
    }
}

const PROVIDERS: [Provider; 7] = [
    Provider::Aws,
    Provider::Azure,
    Provider::Gcp,
    Provider::Vault,
    Provider::OpenBao,
    Provider::Pkcs11,
    Provider::File,
];

impl KeyUri {
    /// The reference of a local key, `file:` with the characters of the path that a URI has other uses for
    /// as `%XX` (RFC 8089).
    ///
    /// # Errors
    /// [`KeyUriError::BadPart`], where the path is not absolute or not UTF-8.
    pub fn from_file_path(path: &Path) -> Result<Self, KeyUriError> {
        let bad = |part: &str| KeyUriError::BadPart {
            text: path.display().to_string(),
            part: part.to_owned(),
            form: FILE_FORM,
        };
        let mut text = Provider::File.scheme().to_owned();
        for byte in path.to_str().ok_or_else(|| bad("the path is not UTF-8"))?.bytes() {
            if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text.parse()
    }

    /// The reference as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The service that holds the key.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// What follows the scheme; all of it for a service's own id.
    pub(super) fn rest(&self) -> &str {
        self.text.strip_prefix(self.provider.scheme()).unwrap_or(&self.text)
    }
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, KeyUriError> {
        let provider = provider_of(text)?;
        let uri = Self { text: text.to_owned(), provider };
        match provider {
            Provider::Aws => AwsKeyId::of(&uri).map(drop)?,
            Provider::File => file_path(&uri).map(drop)?,
            _ => {}
        }
        Ok(uri)
    }
}

/// A URL for an error text: what stands before an `@` may hold a password.
pub(super) fn without_user(text: &str) -> String {
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (_, rest))) => format!("{scheme}://…@{rest}"),
        None => text.to_owned(),
    }
}

fn provider_of(text: &str) -> Result<Provider, KeyUriError> {
    let known = PROVIDERS.into_iter().find(|provider| text.starts_with(provider.scheme()));
    if let Some(provider) = known {
        return Ok(provider);
    }
    if text.starts_with("arn:") {
        return Ok(Provider::Aws);
    }
    if text.starts_with("https://") && text.contains(".vault.") && text.contains("/keys/") {
        return Ok(Provider::Azure);
    }
    let schemes = PROVIDERS.map(Provider::scheme).join(", ");
    let hint = match nearest(text) {
        Some("awskms://") => format!("did you mean awskms:///{}?", after_scheme(text)),
        Some("file://") => format!("did you mean file:///{}?", after_scheme(text)),
        Some(scheme) => format!("did you mean {scheme}?"),
        None if text.starts_with('/') => format!("did you mean file://{text}?"),
        None if text.starts_with("alias/") => format!("did you mean awskms:///{text}?"),
        None => format!("the schemes are {schemes}"),
    };
    Err(KeyUriError::UnknownScheme { text: without_user(text), hint })
}

fn after_scheme(text: &str) -> &str {
    text.split_once(':').map_or("", |(_, rest)| rest).trim_start_matches('/')
}

/// The scheme that differs from what was typed by little.
fn nearest(text: &str) -> Option<&'static str> {
    let typed = text.split(':').next()?;
    let schemes = PROVIDERS.map(Provider::scheme).into_iter();
    let scored =
        schemes.map(|scheme| (distance(typed, scheme.trim_end_matches(['/', ':'])), scheme));
    scored.filter(|(distance, _)| *distance <= 2).min().map(|(_, scheme)| scheme)
}

/// Edits from one word to another (Levenshtein), without regard to case.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let above = *cell;
            let substitution = diagonal + usize::from(!a.eq_ignore_ascii_case(b));
            left = substitution.min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A key of AWS KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsKeyId {
    /// `host[:port]` of another endpoint than AWS's own.
    pub(super) endpoint: Option<String>,
    /// What KMS calls `KeyId`: an id, an ARN, or `alias/NAME`.
    pub(super) id: String,
    /// The region of an ARN.
    pub(super) region: Option<String>,
}

impl AwsKeyId {
    pub(super) fn of(uri: &KeyUri) -> Result<Self, KeyUriError> {
        let bad = |part: String| KeyUriError::BadPart {
            text: without_user(&uri.text),
            part,
            form: AWS_FORM,
        };
        let rest = uri.rest();
        let (endpoint, id) = if rest.starts_with("arn:") {
            (None, rest)
        } else {
            let (endpoint, id) =
                rest.split_once('/').ok_or_else(|| bad("no key after the endpoint".to_owned()))?;
            (Some(endpoint).filter(|endpoint| !endpoint.is_empty()), id)
        };
        // awskms://alias/x reads as endpoint "alias", and would send a request there.
        if endpoint == Some("alias") {
            return Err(bad("two slashes before alias, where three are needed".to_owned()));
        }
        if endpoint.is_some_and(|endpoint| !is_endpoint(endpoint)) {
            return Err(bad("the endpoint is not HOST or HOST:PORT".to_owned()));
        }
        let region = if id.starts_with("arn:") {
            Some(arn_region(id).map_err(|part| bad(part.to_owned()))?)
        } else {
            check_resource(id).map_err(|part| bad(part.to_owned()))?;
            None
        };
        Ok(Self { endpoint: endpoint.map(ToOwned::to_owned), id: id.to_owned(), region })
    }
}

/// `host`, `host:port`, or an IPv6 address in brackets instead of the host. No user name: a secret does
/// not belong into a reference.
pub(super) fn is_endpoint(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(name),
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    is_host && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok())
}

/// `arn:PARTITION:kms:REGION:ACCOUNT:key/ID` or `…:alias/NAME`
fn arn_region(arn: &str) -> Result<String, &'static str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts.as_slice() else {
        return Err("an ARN has six parts with colons between them");
    };
    if !partition.starts_with("aws") {
        return Err("the ARN's partition begins with aws");
    }
    if *service != "kms" {
        return Err("the ARN is of another service than kms");
    }
    if region.is_empty()
        || !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err("the ARN has no region");
    }
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the ARN's account is not 12 digits");
    }
    match resource.split_once('/') {
        Some(("key", id)) => check_key_id(id)?,
        Some(("alias", name)) => check_alias(name)?,
        _ => return Err("the ARN ends neither in key/ID nor in alias/NAME"),
    }
    Ok((*region).to_owned())
}

fn check_resource(id: &str) -> Result<(), &'static str> {
    match id.split_once('/') {
        Some(("alias", name)) => check_alias(name),
        Some(_) => {
            Err("what follows the third slash is neither alias/NAME nor a key id nor an ARN")
        }
        None => check_key_id(id),
    }
}

fn check_alias(name: &str) -> Result<(), &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/_-".contains(&b);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err("an alias has letters, digits, '/', '_' and '-'");
    }
    Ok(())
}

/// A UUID, or `mrk-` and 32 hex digits for a multi-Region key.
fn check_key_id(id: &str) -> Result<(), &'static str> {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let multi_region = id.strip_prefix("mrk-").is_some_and(|rest| rest.len() == 32 && hex(rest));
    let uuid = id.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && hex(&id.replace('-', ""));
    if multi_region || uuid {
        return Ok(());
    }
    Err("the key id is neither a UUID nor mrk- with 32 hex digits; an alias is written alias/NAME")
}

/// The path of a `file:` reference (RFC 8089), with `%XX` taken back.
pub(super) fn file_path(uri: &KeyUri) -> Result<std::path::PathBuf, KeyUriError> {
    let bad = |part: &str| KeyUriError::BadPart {
        text: without_user(&uri.text),
        part: part.to_owned(),
        form: FILE_FORM,
    };
    let path = uri.rest();
    if !path.starts_with('/') || path == "/" {
        return Err(bad("the path is not absolute"));
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (high, low) = (digit(), digit());
        bytes.push(
            high.zip(low)
                .map(|(h, l)| h * 16 + l)
                .ok_or_else(|| bad("% without two hex digits"))?,
        );
    }
    String::from_utf8(bytes).map(Into::into).map_err(|_| bad("the path is not UTF-8"))
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0d990263-018e-4e65-a703-eff731de951e";

    fn aws(text: &str) -> AwsKeyId {
        AwsKeyId::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn aws_references_of_every_form_are_read() {
        let alias = aws("awskms:///alias/release/v1");
        assert_eq!(
            (alias.id.as_str(), alias.endpoint, alias.region),
            ("alias/release/v1", None, None)
        );
        let local = aws(&format!("awskms://localhost:4566/{UUID}"));
        assert_eq!((local.endpoint.as_deref(), local.id.as_str()), (Some("localhost:4566"), UUID));
        let six = aws(&format!("awskms://[::1]:4566/{UUID}"));
        assert_eq!(six.endpoint.as_deref(), Some("[::1]:4566"));
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"] {
            let arn = format!("arn:{partition}:kms:eu-west-1:111122223333:key/{UUID}");
            assert_eq!(aws(&arn).region.as_deref(), Some("eu-west-1"));
            assert_eq!(aws(&format!("awskms:///{arn}")).id, arn);
        }
        let multi_region = format!("mrk-{}", UUID.replace('-', ""));
        assert_eq!(aws(&format!("awskms:///{multi_region}")).id, multi_region);
    }

    #[test]
    fn a_reference_comes_back_byte_for_byte() {
        let text = "awskms:///alias/a_b-C";
        assert_eq!(text.parse::<KeyUri>().unwrap().to_string(), text);
    }

    #[test]
    fn wrong_references_are_told_what_is_wrong_and_the_form() {
        let refused = |text: &str| text.parse::<KeyUri>().unwrap_err().to_string();
        let cases = [
            ("awskm:///alias/x", "did you mean awskms:///alias/x?"),
            ("AWSKMS:///alias/x", "did you mean awskms:///alias/x?"),
            ("awskms:alias/x", "did you mean awskms:///alias/x?"),
            ("file:/tmp/key.pem", "did you mean file:///tmp/key.pem?"),
            ("pkcs1:token=x", "did you mean pkcs11:?"),
            ("awskms://u:p@host/alias/x", "the endpoint is not HOST or HOST:PORT; the form is"),
            ("awskms://a b/alias/x", "the endpoint is not HOST or HOST:PORT; the form is"),
            ("awskms://host:99999/alias/x", "the endpoint is not HOST or HOST:PORT; the form is"),
            ("awskms://host", "no key after the endpoint"),
            ("alias/x", "did you mean awskms:///alias/x?"),
            ("/tmp/key.pem", "did you mean file:///tmp/key.pem?"),
            ("release", "the schemes are awskms://, azurekms://"),
            (
                "awskms://alias/x",
                "two slashes before alias, where three are needed; the form is awskms:///alias/NAME",
            ),
            ("awskms:///release", "the key id is neither a UUID nor mrk-"),
            ("awskms:///alias/", "an alias has letters"),
            ("awskms:///key/x", "neither alias/NAME nor a key id nor an ARN"),
            ("arn:aws:kms:eu-west-1:111122223333", "an ARN has six parts"),
            ("arn:aws:s3:eu-west-1:111122223333:key/x", "another service than kms"),
            ("arn:aws:kms::111122223333:key/x", "the ARN has no region"),
            ("arn:aws:kms:eu-west-1:1111:key/x", "account is not 12 digits"),
            (
                "file://key.pem",
                "the path is not absolute; the form is file:///ABSOLUTE/PATH/key.pem",
            ),
            ("file:///a%2", "% without two hex digits"),
        ];
        for (text, expected) in cases {
            let error = refused(text);
            assert!(error.contains(&without_user(text)) && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_password_in_a_reference_is_not_repeated() {
        let error =
            "awskms://user:hunter2@host/alias/x!".parse::<KeyUri>().unwrap_err().to_string();
        assert!(
            error.contains("awskms://…@host/alias/x!") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn every_path_leads_through_a_reference_back_to_itself() {
        for path in ["/tmp/key.pem", "/a b%20?c#d/k.pem", "/ä/100%/\u{1f511}/+&'\"$x\n"] {
            let uri = KeyUri::from_file_path(Path::new(path)).unwrap();
            assert_eq!(file_path(&uri).unwrap(), Path::new(path), "{uri}");
            assert!(uri.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b)));
        }
        let uri = KeyUri::from_file_path(Path::new("/a b%20?c#d/k.pem")).unwrap();
        assert_eq!(uri.as_str(), "file:///a%20b%2520%3Fc%23d/k.pem");
        let relative = KeyUri::from_file_path(Path::new("key.pem")).unwrap_err().to_string();
        assert!(relative.contains("the path is not absolute"), "{relative}");
    }

    #[test]
    fn paths_of_file_references_are_decoded() {
        let uri = "file:///tmp/a%20b.pem".parse().unwrap();
        assert_eq!(file_path(&uri).unwrap(), Path::new("/tmp/a b.pem"));
    }
}
