//! Plugin config: the map of strings that notation keeps for a key and passes on as it is
//! (plugin-extensibility.md, "Plugin configuration").

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::Capability;
use crate::{
    keys::{self, KeyError, KeyUri, Setting},
    limits,
};

/// One key of the plugin config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigKey {
    /// The key.
    pub name: &'static str,
    /// The values it takes.
    pub values: &'static str,
    /// The value where it is not given.
    pub default: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

/// The plugin's own keys; the provider of the key adds its own.
#[rustfmt::skip]
pub const KEYS: [ConfigKey; 6] = [
    ConfigKey { name: CERT_CHAIN,   values: "a path",                        default: "the chain that `key add` stored", purpose: "certificate chain of the key: PEM, DER or PKCS#7, in any order" },
    ConfigKey { name: TIMEOUT,      values: "`30s`, `2m`, or plain seconds", default: "`30s`",                           purpose: "time for the whole command, at most 10 minutes" },
    ConfigKey { name: MODE,         values: "`raw` or `envelope`",           default: "`raw`",                           purpose: "whether the plugin makes raw signatures or whole envelopes" },
    ConfigKey { name: MIN_VALIDITY, values: "`72h`, `30d`",                  default: "`0s`",                            purpose: "how long every certificate of the chain has to be valid from now on" },
    ConfigKey { name: TIMESTAMP_URL, values: "a URL",                        default: "no timestamp",                    purpose: "RFC 3161 authority that timestamps envelopes; needs `mode=envelope`" },
    ConfigKey { name: TIMESTAMP_ROOT, values: "a path",                      default: "none",                            purpose: "root certificate of that authority" },
];

/// The key that names the file of the certificate chain; `key add` sets it.
pub const CERT_CHAIN: &str = "cert-chain";
const TIMEOUT: &str = "timeout";
const MODE: &str = "mode";
const MIN_VALIDITY: &str = "min-validity";
/// The key that names the timestamp authority.
pub const TIMESTAMP_URL: &str = "timestamp-url";
/// The key that names the file of its root certificate.
pub const TIMESTAMP_ROOT: &str = "timestamp-root-cert";

/// What the plugin makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Raw signatures, which notation puts into envelopes.
    #[default]
    Raw,
    /// Whole envelopes.
    Envelope,
}

/// A plugin config, read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// File of the certificate chain.
    pub cert_chain: Option<PathBuf>,
    /// Time for the whole command.
    pub timeout: Duration,
    /// What the plugin makes.
    pub mode: Mode,
    /// How long every certificate has to be valid from now on.
    pub min_validity: Duration,
    /// The authority that timestamps envelopes, and the file of its root certificate.
    pub timestamp: Option<(String, PathBuf)>,
    /// Keys and values of the key's provider.
    pub provider: BTreeMap<String, String>,
}

/// What is wrong with a plugin config. Values of unknown keys are not repeated: they may be secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No provider of this build can say which keys it has.
    #[error(transparent)]
    Provider(#[from] KeyError),
    /// A key that neither the plugin nor the key's provider has.
    #[error("plugin config key {key:?} is unknown: did you mean {nearest:?}?")]
    UnknownKey {
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: &'static str,
    },
    /// A value that the key does not take.
    #[error("plugin config {key} is {value:?} and not {values}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The values it takes.
        values: &'static str,
    },
    /// Half of what a timestamp needs.
    #[error("plugin config timestamp-url and timestamp-root-cert are given together or not at all")]
    TimestampHalf,
    /// A timeout that is none.
    #[error(
        "plugin config timeout is {value:?} and not between 1s and {limit}s",
        limit = limits::COMMAND_TIMEOUT_MAX.as_secs()
    )]
    Timeout {
        /// The value.
        value: String,
    },
}

impl Mode {
    /// The mode that a config asks for, as far as one can tell: `get-plugin-metadata` gets the configs
    /// of other plugins too, and what is wrong is said by the command that signs.
    pub(super) fn of(config: &BTreeMap<String, String>) -> Self {
        config.get(MODE).and_then(|name| Self::from_name(name)).unwrap_or_default()
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "raw" => Some(Self::Raw),
            "envelope" => Some(Self::Envelope),
            _ => None,
        }
    }

    /// The capabilities that the plugin has in this mode. The CLI prefers raw signatures where it has
    /// the choice, so there is none.
    #[must_use]
    pub fn capabilities(self) -> Vec<Capability> {
        match self {
            Self::Raw => vec![Capability::SignatureGeneratorRaw],
            Self::Envelope => vec![
                Capability::SignatureGeneratorEnvelope,
                Capability::SignatureGeneratorEnvelopeForBlob,
            ],
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cert_chain: None,
            timeout: limits::COMMAND_TIMEOUT,
            mode: Mode::default(),
            min_validity: Duration::ZERO,
            timestamp: None,
            provider: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads the plugin config of a key, whose provider has keys of its own beside [`KEYS`].
    ///
    /// # Errors
    /// [`ConfigError`] for the first key, in alphabetical order, that is wrong.
    pub fn parse(key_id: &KeyUri, map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let provider = keys::settings(key_id)?;
        let mut config = Self::default();
        for (key, value) in map {
            if provider.iter().any(|known| known.name == key) {
                config.provider.insert(key.clone(), value.clone());
                continue;
            }
            let Some(known) = KEYS.iter().find(|known| known.name == key) else {
                let nearest = nearest(key, provider);
                return Err(ConfigError::UnknownKey { key: key.clone(), nearest });
            };
            config.set(known, value)?;
        }
        config.timestamp = match (map.get(TIMESTAMP_URL), map.get(TIMESTAMP_ROOT)) {
            (Some(url), Some(root)) => Some((url.clone(), root.into())),
            (None, None) => None,
            _ => return Err(ConfigError::TimestampHalf),
        };
        Ok(config)
    }

    fn set(&mut self, key: &ConfigKey, value: &str) -> Result<(), ConfigError> {
        let bad =
            || ConfigError::BadValue { key: key.name, value: value.to_owned(), values: key.values };
        match key.name {
            TIMEOUT => {
                let timeout = duration(value).ok_or_else(bad)?;
                if timeout.is_zero() || timeout > limits::COMMAND_TIMEOUT_MAX {
                    return Err(ConfigError::Timeout { value: value.to_owned() });
                }
                self.timeout = timeout;
            }
            MODE => self.mode = Mode::from_name(value).ok_or_else(bad)?,
            MIN_VALIDITY => self.min_validity = duration(value).ok_or_else(bad)?,
            _ if value.is_empty() => return Err(bad()),
            TIMESTAMP_URL | TIMESTAMP_ROOT => {}
            _ => self.cert_chain = Some(value.into()),
        }
        Ok(())
    }
}

/// Refuses a plugin config that the commands that sign would refuse.
///
/// # Errors
/// [`ConfigError`] for the first key, in alphabetical order, that is wrong.
pub fn check_config(key_id: &KeyUri, map: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    Config::parse(key_id, map).map(drop)
}

/// A whole number and a unit, `s`, `m`, `h` or `d`; without a unit, seconds.
fn duration(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) if text.ends_with('h') => (number, 60 * 60),
        Some(number) if text.ends_with('d') => (number, 24 * 60 * 60),
        Some(number) => (number, 1),
        None => (text, 1),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds)?;
    Some(Duration::from_secs(seconds))
}

/// The known key that takes the fewest edits.
fn nearest(key: &str, provider: &[Setting]) -> &'static str {
    let known = KEYS.iter().map(|key| key.name).chain(provider.iter().map(|key| key.name));
    known.min_by_key(|known| keys::uri::distance(key, known)).unwrap_or(CERT_CHAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::parse(&"awskms:///alias/release".parse().unwrap(), &map)
    }

    #[test]
    fn every_key_of_the_table_is_read() {
        let config = parse(&[
            ("cert-chain", "/etc/chain.pem"),
            ("timeout", "2m"),
            ("mode", "envelope"),
            ("min-validity", "30d"),
            ("aws-region", "eu-north-1"),
        ])
        .unwrap();
        assert_eq!(config.cert_chain.as_deref(), Some("/etc/chain.pem".as_ref()));
        assert_eq!(config.timeout, Duration::from_secs(120));
        assert_eq!(config.mode, Mode::Envelope);
        assert_eq!(config.min_validity, Duration::from_secs(30 * 86_400));
        assert_eq!(config.provider["aws-region"], "eu-north-1");
        assert_eq!(parse(&[]).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one_and_without_its_value() {
        let typos = [
            ("certchain", "cert-chain"),
            ("min_validity", "min-validity"),
            ("aws-regoin", "aws-region"),
            ("Mode", "mode"),
        ];
        for (key, expected) in typos {
            let error = parse(&[(key, "hunter2")]).unwrap_err().to_string();
            let expected = format!("config key {key:?} is unknown: did you mean {expected:?}?");
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn durations_that_are_none_are_refused() {
        for value in ["", "s", "-1s", "+1s", "1.5s", "1w", "1m30s", " 1s", "99999999999999999999s"]
        {
            assert_eq!(duration(value), None, "{value:?}");
        }
        assert_eq!(duration("18446744073709551615d"), None);
        assert_eq!(duration("90"), Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_timeout_outside_its_limits_is_refused() {
        for value in ["0", "0s", "601s", "1h"] {
            let error = parse(&[("timeout", value)]).unwrap_err();
            assert!(matches!(error, ConfigError::Timeout { .. }), "{error}");
        }
        assert_eq!(parse(&[("timeout", "10m")]).unwrap().timeout, limits::COMMAND_TIMEOUT_MAX);
    }

    #[test]
    fn a_mode_that_is_none_is_an_error_for_the_commands_that_sign_and_raw_for_metadata() {
        assert!(matches!(parse(&[("mode", "Envelope")]), Err(ConfigError::BadValue { .. })));
        let map = BTreeMap::from([("mode".to_owned(), "Envelope".to_owned())]);
        assert_eq!(Mode::of(&map), Mode::Raw);
    }
}
