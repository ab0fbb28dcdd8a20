//! Owns HTTP for Git: requests with credentials for one origin only, redirects, statuses as typed failures. Must not know
//! what the packets mean; `gix-transport` drives it.

use std::cell::RefCell;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use bytes::{Buf, Bytes};
use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use plumb_unit::Credentials;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::error::{FetchError, chain, quote};
use crate::limits::MAX_REDIRECTS;
use crate::link::Link;
use crate::url::{GitUrl, Scheme};

/// Scheme, host and port: what credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
}

impl Origin {
    fn parse(url: &str) -> Option<(Self, String)> {
        let uri: http::Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some((Self { tls, host, port, authority: authority.as_str().to_ascii_lowercase() }, path))
    }
}

struct Connection {
    origin: Origin,
    sender: SendRequest<Full<Bytes>>,
}

/// The part that lives as long as the conversation.
struct Client {
    link: Rc<Link>,
    tls: Arc<ClientConfig>,
    home: Origin,
    authorization: Option<HeaderValue>,
    connection: Option<Connection>,
}

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
        let client = Client { link, tls, home, authorization, connection: None };
        Ok(Self { client: Rc::new(RefCell::new(client)), redirected: None })
    }
}

/// Returns the `Authorization` header, or why there cannot be one.
fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, String> {
    let text = match (&credentials.bearer_token, &credentials.username, &credentials.password) {
        (Some(_), None, Some(_)) | (Some(_), Some(_), _) => {
            return Err("they have both a bearer token and a user name or password; keep one".to_owned());
        }
        (Some(token), None, None) => format!("Bearer {}", token.reveal().trim()),
        (None, None, None) => return Ok(None),
        (None, user, password) => {
            // Servers that take a token as the password do not look at the user, but want one.
            let user = user.as_deref().unwrap_or("git");
            let password = password.as_ref().map_or("", |password| password.reveal().as_str());
            if user.contains(':') {
                return Err("the user name has a colon".to_owned());
            }
            let pair = format!("{user}:{}", password.trim_end_matches(['\r', '\n']));
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| "the token has a character that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

impl Client {
    fn send(&mut self, method: Method, url: &str, headers: &[(HeaderName, HeaderValue)], body: Bytes) -> io::Result<Response<Incoming>> {
        let Some((origin, path)) = Origin::parse(url) else {
            return Err(self.link.protocol("the server led to something that is no http URL"));
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| self.link.protocol("the server led to a malformed URL"))?;
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let host = HeaderValue::from_str(&origin.authority).map_err(|_| self.link.protocol("the host is malformed"))?;
        request.headers_mut().insert(header::HOST, host);
        // Credentials go to the origin they were given for, and nowhere else.
        if let Some(value) = self.authorization.as_ref().filter(|_| origin == self.home) {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        }
        let sender = self.sender(&origin)?;
        let answer = sender.send_request(request);
        let link = self.link.clone();
        link.wait(answer)?.map_err(|error| self.broken(&error))
    }

    fn sender(&mut self, origin: &Origin) -> io::Result<&mut SendRequest<Full<Bytes>>> {
        let link = self.link.clone();
        let reusable = match &mut self.connection {
            Some(connection) if connection.origin == *origin && !connection.sender.is_closed() => {
                link.wait(connection.sender.ready())?.is_ok()
            }
            _ => false,
        };
        if !reusable {
            self.connection = None;
            let sender = self.open(origin)?;
            self.connection = Some(Connection { origin: origin.clone(), sender });
        }
        self.connection.as_mut().map(|connection| &mut connection.sender).ok_or_else(|| link.protocol("no connection"))
    }

    fn open(&self, origin: &Origin) -> io::Result<SendRequest<Full<Bytes>>> {
        let link = &self.link;
        let stream = link.connect(&origin.host, origin.port)?;
        if !origin.tls {
            let (sender, connection) = link.wait(http1::handshake(TokioIo::new(stream)))?.map_err(|error| self.broken(&error))?;
            link.spawn(async move { drop(connection.await) });
            return Ok(sender);
        }
        let untrusted = |why: String| link.fail(FetchError::Tls { url: link.url.clone(), why });
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| untrusted(error.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(self.tls.clone());
        let stream = link.wait(connector.connect(name, stream))?.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => untrusted(quote(&error.to_string())),
            _ => link.unreachable(&error),
        })?;
        let (sender, connection) = link.wait(http1::handshake(TokioIo::new(stream)))?.map_err(|error| self.broken(&error))?;
        link.spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn broken(&self, error: &hyper::Error) -> io::Error {
        let why = chain(error);
        let url = self.link.url.clone();
        self.link.fail(if error.is_parse() { FetchError::Protocol { url, why } } else { FetchError::Unreachable { url, why } })
    }

    /// Returns the failure that a status means; success is none.
    fn refuse(&self, status: StatusCode, headers: &http::HeaderMap) -> Option<FetchError> {
        let url = self.link.url.clone();
        let said = || quote(&format!("HTTP status {status}"));
        Some(match status.as_u16() {
            200 => return None,
            300..=399 => {
                let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("an unnamed place");
                FetchError::Moved { url, to: quote(to) }
            }
            401 if self.authorization.is_none() => {
                FetchError::Unauthorized { url, why: "none were given; name a Secret with `username` and `password`".to_owned() }
            }
            401 => FetchError::Unauthorized { url, why: "they are wrong or have expired; renew them".to_owned() },
            403 => FetchError::Forbidden { url, why: said() },
            404 | 410 => FetchError::NotFound { url },
            429 | 500.. => FetchError::Unavailable { url, status: status.as_u16() },
            _ => FetchError::Protocol { url, why: said() },
        })
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
        let exchange =
            Rc::new(RefCell::new(Exchange::Done { headers: header_lines(response.headers()), body: Some(response.into_body()) }));
        let link = self.client.borrow().link.clone();
        let client = self.client.clone();
        Ok(GetResponse {
            headers: Headers { client: client.clone(), exchange: exchange.clone(), lines: None },
            body: Body { client, exchange, link, chunk: Bytes::new() },
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
        let link = self.client.borrow().link.clone();
        let client = self.client.clone();
        Ok(PostResponse {
            post_body: Upload(exchange.clone()),
            headers: Headers { client: client.clone(), exchange: exchange.clone(), lines: None },
            body: Body { client, exchange, link, chunk: Bytes::new() },
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> gix_error::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.redirected.clone()
    }
}

/// Sends a GET, follows redirects, and returns the answer with the URL it came from.
fn follow(client: &mut Client, url: &str, headers: &[(HeaderName, HeaderValue)]) -> io::Result<(Response<Incoming>, String)> {
    let mut at = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let response = client.send(Method::GET, &at, headers, Bytes::new())?;
        let status = response.status();
        let next = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let Some(next) = next.filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)) else {
            return match client.refuse(status, response.headers()) {
                None => Ok((response, at)),
                Some(error) => Err(client.link.fail(error)),
            };
        };
        let next = absolute(&at, next);
        if at.starts_with("https://") && !next.starts_with("https://") {
            let error = FetchError::Moved { url: client.link.url.clone(), to: quote(&next) };
            return Err(client.link.fail(error));
        }
        at = next;
    }
    Err(client.link.protocol(&format!("it redirects more than {MAX_REDIRECTS} times")))
}

/// Returns where a redirect from one URL leads; its path may stand alone.
fn absolute(from: &str, to: &str) -> String {
    match Origin::parse(from) {
        Some((origin, _)) if to.starts_with('/') && !to.starts_with("//") => {
            format!("{}://{}{to}", if origin.tls { "https" } else { "http" }, origin.authority)
        }
        _ => to.to_owned(),
    }
}

/// One request and its answer. A POST is sent when the first byte of its answer is asked for, as its body is written
/// after it was announced.
enum Exchange {
    Pending { url: String, headers: Vec<(HeaderName, HeaderValue)>, body: Vec<u8> },
    Done { headers: Vec<u8>, body: Option<Incoming> },
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
                *self = Self::Done { headers: header_lines(response.headers()), body: Some(response.into_body()) };
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
    link: Rc<Link>,
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
            while let (true, Some(incoming)) = (self.chunk.is_empty(), body.as_mut()) {
                match self.link.wait(incoming.frame())? {
                    None => *body = None,
                    Some(Err(error)) => {
                        *body = None;
                        return Err(self.link.unreachable(&error));
                    }
                    Some(Ok(frame)) => self.chunk = frame.into_data().unwrap_or_default(),
                }
            }
            self.link.count(self.chunk.len())?;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount.min(self.chunk.len()));
    }
}
