//! A KMS that misbehaves: it gives one prepared answer to every request, or forwards it and keeps count.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Answers each of these actions, in lower case, with a status and a body of its own.
    AnswerEach(Vec<(&'static str, u16, String)>),
    /// Says nothing, and keeps the connection.
    Hang,
    /// Closes the connection.
    HangUp,
    /// Asks the KMS on this port.
    Forward(u16),
    /// Asks the KMS on this port for so many signatures, and denies all that come after.
    Deny(u16, usize),
    /// Asks the KMS on this port after a while.
    ForwardLate(u16, Duration),
}

/// A server that ends with its value.
#[derive(Debug)]
pub(crate) struct FakeKms {
    port: u16,
    actions: Arc<Mutex<Vec<String>>>,
    waits: Arc<Mutex<Vec<Duration>>>,
    ended: Arc<AtomicBool>,
}

impl FakeKms {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (actions, waits) = (Arc::default(), Arc::default());
        let ended = Arc::new(AtomicBool::new(false));
        let fake = Self {
            port,
            actions: Arc::clone(&actions),
            waits: Arc::clone(&waits),
            ended: Arc::clone(&ended),
        };
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (behaviour, actions) = (behaviour.clone(), Arc::clone(&actions));
                let waits = Arc::clone(&waits);
                thread::spawn(move || serve(connection, &behaviour, &actions, &waits));
            }
        });
        fake
    }

    /// What `aws-endpoint-url` takes.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The KMS actions that were asked for, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.actions.lock().unwrap().clone()
    }

    /// How long each forwarded request waited for its answer, in order.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }
}

impl Drop for FakeKms {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(
    mut client: TcpStream,
    behaviour: &Behaviour,
    actions: &Mutex<Vec<String>>,
    waits: &Mutex<Vec<Duration>>,
) {
    let Some(request) = read_message(&mut client) else { return };
    let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let action = text.split("trentservice.").nth(1).and_then(|rest| rest.split("\r\n").next());
    actions.lock().unwrap().extend(action.map(ToOwned::to_owned));
    match behaviour {
        Behaviour::Hang => {
            let _ = client.read_to_end(&mut Vec::new());
        }
        Behaviour::HangUp => {}
        Behaviour::Answer(status, body) => answer(&mut client, *status, body),
        Behaviour::AnswerEach(answers) => {
            let mut known = answers.iter().filter(|(name, ..)| action == Some(*name));
            let (_, status, body) = known.next().unwrap();
            answer(&mut client, *status, body);
        }
        Behaviour::Forward(port) => forward(&mut client, &request, *port, waits),
        Behaviour::Deny(port, signatures) => {
            let signed = actions.lock().unwrap().iter().filter(|action| *action == "sign").count();
            if signed > *signatures {
                let body = r#"{"__type": "AccessDeniedException", "message": "no more"}"#;
                answer(&mut client, 400, body);
            } else {
                forward(&mut client, &request, *port, waits);
            }
        }
        Behaviour::ForwardLate(port, wait) => {
            thread::sleep(*wait);
            forward(&mut client, &request, *port, waits);
        }
    }
}

fn forward(client: &mut TcpStream, request: &[u8], port: u16, waits: &Mutex<Vec<Duration>>) {
    let start = Instant::now();
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    server.write_all(request).unwrap();
    if let Some(answer) = read_message(&mut server) {
        waits.lock().unwrap().push(start.elapsed());
        let _ = client.write_all(&answer);
    }
}

fn answer(client: &mut TcpStream, status: u16, body: &str) {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Prepared\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = client.write_all(answer.as_bytes());
}

/// One HTTP message with its body, by its Content-Length.
fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).ok().filter(|&n| n > 0)?;
        message.extend_from_slice(&chunk[..n]);
        let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if message.len() >= end + 4 + length.unwrap_or(0) {
            return Some(message);
        }
    }
}
