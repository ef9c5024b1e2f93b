//! A server of somebody else's on a free loopback port, for as long as the tests run.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Far beyond what any of the servers needs.
const START: Duration = Duration::from_secs(30);

/// Runs the server, and ends it by its id when standard input closes. The system closes that pipe
/// however the test process ends, killed too, so no server is left behind.
const WATCH: &str = r#""$@" & server=$!; cat >/dev/null; kill -KILL "$server""#;

/// A running server, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    watcher: Child,
}

impl Server {
    /// Starts what `command` gives for a port and returns when `is_ready` says so.
    ///
    /// # Panics
    /// Where that takes too long; the message shows what the server printed.
    pub(crate) fn start(
        command: impl FnOnce(u16) -> Command,
        is_ready: impl Fn(u16) -> bool,
    ) -> Self {
        let port = free_port();
        let server = command(port);
        let mut log = tempfile::tempfile().unwrap();
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCH, "sh"]).arg(server.get_program()).args(server.get_args());
        watcher.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // For process id files and the like.
        watcher.env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
        watcher
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap());
        // Ctrl-C must reach the tests only: a watcher that dies of it would not end the server.
        let watcher = watcher.process_group(0).spawn().unwrap();

        let running = Self { port, watcher };
        let start = Instant::now();
        while !is_ready(port) {
            assert!(start.elapsed() < START, "{server:?} is not ready:\n{}", contents(&mut log));
            thread::sleep(Duration::from_millis(20));
        }
        running
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // Only a watcher that is gone already cannot be waited for.
        drop(self.watcher.wait());
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn contents(log: &mut File) -> String {
    let mut text = String::new();
    log.rewind().unwrap();
    log.read_to_string(&mut text).unwrap();
    text
}
