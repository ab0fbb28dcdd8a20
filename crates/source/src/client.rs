//! Owns HTTP: requests with credentials for one origin only, redirects, statuses as typed failures, bodies as they come.
//! Must not know what is in them.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;
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

/// Scheme, host and port: what credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) authority: String,
}

impl Origin {
    /// Returns the origin of an `http` or `https` URL without a user, and the path in it.
    pub(crate) fn parse(url: &str) -> Option<(Self, String)> {
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

/// A conversation with one server.
pub(crate) struct Client {
    pub(crate) link: Rc<Link>,
    tls: Arc<ClientConfig>,
    home: Origin,
    authorization: Option<HeaderValue>,
    connection: Option<Connection>,
}

/// Returns the `Authorization` header, or why there cannot be one.
pub(crate) fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, String> {
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
    /// Begins a conversation; `authorization` goes to `home` alone.
    pub(crate) fn new(link: Rc<Link>, tls: Arc<ClientConfig>, home: Origin, authorization: Option<HeaderValue>) -> Self {
        Self { link, tls, home, authorization, connection: None }
    }

    /// Returns where credentials go to.
    pub(crate) fn home(&self) -> &Origin {
        &self.home
    }

    /// Begins another conversation over the same link.
    pub(crate) fn beside(&self, home: Origin, authorization: Option<HeaderValue>) -> Self {
        Self::new(self.link.clone(), self.tls.clone(), home, authorization)
    }

    /// Changes what is sent to `home`.
    pub(crate) fn authorize(&mut self, authorization: HeaderValue) {
        self.authorization = Some(authorization);
    }

    /// Sends one request and returns its answer, whatever it is.
    pub(crate) fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> io::Result<Response<Incoming>> {
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
        let expected = self.link.expected;
        self.link.fail(if error.is_parse() { FetchError::Protocol { url, expected, why } } else { FetchError::Unreachable { url, why } })
    }

    /// Returns the failure that a status means; success is none.
    pub(crate) fn refuse(&self, status: StatusCode, headers: &http::HeaderMap) -> Option<FetchError> {
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
            _ => FetchError::Protocol { url, expected: self.link.expected, why: said() },
        })
    }
}

/// Sends a GET, follows redirects, and returns the answer, which is a success, with the URL it came from.
pub(crate) fn follow(client: &mut Client, url: &str, headers: &[(HeaderName, HeaderValue)]) -> io::Result<(Response<Incoming>, String)> {
    let (response, at) = answer(client, url, headers)?;
    match client.refuse(response.status(), response.headers()) {
        None => Ok((response, at)),
        Some(error) => Err(client.link.fail(error)),
    }
}

/// Sends a GET, follows redirects, and returns the answer, whatever it is, with the URL it came from.
pub(crate) fn answer(client: &mut Client, url: &str, headers: &[(HeaderName, HeaderValue)]) -> io::Result<(Response<Incoming>, String)> {
    let mut at = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let response = client.send(Method::GET, &at, headers, Bytes::new())?;
        let next = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let Some(next) = next.filter(|_| matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)) else {
            return Ok((response, at));
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

/// The bytes of an answer, as they come.
pub(crate) struct Content {
    link: Rc<Link>,
    incoming: Option<Incoming>,
}

impl Content {
    pub(crate) fn new(link: Rc<Link>, incoming: Incoming) -> Self {
        Self { link, incoming: Some(incoming) }
    }

    /// Returns the next bytes; empty at the end. What is over the link's budget is an error.
    pub(crate) fn chunk(&mut self) -> io::Result<Bytes> {
        let mut chunk = Bytes::new();
        while let (true, Some(incoming)) = (chunk.is_empty(), self.incoming.as_mut()) {
            match self.link.wait(incoming.frame())? {
                None => self.incoming = None,
                Some(Err(error)) => {
                    self.incoming = None;
                    return Err(self.link.unreachable(&error));
                }
                Some(Ok(frame)) => chunk = frame.into_data().unwrap_or_default(),
            }
        }
        self.link.count(chunk.len())?;
        Ok(chunk)
    }

    /// Returns all that is left.
    pub(crate) fn all(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&chunk);
        }
    }
}
