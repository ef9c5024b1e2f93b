//! A plain HTTP server that answers as a test says, faults included, and keeps what it was asked.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A server that ends with its value.
#[derive(Debug)]
pub(crate) struct FakeHttp {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// As text; what is no UTF-8 is replaced.
    pub(crate) body: String,
    /// As it came.
    pub(crate) bytes: Vec<u8>,
    /// How many came before.
    pub(crate) number: usize,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    head: String,
    body: Vec<u8>,
    /// What the head says; `None` leaves it out.
    length: Option<usize>,
    /// How long it takes until the first byte.
    wait: Duration,
    then: Then,
}

/// What comes after the bytes of an answer.
#[derive(Debug, Clone, Copy)]
enum Then {
    Close,
    /// Nothing, and the connection stays.
    Hang,
    /// The body once more after each pause, for ever.
    Repeat(Duration),
}

impl FakeHttp {
    /// A server that closes each connection after an answer.
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::new(false, answer)
    }

    /// A server that answers on a connection as long as there are requests.
    pub(crate) fn keeping_connections(
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::new(true, answer)
    }

    fn new(keeps: bool, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = Self {
            port,
            requests: Arc::default(),
            connections: Arc::default(),
            ended: Arc::default(),
        };
        let (requests, ended) = (Arc::clone(&fake.requests), Arc::clone(&fake.ended));
        let connections = Arc::clone(&fake.connections);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut connection = connection;
                    while serve(&mut connection, keeps, &requests, &*answer) {}
                });
            }
        });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often a client has connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What came so far, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Paths and queries of what came so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }
}

impl Drop for FakeHttp {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The server, as the client calls it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.header("host").unwrap())
    }
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = Some(body.len());
        let head = format!("HTTP/1.1 {status} Prepared\r\n");
        Self { head, body, length, wait: Duration::ZERO, then: Then::Close }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A redirect.
    pub(crate) fn to(url: &str) -> Self {
        Self::new(302, "").header("Location", url)
    }

    /// Closes the connection without a word.
    pub(crate) fn hang_up() -> Self {
        Self { head: String::new(), length: None, ..Self::new(0, "") }
    }

    /// Says nothing, and keeps the connection.
    pub(crate) fn silence() -> Self {
        Self { then: Then::Hang, ..Self::hang_up() }
    }

    /// Takes its time.
    pub(crate) const fn after(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Says that the body is longer than it is.
    pub(crate) const fn of_length(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// Leaves the body out, as an answer to HEAD does, and tells its length all the same.
    pub(crate) fn without_body(mut self) -> Self {
        self.body.clear();
        self
    }

    /// Keeps the connection after the last byte.
    pub(crate) const fn and_hangs(mut self) -> Self {
        self.then = Then::Hang;
        self
    }

    /// Sends the body again and again, and says no length.
    pub(crate) const fn without_end(mut self, pause: Duration) -> Self {
        self.length = None;
        self.then = Then::Repeat(pause);
        self
    }
}

/// Answers one request, and says whether the connection is there for another.
fn serve(
    client: &mut TcpStream,
    keeps: bool,
    requests: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&Request) -> Answer + Send + Sync),
) -> bool {
    let Some(mut request) = read(client) else { return false };
    {
        let mut requests = requests.lock().unwrap();
        request.number = requests.len();
        requests.push(request.clone());
    }
    let answer = answer(&request);
    thread::sleep(answer.wait);
    // What is none, or longer or shorter than it says, ends with the connection.
    let is_whole = answer.length == Some(answer.body.len()) || request.method == "HEAD";
    let keeps = keeps && is_whole && !answer.head.is_empty() && matches!(answer.then, Then::Close);
    let mut message = answer.head.into_bytes();
    if !message.is_empty() {
        let length = answer.length.map(|length| format!("Content-Length: {length}\r\n"));
        message.extend(length.unwrap_or_default().bytes());
        let ending: &[u8] = if keeps { b"\r\n" } else { b"Connection: close\r\n\r\n" };
        message.extend(ending);
    }
    message.extend(&answer.body);
    let mut sent = client.write_all(&message);
    match answer.then {
        Then::Close => {}
        Then::Hang => drop(client.read_to_end(&mut Vec::new())),
        Then::Repeat(pause) => {
            while sent.is_ok() {
                thread::sleep(pause);
                sent = client.write_all(&answer.body);
            }
        }
    }
    keeps && sent.is_ok()
}

fn read(client: &mut TcpStream) -> Option<Request> {
    let mut message = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = client.read(&mut chunk).ok().filter(|&n| n > 0)?;
        message.extend_from_slice(&chunk[..n]);
        let Some(end) = message.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let (head, body) = (String::from_utf8_lossy(&message[..end]), &message[end + 4..]);
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ').map(ToOwned::to_owned);
        let headers = lines.filter_map(|line| line.split_once(": "));
        let request = Request {
            method: words.next()?,
            target: words.next()?,
            headers: headers.map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned())).collect(),
            body: String::from_utf8_lossy(body).into_owned(),
            bytes: body.to_vec(),
            number: 0,
        };
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(request);
        }
    }
}
