//! An HTTP or HTTPS server on loopback that drops connections and changes contents.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How a server answers a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The file, or the range that is asked for if the tag is still the same.
    File {
        /// Its bytes.
        bytes: Arc<Vec<u8>>,
        /// Its entity tag, with quotes.
        tag: &'static str,
        /// After how many bytes of the body the connection ends.
        drop_after: usize,
    },
    /// The range that is asked for, whatever the tag.
    AnyRange(Arc<Vec<u8>>),
    /// An answer without a body.
    Status(u16),
    /// A redirect to another path of this server, or to another address.
    Redirect(&'static str),
    /// Nothing, for a minute.
    Silence,
}

/// A server. Its thread ends with the test.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server that asks `answer` about each request: its number from 0, and its path.
    pub fn start(answer: impl Fn(usize, &str) -> Answer + Send + 'static) -> Self {
        Self::start_with(None, answer)
    }

    /// Starts a server that speaks TLS, like [`start`](Self::start).
    pub fn start_tls(
        settings: Arc<ServerConfig>,
        answer: impl Fn(usize, &str) -> Answer + Send + 'static,
    ) -> Self {
        Self::start_with(Some(settings), answer)
    }

    fn start_with(
        settings: Option<Arc<ServerConfig>>,
        answer: impl Fn(usize, &str) -> Answer + Send + 'static,
    ) -> Self {
        let scheme = if settings.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is what some tests are about.
                let _ = match &settings {
                    None => serve(stream, &log, &answer),
                    Some(settings) => ServerConnection::new(settings.clone())
                        .map_err(std::io::Error::other)
                        .and_then(|tls| serve(StreamOwned::new(tls, stream), &log, &answer)),
                };
            }
        });
        Server { address, scheme, requests }
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Returns the heads of all requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no thread panicked").clone()
    }
}

fn serve(
    stream: impl Read + Write,
    log: &Mutex<Vec<String>>,
    answer: &impl Fn(usize, &str) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader)?;
    let stream = reader.get_mut();
    let number = {
        let mut log = log.lock().expect("no thread panicked");
        log.push(head.clone());
        log.iter().filter(|head| head.starts_with("get ")).count() - 1
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.map(str::to_owned)
    };
    let start = header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let mut send = |head: String, body: &[u8]| {
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()
    };
    let close = "connection: close\r\n\r\n";
    let partial = |bytes: &[u8], start: usize, tag: &str| {
        let (end, all, length) = (bytes.len() - 1, bytes.len(), bytes.len() - start);
        format!(
            "HTTP/1.1 206 Partial\r\ncontent-range: bytes {start}-{end}/{all}\r\n\
             content-length: {length}\r\netag: {tag}\r\n{close}"
        )
    };
    match answer(number, &path) {
        Answer::File { bytes, tag, drop_after } => {
            let is_same = header("if-range").as_deref() == Some(tag);
            let start = start.filter(|start| is_same && *start < bytes.len());
            let end = bytes.len().min(start.unwrap_or(0).saturating_add(drop_after));
            let head = match start {
                Some(start) => partial(&bytes, start, tag),
                None => format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: {tag}\r\n{close}",
                    bytes.len()
                ),
            };
            send(head, &bytes[start.unwrap_or(0)..end])
        }
        Answer::AnyRange(bytes) => {
            let start = start.unwrap_or(0);
            send(partial(&bytes, start, "\"any\""), &bytes[start..])
        }
        Answer::Status(status) => {
            send(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n{close}"), b"")
        }
        Answer::Redirect(to) => {
            send(format!("HTTP/1.1 302 x\r\nlocation: {to}\r\ncontent-length: 0\r\n{close}"), b"")
        }
        Answer::Silence => {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(head);
        }
        head += &line.to_ascii_lowercase().replace("\r\n", "\n");
    }
}
