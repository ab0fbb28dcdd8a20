//! Owns HTTP as `gix-transport` drives it: a request's headers and body come after it was announced. Must not know what the
//! packets mean, nor what a redirect or a status does.

use std::cell::RefCell;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use http::{HeaderName, HeaderValue, Method, header};
use plumb_unit::Credentials;
use rustls::ClientConfig;

use crate::client::{Client, Content, Origin, authorization, follow};
use crate::error::{FetchError, quote};
use crate::link::Link;
use crate::url::{GitUrl, Scheme};

/// An HTTP client for one repository.
pub(crate) struct Web {
    client: Rc<RefCell<Client>>,
    redirected: Option<String>,
}

impl Web {
    pub(crate) fn new(url: &GitUrl, credentials: &Credentials, tls: Arc<ClientConfig>, link: Rc<Link>) -> Result<Self, FetchError> {
        let broken = |why: &str| FetchError::Credentials { url: url.to_string(), why: why.to_owned() };
        let home = Origin {
            tls: url.scheme() == Scheme::Https,
            host: url.host().to_owned(),
            port: url.port(),
            authority: url.authority().to_ascii_lowercase(),
        };
        let authorization = authorization(credentials).map_err(|why| broken(&why))?;
        let client = Client::new(link, tls, home, authorization);
        Ok(Self { client: Rc::new(RefCell::new(client)), redirected: None })
    }
}

fn parse_headers(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<(HeaderName, HeaderValue)> {
    let parse = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    lines.into_iter().filter_map(|line| parse(line.as_ref())).filter(|(name, _)| *name != header::AUTHORIZATION).collect()
}

/// Writes response headers the way `gix-transport` reads them.
fn header_lines(headers: &http::HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    lines
}

impl Http for Web {
    type Headers = Headers;
    type ResponseBody = Body;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix_error::Result<GetResponse<Headers, Body>> {
        let headers = parse_headers(headers);
        let (response, landed) = follow(&mut self.client.borrow_mut(), url, &headers).map_err(gix_error::Error::from_error)?;
        if landed != url {
            let tail = url.strip_prefix(base_url).unwrap_or(url);
            let Some(base) = landed.strip_suffix(tail) else {
                let client = self.client.borrow();
                let moved = FetchError::Moved { url: client.link.url.clone(), to: quote(&landed) };
                return Err(gix_error::Error::from_error(client.link.fail(moved)));
            };
            self.redirected = Some(base.to_owned());
        }
        let link = self.client.borrow().link.clone();
        let headers = header_lines(response.headers());
        let exchange = Rc::new(RefCell::new(Exchange::Done { headers, body: Content::new(link, response.into_body()) }));
        let client = self.client.clone();
        Ok(GetResponse {
            headers: Headers { client: client.clone(), exchange: exchange.clone(), lines: None },
            body: Body { client, exchange, chunk: Bytes::new() },
        })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _kind: PostBodyDataKind,
    ) -> gix_error::Result<PostResponse<Headers, Body, Upload>> {
        let pending = Exchange::Pending { url: url.to_owned(), headers: parse_headers(headers), body: Vec::new() };
        let exchange = Rc::new(RefCell::new(pending));
        let client = self.client.clone();
        Ok(PostResponse {
            post_body: Upload(exchange.clone()),
            headers: Headers { client: client.clone(), exchange: exchange.clone(), lines: None },
            body: Body { client, exchange, chunk: Bytes::new() },
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> gix_error::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.redirected.clone()
    }
}

/// One request and its answer. A POST is sent when the first byte of its answer is asked for, as its body is written
/// after it was announced.
enum Exchange {
    Pending { url: String, headers: Vec<(HeaderName, HeaderValue)>, body: Vec<u8> },
    Done { headers: Vec<u8>, body: Content },
    Failed,
}

impl Exchange {
    fn carry_out(&mut self, client: &RefCell<Client>) -> io::Result<()> {
        match std::mem::replace(self, Self::Failed) {
            Self::Pending { url, headers, body } => {
                let mut client = client.borrow_mut();
                let response = client.send(Method::POST, &url, &headers, Bytes::from(body))?;
                if let Some(error) = client.refuse(response.status(), response.headers()) {
                    return Err(client.link.fail(error));
                }
                let headers = header_lines(response.headers());
                *self = Self::Done { headers, body: Content::new(client.link.clone(), response.into_body()) };
                Ok(())
            }
            done @ Self::Done { .. } => {
                *self = done;
                Ok(())
            }
            Self::Failed => Err(io::Error::other("the request has failed before")),
        }
    }
}

/// The body of a request, while it is written.
pub(crate) struct Upload(Rc<RefCell<Exchange>>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            Exchange::Pending { body, .. } => {
                body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => Err(io::Error::other("the request has been sent")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The headers of an answer, one a line.
pub(crate) struct Headers {
    client: Rc<RefCell<Client>>,
    exchange: Rc<RefCell<Exchange>>,
    lines: Option<Cursor<Vec<u8>>>,
}

impl Headers {
    fn lines(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        let lines = match self.lines.take() {
            Some(lines) => lines,
            None => {
                let mut exchange = self.exchange.borrow_mut();
                exchange.carry_out(&self.client)?;
                match &mut *exchange {
                    Exchange::Done { headers, .. } => Cursor::new(std::mem::take(headers)),
                    _ => Cursor::default(),
                }
            }
        };
        Ok(self.lines.insert(lines))
    }
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lines()?.read(buffer)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.lines()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(lines) = &mut self.lines {
            lines.consume(amount);
        }
    }
}

/// The body of an answer.
pub(crate) struct Body {
    client: Rc<RefCell<Client>>,
    exchange: Rc<RefCell<Exchange>>,
    chunk: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.is_empty() {
            let mut exchange = self.exchange.borrow_mut();
            exchange.carry_out(&self.client)?;
            let Exchange::Done { body, .. } = &mut *exchange else { return Ok(&[]) };
            self.chunk = body.chunk()?;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount.min(self.chunk.len()));
    }
}
