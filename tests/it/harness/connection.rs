//! A small HTTP/1.1 client that sends exactly the bytes it is told to.
//!
//! The usual clients repair what a test wants broken: paths are normalised, lengths
//! corrected, second headers merged. This one does none of it.

use super::PATIENCE;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// What a server answered.
#[derive(Clone)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// The headers in their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

impl Response {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} is no JSON ({error}): {:?}", self.status, self.text())
        })
    }

    /// The number in a header.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        let text = self.header(name).unwrap_or_else(|| panic!("there is no {name} in {self:?}"));
        text.trim_matches('"').parse().unwrap_or_else(|_| panic!("{name} is {text:?}"))
    }

    /// Itself, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "answered {:?}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// Bytes both ways, plain or through TLS.
pub(crate) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// An open connection to a server.
pub(crate) struct Connection {
    host: String,
    stream: BufReader<Box<dyn Stream>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self::over(Box::new(stream), address))
    }

    /// Speaks over a stream that is already there.
    pub(crate) fn over(stream: Box<dyn Stream>, host: &str) -> Self {
        Self { host: host.to_owned(), stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// Sends one piece of a chunked body.
    pub(crate) fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut piece = format!("{:x}\r\n", bytes.len()).into_bytes();
        piece.extend_from_slice(bytes);
        piece.extend_from_slice(b"\r\n");
        self.raw(&piece)
    }

    /// Sends the head of a request; `Host` is added unless it is among the headers.
    pub(crate) fn head(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<()> {
        let bytes = self.head_bytes(method, target, headers);
        self.raw(&bytes)
    }

    fn head_bytes(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            write!(head, "Host: {}\r\n", self.host).unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Sends a whole request and reads the answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Response> {
        let length = body.map(|body| body.len().to_string());
        let mut headers = headers.to_vec();
        if let Some(length) = &length {
            headers.push(("Content-Length", length));
        }
        let mut bytes = self.head_bytes(method, target, &headers);
        bytes.extend_from_slice(body.unwrap_or_default());
        self.raw(&bytes)?;
        self.answer(method == "HEAD")
    }

    /// Reads the next answer.
    pub(crate) fn answer(&mut self, is_head_only: bool) -> io::Result<Response> {
        let broken = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| broken(&format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        if !is_head_only && status != 204 && status != 304 {
            response.body = self.body(&response)?;
        }
        Ok(response)
    }

    fn body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if response.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            loop {
                let size = usize::from_str_radix(self.line()?.trim(), 16)
                    .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                let mut piece = vec![0; size + 2];
                self.stream.read_exact(&mut piece)?;
                if size == 0 {
                    return Ok(body);
                }
                body.extend_from_slice(&piece[..size]);
            }
        }
        match response.header("content-length").and_then(|text| text.parse().ok()) {
            Some(length) => {
                body = vec![0; length];
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
