//! Docker's credential helpers: programs that keep passwords, and are asked on standard input and output
//! (github: docker/docker-credential-helpers). They get a time limit, and what they print is bounded.

use std::{
    ffi::OsString,
    io::{Read, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::CredentialsError;
use crate::{
    http::{Credential, said},
    limits,
};

/// The user of what is an identity token.
const TOKEN_USER: &str = "<token>";
/// What every helper says of a registry that it does not know.
const UNKNOWN: &str = "credentials not found";
/// Between two looks at whether a helper has ended, which it does right after closing its output.
const PAUSE: Duration = Duration::from_millis(5);

/// A program that keeps passwords.
#[derive(Debug)]
pub(in crate::cli) struct Helper {
    /// As it is called in texts.
    name: String,
    program: OsString,
    timeout: Duration,
}

/// What `get` prints and `store` reads.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    username: String,
    secret: String,
}

/// A program that has ended.
struct Ended {
    status: ExitStatus,
    stdout: Zeroizing<Vec<u8>>,
    stderr: Zeroizing<Vec<u8>>,
}

impl Helper {
    /// `docker-credential-SUFFIX` on the search path.
    pub(super) fn new(suffix: &str) -> Result<Self, CredentialsError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !suffix.chars().all(fits) {
            return Err(CredentialsError::BadHelper(suffix.to_owned()));
        }
        let name = format!("docker-credential-{suffix}");
        Ok(Self { program: name.clone().into(), name, timeout: limits::HELPER_TIMEOUT })
    }

    /// What the program is called.
    pub(in crate::cli) fn name(&self) -> &str {
        &self.name
    }

    /// What is kept for a registry.
    pub(super) fn get(&self, server: &str) -> Result<Option<Credential>, CredentialsError> {
        let ended = self.run("get", Zeroizing::new(server.as_bytes().to_vec()))?;
        if !ended.status.success() {
            let is_unknown = String::from_utf8_lossy(&ended.stdout).contains(UNKNOWN);
            // What else it prints could be a secret.
            let reason = ended.status.to_string();
            return if is_unknown { Ok(None) } else { Err(self.failed("get", reason)) };
        }
        // The cause would show a part of the secret.
        let malformed = || CredentialsError::HelperMalformed { program: self.name.clone() };
        let entry: Entry = serde_json::from_slice(&ended.stdout).map_err(|_| malformed())?;
        let secret = Zeroizing::new(entry.secret);
        Ok(match entry.username {
            _ if secret.is_empty() => None,
            user if user == TOKEN_USER => Some(Credential::IdentityToken(secret)),
            username => Some(Credential::Basic { username, password: secret }),
        })
    }

    /// Keeps a credential for a registry.
    pub(super) fn store(
        &self,
        server: &str,
        credential: &Credential,
    ) -> Result<(), CredentialsError> {
        let (username, secret) = match credential {
            Credential::Basic { username, password } => (username.as_str(), password),
            Credential::IdentityToken(token) => (TOKEN_USER, token),
        };
        let (server_url, username) = (server.to_owned(), username.to_owned());
        let entry = Zeroizing::new(Entry { server_url, username, secret: secret.to_string() });
        let input =
            serde_json::to_vec(&*entry).map_err(|error| self.failed("store", error.to_string()))?;
        let ended = self.run("store", Zeroizing::new(input))?;
        let told = || self.failed("store", ended.reason().replace(secret.as_str(), "…"));
        if ended.status.success() { Ok(()) } else { Err(told()) }
    }

    /// Forgets what is kept for a registry.
    pub(super) fn erase(&self, server: &str) -> Result<(), CredentialsError> {
        let ended = self.run("erase", Zeroizing::new(server.as_bytes().to_vec()))?;
        if ended.status.success() { Ok(()) } else { Err(self.failed("erase", ended.reason())) }
    }

    fn failed(&self, action: &'static str, reason: String) -> CredentialsError {
        CredentialsError::HelperFailed { program: self.name.clone(), action, reason }
    }

    fn run(
        &self,
        action: &'static str,
        input: Zeroizing<Vec<u8>>,
    ) -> Result<Ended, CredentialsError> {
        let end = Instant::now() + self.timeout;
        let missing =
            |source| CredentialsError::HelperMissing { program: self.name.clone(), source };
        let mut child = Command::new(&self.program)
            .arg(action)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(missing)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that reads nothing must hold nobody up.
            thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let ended = self.wait(&mut child, action, end, &stdout, &stderr);
        if ended.is_err() {
            // What it has begun itself may go on, and nobody waits for that.
            let _ = child.kill();
            let _ = child.wait();
        }
        ended
    }

    fn wait(
        &self,
        child: &mut Child,
        action: &'static str,
        end: Instant,
        stdout: &Receiver<Zeroizing<Vec<u8>>>,
        stderr: &Receiver<Zeroizing<Vec<u8>>>,
    ) -> Result<Ended, CredentialsError> {
        let program = || self.name.clone();
        let hangs =
            || CredentialsError::HelperHangs { program: program(), action, after: self.timeout };
        let receive = |from: &Receiver<Zeroizing<Vec<u8>>>| match from
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            Ok(bytes) if bytes.len() > limits::HELPER_BYTES => {
                Err(CredentialsError::HelperTooLong { program: program(), action })
            }
            Ok(bytes) => Ok(bytes),
            Err(RecvTimeoutError::Timeout) => Err(hangs()),
            Err(RecvTimeoutError::Disconnected) => Ok(Zeroizing::default()),
        };
        let (stdout, stderr) = (receive(stdout)?, receive(stderr)?);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    return Ok(Ended { status, stdout, stderr });
                }
                Ok(None) if Instant::now() < end => thread::sleep(PAUSE),
                Ok(None) => return Err(hangs()),
                Err(source) => {
                    return Err(CredentialsError::HelperMissing { program: program(), source });
                }
            }
        }
    }
}

impl Ended {
    /// Why it failed: by the protocol it stands on standard output, and many helpers write it to standard error.
    fn reason(&self) -> String {
        let mut texts = [&self.stdout, &self.stderr].into_iter().map(|text| text.trim_ascii());
        let text = texts.find(|text| !text.is_empty()).unwrap_or_default();
        said(text.get(..limits::ERROR_BODY_BYTES).unwrap_or(text))
    }
}

impl zeroize::Zeroize for Entry {
    fn zeroize(&mut self) {
        self.secret.zeroize();
    }
}

/// Reads to the end, or to one byte over the limit.
fn drain(from: Option<impl Read + Send + 'static>) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // With room for all of it: a vector that grows leaves its old bytes behind.
        let limit = limits::HELPER_BYTES.saturating_add(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
        if let Some(from) = from {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            // What came before an error counts.
            let _ = from.take(limit).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::*;

    /// Runs `get` of a script.
    fn get(script: &str) -> Result<Option<Credential>, CredentialsError> {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("source"), folder.path().join("helper"));
        fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Copied by another process: a file that this one has open for writing cannot be run.
        let copied = Command::new("install").args(["-m", "700"]).args([&source, &program]).status();
        assert!(copied.unwrap().success());
        let timeout = Duration::from_millis(700);
        let helper = Helper { name: "helper".to_owned(), program: program.into(), timeout };
        helper.get("registry.example")
    }

    #[track_caller]
    fn told(script: &str) -> String {
        get(script).unwrap_err().to_string()
    }

    #[test]
    fn a_helper_is_given_the_registry_and_gives_a_user_or_a_token() {
        let basic =
            get(r#"read -r s || :; echo '{"ServerURL":"'$s'","Username":"'$s'","Secret":"x"}'"#);
        assert!(matches!(basic.unwrap(), Some(Credential::Basic { username, password })
            if username == "registry.example" && *password == "x"));
        let token = get(r#"echo '{"Username":"<token>","Secret":"x"}'"#).unwrap();
        assert!(matches!(token, Some(Credential::IdentityToken(token)) if *token == "x"));
        assert!(get(r#"echo '{"Username":"","Secret":""}'"#).unwrap().is_none());
        assert!(get("echo credentials not found in native keychain; exit 1").unwrap().is_none());
    }

    #[test]
    fn a_helper_that_hangs_floods_or_fails_is_ended_and_told_without_secrets() {
        let begun = Instant::now();
        assert_eq!(told("sleep 30"), "helper get took longer than 0.7 s");
        assert_eq!(told("exec 1>&- 2>&-; sleep 30"), "helper get took longer than 0.7 s");
        assert_eq!(told("yes"), "helper get prints over the limit of 65536 bytes");
        assert_eq!(told("yes >&2"), "helper get prints over the limit of 65536 bytes");
        assert!(begun.elapsed() < Duration::from_secs(10));
        for script in ["echo hunter2; exit 1", "echo hunter2 >&2; exit 1"] {
            assert_eq!(told(script), "helper get failed: exit status: 1");
        }
        for answer in ["", "{}", r#"{"Username":"me","Secret":7}"#, r#"["hunter2"]"#] {
            let told = told(&format!("echo '{answer}'"));
            assert_eq!(told, "helper get printed something else than a user and a secret");
        }
    }

    #[test]
    fn a_helper_has_no_path() {
        for suffix in ["../x", "/bin/sh", "a b", "a\0"] {
            assert!(matches!(Helper::new(suffix), Err(CredentialsError::BadHelper(_))), "{suffix}");
        }
        assert_eq!(Helper::new("ecr-login").unwrap().name(), "docker-credential-ecr-login");
    }
}
