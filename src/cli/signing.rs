//! What `sign` and `blob sign` have in common: the key, its chain, and what goes into the envelope.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use time::UtcDateTime;

use super::{
    args::{self, OpenKey},
    failure::{Exit, Failure},
    host::Machine,
};
use crate::{
    config::{self, Directories, KeyEntry, SigningKeys},
    envelope::{Envelope, EnvelopeFormat, Payload, SignedAttributes, SignedContent},
    keys::KeyUri,
    limits,
    oci::Descriptor,
    plugin::{self, CERT_CHAIN, Config, ConfiguredTimestamping, TIMESTAMP_ROOT, TIMESTAMP_URL},
    sign::{SignRequest, sign_envelope},
    x509::CertificateChain,
};

/// Names that belong to the specification (signature-specification.md, "Payload").
const RESERVED_METADATA: &str = "io.cncf.notary";

// Which key, and how
#[derive(Debug, clap::Args)]
pub(super) struct SignerArgs {
    /// Name of a key that `key add` keeps; the default key where neither this nor --id is given
    #[arg(long, short = 'k', value_name = "NAME", conflicts_with_all = ["id", "cert_chain"])]
    key: Option<String>,
    /// Reference of a key, such as awskms:///alias/release or file:///path/key.pem
    #[arg(long, value_name = "URI", requires = "cert_chain")]
    id: Option<KeyUri>,
    /// Certificates of the key of --id: leaf, issuers and root, in any order
    #[arg(long, value_name = "FILE", requires = "id")]
    cert_chain: Option<PathBuf>,
    /// A setting of the key's provider, such as aws-region=eu-central-1; may be repeated
    #[arg(long = "plugin-config", value_name = "KEY=VALUE", value_parser = args::key_value)]
    config: Vec<(String, String)>,
    /// Metadata to sign with the artifact; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    #[command(flatten)]
    options: SigningOptions,
}

// What kind of signature
#[derive(Debug, clap::Args)]
pub(super) struct SigningOptions {
    /// Format of the signature envelope
    #[arg(long, value_name = "FORMAT", default_value = "jws", value_parser = format)]
    signature_format: EnvelopeFormat,
    /// How long the signature is to be good, such as 12h, 30m or 90d; without end where it is left out
    #[arg(long, short = 'e', value_name = "DURATION", value_parser = expiry)]
    expiry: Option<Duration>,
    #[command(flatten)]
    timestamp: TimestampArgs,
}

// Who shows when the signature was made
#[derive(Debug, clap::Args)]
struct TimestampArgs {
    /// Timestamp authority (RFC 3161) that shows when the signature was made
    #[arg(long, value_name = "URL", requires = "timestamp_root_cert")]
    timestamp_url: Option<String>,
    /// Root certificate of the timestamp authority
    #[arg(long, value_name = "FILE", requires = "timestamp_url")]
    timestamp_root_cert: Option<PathBuf>,
}

/// A key that is ready to sign.
pub(super) struct Signer {
    pub(super) key: OpenKey,
    pub(super) chain: CertificateChain,
    pub(super) format: EnvelopeFormat,
    expiry: Option<Duration>,
    /// What is signed beside the artifact.
    pub(super) user_metadata: BTreeMap<String, String>,
    timestamping: Option<ConfiguredTimestamping>,
}

impl SignerArgs {
    /// Finds the key and its chain, and checks all that can be checked before the key is asked.
    pub(super) fn open(&self) -> Result<Signer, Failure> {
        let user_metadata = args::user_metadata(&self.user_metadata)?;
        check_metadata(&user_metadata)?;
        let (id, settings) = self.key()?;
        let mut signer = self.options.open(&id, settings)?;
        signer.user_metadata = user_metadata;
        Ok(signer)
    }

    /// The key's reference and its settings; those of the command line come before stored ones.
    fn key(&self) -> Result<(KeyUri, BTreeMap<String, String>), Failure> {
        let given = args::plugin_config(&self.config)?;
        if let (Some(id), Some(chain)) = (&self.id, &self.cert_chain) {
            let mut settings = given;
            settings.insert(CERT_CHAIN.to_owned(), args::text_of(chain)?);
            return Ok((id.clone(), settings));
        }
        let (id, mut settings) = stored_key(self.key.as_deref())?;
        settings.extend(given);
        Ok((id, settings))
    }
}

impl SigningOptions {
    /// Opens a key, and checks all that can be checked before it is asked. Nothing is signed as metadata.
    pub(super) fn open(
        &self,
        id: &KeyUri,
        mut settings: BTreeMap<String, String>,
    ) -> Result<Signer, Failure> {
        if let (Some(url), Some(root)) =
            (&self.timestamp.timestamp_url, &self.timestamp.timestamp_root_cert)
        {
            settings.insert(TIMESTAMP_URL.to_owned(), url.clone());
            settings.insert(TIMESTAMP_ROOT.to_owned(), args::text_of(root)?);
        }
        let config =
            Config::parse(id, &settings).map_err(|error| Failure::new(Exit::Usage, error))?;
        let chain = plugin::signing_chain(id, &config, &Machine)
            .map_err(|error| Failure::new(Exit::NotConfigured, error))?;
        let timestamping = ConfiguredTimestamping::open(&config, &Machine)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let key = OpenKey::with_config(id, &config)?;
        let (format, expiry) = (self.signature_format, self.expiry);
        let user_metadata = BTreeMap::new();
        Ok(Signer { key, chain, format, expiry, user_metadata, timestamping })
    }
}

/// Refuses names of metadata that belong to the specification.
pub(super) fn check_metadata(user_metadata: &BTreeMap<String, String>) -> Result<(), Failure> {
    match user_metadata.keys().find(|name| name.starts_with(RESERVED_METADATA)) {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "user metadata {name:?} begins with {RESERVED_METADATA}, which is reserved"
            );
            Err(Failure::message(Exit::Usage, message))
        }
    }
}

/// A key of `signingkeys.json`, the default one where none is named: its reference and its settings.
pub(super) fn stored_key(
    name: Option<&str>,
) -> Result<(KeyUri, BTreeMap<String, String>), Failure> {
    let keys = SigningKeys::load(&Directories::from_environment()?.signing_keys())?;
    let name = name.or(keys.default.as_deref()).ok_or_else(|| {
        let hint = "--key NAME, or --id URI with --cert-chain FILE, says which; \
                    key add --default makes one the default";
        Failure::message(Exit::NotConfigured, "no key is named, and there is no default key")
            .hint(hint)
    })?;
    stored(keys.find(name)?)
}

/// A key of the list: one of ours, or one in files.
fn stored(key: &KeyEntry) -> Result<(KeyUri, BTreeMap<String, String>), Failure> {
    if let Some((key, chain)) = key.local_files() {
        let settings = [(CERT_CHAIN.to_owned(), chain.to_owned())].into();
        return Ok((KeyUri::from_file_path(key.as_ref())?, settings));
    }
    match (&key.id, &key.plugin_name) {
        (Some(id), Some(plugin)) if plugin == plugin::NAME => {
            let id = id.parse().map_err(|error: crate::keys::KeyUriError| {
                Failure::new(Exit::NotConfigured, error)
                    .context(format!("key {:?} cannot be used", key.name))
            })?;
            Ok((id, key.plugin_config.clone()))
        }
        (_, plugin) => {
            let plugin = plugin.as_deref().unwrap_or("none");
            let message = format!("key {:?} belongs to the plugin {plugin:?}", key.name);
            let hint = format!("notation sign --key {} runs that plugin", key.name);
            Err(Failure::message(Exit::NotConfigured, message).hint(hint))
        }
    }
}

impl Signer {
    /// The envelope of a signature over `artifact`, made now.
    pub(super) fn sign(&self, artifact: &Descriptor) -> Result<Vec<u8>, Failure> {
        let payload = Payload::new(self.target(artifact)).to_json();
        let mut attributes = SignedAttributes::new(config::now());
        if let Some(expiry) = self.expiry {
            let duration = time::Duration::try_from(expiry).ok();
            let expiry = duration.and_then(|d| attributes.signing_time.checked_add(d));
            let too_late = || Failure::message(Exit::Usage, "expiry is after the year 9999");
            attributes.expiry = Some(expiry.ok_or_else(too_late)?);
        }
        let mut request = SignRequest::new(self.format, &payload, attributes);
        request.signing_agent = Some(plugin::SIGNING_AGENT.to_owned());
        let timestamping = self.timestamping.as_ref();
        request.timestamping = timestamping.map(ConfiguredTimestamping::timestamping);
        self.key.ask(|key| sign_envelope(key, &self.chain, &request))
    }
}

impl Signer {
    /// A signature's content, if this signer would only make it once more: whole, of the same certificate, artifact,
    /// metadata and format, good for no longer than a new one and for half as long at least, and with a timestamp that
    /// holds, where one is asked for.
    pub(super) fn would_repeat(
        &self,
        envelope: Envelope,
        artifact: &Descriptor,
    ) -> Option<SignedContent> {
        let content = envelope.verify().ok()?;
        let is_same_target =
            content.payload().is_ok_and(|payload| payload.target_artifact == self.target(artifact));
        let is_timestamped =
            |timestamping: &ConfiguredTimestamping| timestamping.timestamping().is_of(&content);
        let is_same = is_same_target
            && content.format() == self.format
            && content.certificate_chain().leaf() == self.chain.leaf()
            && self.lasts(content.attributes().expiry)
            && self.timestamping.as_ref().is_none_or(is_timestamped);
        is_same.then_some(content)
    }

    fn lasts(&self, expiry: Option<UtcDateTime>) -> bool {
        match (self.expiry, expiry) {
            (None, None) => true,
            (Some(wanted), Some(expiry)) => {
                let left = expiry - config::now();
                left >= wanted / 2 && left <= wanted
            }
            _ => false,
        }
    }

    /// What is signed.
    fn target(&self, artifact: &Descriptor) -> Descriptor {
        let mut target = artifact.without_annotations();
        target.artifact_type = None;
        target.annotations.clone_from(&self.user_metadata);
        target
    }
}

fn format(name: &str) -> Result<EnvelopeFormat, String> {
    EnvelopeFormat::from_name(name).ok_or_else(|| "expected jws or cose".to_owned())
}

/// At most what the notation CLI's own durations can hold.
fn expiry(text: &str) -> Result<Duration, String> {
    match args::duration(text)? {
        expiry if expiry.as_secs() > limits::EXPIRY_SECONDS => {
            Err(format!("expected at most {} seconds", limits::EXPIRY_SECONDS))
        }
        expiry => Ok(expiry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_are_read_as_notation_reads_them_and_in_days() {
        assert_eq!(expiry("3h20m"), Ok(Duration::from_secs(12_000)));
        assert_eq!(expiry("90d"), Ok(Duration::from_secs(7_776_000)));
        for text in ["", "0s", "12", "h", "-1h", "1.5h", "1w", "1 h", "99999999999999999999s"] {
            assert!(expiry(text).is_err(), "{text:?}");
        }
        assert!(expiry("9223372037s").unwrap_err().contains("at most"));
    }
}
