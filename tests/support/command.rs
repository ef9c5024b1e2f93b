//! Runs a program to its end: ours, or somebody else's.

use std::{
    ffi::OsStr,
    io::{Read, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Far beyond what any command of the tests needs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A program, what it is given, and how long it may take.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    stdin: Vec<u8>,
    timeout: Duration,
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; `None` where a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// A program with an empty environment but for `PATH`, so that nothing of the developer's own
    /// machine shows in a test.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::piped());
        if let Some(path) = search_path() {
            command.env("PATH", path);
        }
        Self { command, stdin: Vec::new(), timeout: TIMEOUT }
    }

    /// This package's executable.
    pub(crate) fn notation_kms() -> Self {
        Self::new(env!("CARGO_BIN_EXE_notation-kms"))
    }

    /// The same in an address space of so many KiB.
    pub(crate) fn notation_kms_within(kib: u32) -> Self {
        let limited = format!("ulimit -v {kib}; exec \"$0\" \"$@\"");
        Self::new("sh").args(["-c", &limited, env!("CARGO_BIN_EXE_notation-kms")])
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The home folder, and notation's folders below it: configuration, plugins and cache.
    pub(crate) fn home(self, home: &Path) -> Self {
        self.env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
    }

    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// Where it cannot be started or takes longer than its time.
    pub(crate) fn finish(mut self) -> Finished {
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} does not start: {error}", self.command));
        let mut stdin = child.stdin.take().unwrap();
        let bytes = self.stdin;
        // A program may end without reading what it was given.
        let writer = thread::spawn(move || drop(stdin.write_all(&bytes)));
        let stdout = read_to_end(child.stdout.take().unwrap());
        let stderr = read_to_end(child.stderr.take().unwrap());

        let status = wait(&mut child, self.timeout);
        let finished = |status| Finished {
            status,
            stdout: String::from_utf8_lossy(&stdout.join().unwrap()).into_owned(),
            stderr: String::from_utf8_lossy(&stderr.join().unwrap()).into_owned(),
        };
        let Some(status) = status else {
            panic!("{:?} took over {:?}: {:#?}", self.command, self.timeout, finished(None));
        };
        writer.join().unwrap();
        finished(status)
    }
}

impl Finished {
    /// The same, after it is sure that the program exited with `status`.
    ///
    /// # Panics
    /// Where it did not; the message shows all that it printed.
    #[track_caller]
    pub(crate) fn expect_status(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

fn read_to_end(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Waits, and kills what is still there after `timeout`: `None`.
fn wait(child: &mut Child, timeout: Duration) -> Option<Option<i32>> {
    let start = Instant::now();
    while start.elapsed() < timeout {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code());
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn search_path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}
