//! A proxy on loopback that only knows CONNECT.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A proxy. Its threads end with the test.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts a proxy that leads to `server`, whatever host it is asked for.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let targets = Arc::new(Mutex::new(Vec::new()));
        let log = targets.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = log.clone();
                thread::spawn(move || lead(&stream, server, &log));
            }
        });
        Proxy { address, targets }
    }

    /// Returns the address of the proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the hosts and ports that were asked for so far.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().expect("no thread panicked").clone()
    }
}

fn lead(client: &TcpStream, server: SocketAddr, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        head.push(line);
    }
    let words: Vec<&str> = head.first().map(|line| line.split(' ').collect()).unwrap_or_default();
    let ["CONNECT", target, ..] = words[..] else {
        return (&*client).write_all(b"HTTP/1.1 405 x\r\ncontent-length: 0\r\n\r\n");
    };
    log.lock().expect("no thread panicked").push(target.to_owned());
    let server = TcpStream::connect(server)?;
    (&*client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut reader, &mut &server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &server, &mut &*client);
        let _ = client.shutdown(Shutdown::Write);
    });
    Ok(())
}
