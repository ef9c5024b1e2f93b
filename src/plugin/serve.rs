//! The process around [`answer`]: one JSON in, one JSON out, whatever happens
//! (plugin-extensibility.md, "Plugin contract").
//!
//! A host reads standard error as one JSON object, so nothing else may get there: neither the usage
//! text of a command-line parser nor the words of a panic.

use std::{
    any::Any,
    ffi::OsString,
    io::{self, Read, Write},
    panic::{self, AssertUnwindSafe},
    sync::OnceLock,
};

use super::{Command, Fault, Host, PluginError, answer};
use crate::limits;

/// Whether the first argument of the command line makes this a plugin's process: a command of the
/// contract, also the one that this plugin does not have, since its refusal has to be JSON too.
#[must_use]
pub fn is_protocol_command(argument: &str) -> bool {
    argument == VERIFY_SIGNATURE || Command::from_name(argument).is_some()
}

/// The contract's command for plugins that verify (plugin-extensibility.md, "verify-signature").
const VERIFY_SIGNATURE: &str = "verify-signature";

/// Keeps the words of a panic from standard error, for a process that serves one command: [`serve`]
/// puts them into the error instead. Replaces the process's panic hook.
pub fn silence_panics() {
    panic::set_hook(Box::new(|panic| {
        let _first_only = PANICKED_AT.set(panic.location().map(ToString::to_string));
    }));
}

/// Where the first panic of the process was.
static PANICKED_AT: OnceLock<Option<String>> = OnceLock::new();

/// Serves one command: `arguments` are the command and what follows it, the streams are the process's.
///
/// Gives whether `output` got the response, which is exit code 0; otherwise `errors` got the error, and
/// the exit code is 1. A panic below is such an error too.
pub fn serve(
    arguments: &[OsString],
    input: impl Read,
    output: impl Write,
    errors: impl Write,
    host: &dyn Host,
) -> bool {
    let served = panic::catch_unwind(AssertUnwindSafe(|| respond(arguments, input, output, host)));
    let error = match served {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error,
        Err(panic) => Fault::Panic(panic_text(panic.as_ref())).into(),
    };
    // Where nobody listens, the exit code alone has to say it.
    let _unheard = write_json(errors, &error.response());
    false
}

fn respond(
    arguments: &[OsString],
    input: impl Read,
    output: impl Write,
    host: &dyn Host,
) -> Result<(), PluginError> {
    let command = parse_command_line(arguments)?;
    let response = answer(command, &read_request(input)?, host)?;
    write_json(output, &response).map_err(|source| Fault::OutputClosed(source).into())
}

fn parse_command_line(arguments: &[OsString]) -> Result<Command, Fault> {
    let text = |argument: &OsString| argument.to_string_lossy().into_owned();
    let name = arguments.first().map(text).unwrap_or_default();
    let command = Command::from_name(&name).ok_or(Fault::UnknownCommand(name))?;
    match arguments.get(1).map(text) {
        None => Ok(command),
        Some(argument) => Err(Fault::BadCommandLine { command: command.name(), argument }),
    }
}

fn read_request(input: impl Read) -> Result<Vec<u8>, Fault> {
    let limit = limits::PLUGIN_REQUEST_BYTES;
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut request = Vec::new();
    input.take(one_more).read_to_end(&mut request).map_err(Fault::RequestUnreadable)?;
    if request.len() > limit {
        return Err(Fault::RequestTooLarge);
    }
    Ok(request)
}

/// Writes the whole JSON at once, so that a failure on the way to it writes nothing.
fn write_json(mut stream: impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    let mut json = serde_json::to_vec(value)?;
    json.push(b'\n');
    stream.write_all(&json)?;
    stream.flush()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic");
    match PANICKED_AT.get().and_then(Option::as_ref) {
        Some(location) => format!("{text} at {location}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
        time::Duration,
    };

    use serde_json::Value;
    use time::UtcDateTime;

    use super::*;
    use crate::{
        keys::{KeyError, KeyUri, SigningKey},
        plugin::HostError,
    };

    /// A machine that no request should get to.
    struct NoHost;

    impl Host for NoHost {
        fn now(&self) -> UtcDateTime {
            panic!("the clock was read")
        }

        fn read_chain(&self, _path: &Path) -> Result<Vec<u8>, HostError> {
            panic!("a file was read")
        }

        fn stored_chain(&self, _key_id: &KeyUri) -> Result<Option<PathBuf>, HostError> {
            panic!("the stored keys were read")
        }

        fn open_key(
            &self,
            _key_id: &KeyUri,
            _config: &BTreeMap<String, String>,
            _deadline: Duration,
        ) -> Result<Box<dyn SigningKey>, KeyError> {
            panic!("a key was opened")
        }
    }

    /// A stream whose reader has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The error of a command that has to fail.
    fn refused(arguments: &[&str], input: impl Read, mut output: impl Write) -> (String, String) {
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        let mut errors = Vec::new();
        assert!(!serve(&arguments, input, &mut output, &mut errors, &NoHost));
        let error: Value = serde_json::from_slice(&errors).unwrap();
        let text = |member: &str| error[member].as_str().unwrap().to_owned();
        (text("errorCode"), text("errorMessage"))
    }

    fn request(input: impl Read) -> (String, String) {
        let mut output = Vec::new();
        let error = refused(&["get-plugin-metadata"], input, &mut output);
        assert!(output.is_empty());
        error
    }

    #[test]
    fn metadata_is_answered_without_clock_disk_or_key() {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let arguments = ["get-plugin-metadata".into()];
        assert!(serve(&arguments, b"{}".as_slice(), &mut output, &mut errors, &NoHost));
        let answer: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(answer["supportedContractVersions"], serde_json::json!(["1.0"]));
        assert!(errors.is_empty());
    }

    #[test]
    fn a_request_one_byte_over_the_limit_is_refused_and_one_at_the_limit_is_read() {
        let limit = u64::try_from(limits::PLUGIN_REQUEST_BYTES).unwrap();
        let (code, message) = request(io::repeat(b' ').take(limit + 1));
        assert_eq!(code, "VALIDATION_ERROR");
        assert_eq!(message, "request is over the limit of 67108864 bytes");
        let (_, message) = request(io::repeat(b' ').take(limit));
        assert!(message.starts_with("request is not valid JSON: EOF"), "{message}");
    }

    #[test]
    fn an_endless_request_is_refused() {
        assert!(request(io::repeat(b'[')).1.contains("over the limit"));
    }

    #[test]
    fn a_bad_command_line_is_an_error_of_the_contract() {
        let (code, message) = refused(&["describe-key", "--help"], io::empty(), Vec::new());
        assert_eq!(code, "VALIDATION_ERROR");
        assert!(message.starts_with("describe-key takes no arguments but got \"--help\""));
        assert_eq!(refused(&["sign"], io::empty(), Vec::new()).0, "VALIDATION_ERROR");
        assert_eq!(refused(&[], io::empty(), Vec::new()).0, "VALIDATION_ERROR");
    }

    #[test]
    fn a_closed_output_is_an_error() {
        let error = refused(&["get-plugin-metadata"], b"{}".as_slice(), Closed);
        let expected = "answer cannot be written to standard output: broken pipe";
        assert_eq!(error, ("ERROR".to_owned(), expected.to_owned()));
        let arguments = ["get-plugin-metadata".into()];
        assert!(!serve(&arguments, b"{}".as_slice(), Closed, Closed, &NoHost));
    }

    #[test]
    fn a_panic_is_an_error() {
        let request = br#"{"contractVersion":"1.0","keyId":"awskms:///alias/x"}"#;
        let (code, message) = refused(&["describe-key"], request.as_slice(), Vec::new());
        assert_eq!(code, "ERROR");
        assert!(message.contains("the stored keys were read"), "{message}");
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        let version = "\\n".repeat(limits::PLUGIN_ERROR_CHARS);
        let (_, message) = request(format!(r#"{{"contractVersion":"{version}"}}"#).as_bytes());
        assert!(message.chars().count() < limits::PLUGIN_ERROR_CHARS + 10);
        assert!(message.ends_with("… (cut)") && !message.contains('\n'));
    }
}
