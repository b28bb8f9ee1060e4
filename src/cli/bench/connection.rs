//! One kept-alive connection of a load test, with as little work of its own as can be.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read; lists of a search are far below.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Headers of an answer that are looked at.
const MAX_HEADERS: usize = 64;

/// A connection that is opened when it is first needed, and again when the server closed it.
#[derive(Debug)]
pub(super) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// Where an answer ends, and what it said.
struct Head {
    status: u16,
    end: usize,
    is_last: bool,
}

impl Connection {
    /// A connection to this address, not open yet.
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends a whole request and reads the whole of its answer; gives back the status.
    ///
    /// # Errors
    /// When the connection fails, the answer is none, or it takes longer than 30 s.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => {
                self.stream = None;
                Err(error)
            }
            Err(_) => {
                self.stream = None;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    /// The body of the answer read last.
    pub(super) fn body(&self) -> &[u8] {
        let end = self.buffer.windows(4).position(|window| window == b"\r\n\r\n");
        end.and_then(|end| self.buffer.get(end + 4..)).unwrap_or_default()
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            stream
        };
        stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head_of(&self.buffer)?
                && self.buffer.len() >= head.end
            {
                if !head.is_last {
                    self.stream = Some(stream);
                }
                return Ok(head.status);
            }
            if self.buffer.len() > MAX_ANSWER_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
            }
        }
    }
}

/// The head of an answer, once all of it is there.
fn head_of(bytes: &[u8]) -> io::Result<Option<Head>> {
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "that is no HTTP answer");
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(bytes).map_err(|_| no_http())? else {
        return Ok(None);
    };
    let mut head = Head { status: response.code.ok_or_else(no_http)?, end: start, is_last: false };
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| no_http())?;
            let length: usize = text.trim().parse().map_err(|_| no_http())?;
            head.end = start.saturating_add(length);
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.is_last = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for cut in 0..whole.len() - 2 {
            let head = head_of(whole.get(..cut).unwrap()).unwrap();
            assert!(head.is_none(), "a head of {cut} bytes");
        }
        let head = head_of(whole).unwrap().unwrap();
        assert_eq!((head.status, head.end, head.is_last), (200, whole.len(), false));
        let closing = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        let head = head_of(closing).unwrap().unwrap();
        assert_eq!((head.status, head.end, head.is_last), (204, closing.len(), true));
        assert!(head_of(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
