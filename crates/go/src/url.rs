//! Owns URLs as Go's `net/url` reads and writes them (src/net/url/url.go of Go 1.26): lenient, and with its error texts.

use std::net::Ipv6Addr;

use crate::strconv::quote_bytes;

/// A URL or a reference to one; the parts are decoded, but for the query and what is opaque.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// In lower case.
    pub scheme: Vec<u8>,
    /// What comes after the scheme where no `/` does.
    pub opaque: Vec<u8>,
    /// Who, and the password if there is one.
    pub user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// Host and port.
    pub host: Vec<u8>,
    /// Path.
    pub path: Vec<u8>,
    /// Query, as it was written.
    pub query: Vec<u8>,
    /// Fragment.
    pub fragment: Vec<u8>,
    /// Path as it was written, where that is not how it would be.
    raw_path: Vec<u8>,
    raw_fragment: Vec<u8>,
    /// There is a `?` and nothing after it.
    force_query: bool,
    omit_host: bool,
}

/// The part of a URL that is encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

fn must_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    if matches!(part, Part::Host | Part::Zone) {
        return !b"!$&'()*+,;=:[]<>\"".contains(&byte);
    }
    match (part, byte) {
        (Part::Path, b'?') | (Part::User, b'@' | b'/' | b'?' | b':') => true,
        (_, b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@') => false,
        (Part::Fragment, b'!' | b'(' | b')' | b'*') => false,
        _ => true,
    }
}

fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if must_escape(*byte, part) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn bad_escape(text: &[u8]) -> String {
    format!("invalid URL escape {}", quote_bytes(&text[..text.len().min(3)]))
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if *byte != b'%' {
            if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && must_escape(*byte, part) {
                return Err(format!("invalid character {} in host name", quote_bytes(&[*byte])));
            }
            out.push(*byte);
            rest = after;
            continue;
        }
        let (Some(high), Some(low)) = (after.first().and_then(|byte| hex(*byte)), after.get(1).and_then(|byte| hex(*byte))) else {
            return Err(bad_escape(rest));
        };
        let decoded = high << 4 | low;
        let is_percent = decoded == b'%';
        let refused = match part {
            Part::Host => high < 8 && !is_percent,
            Part::Zone => !is_percent && decoded != b' ' && must_escape(decoded, Part::Host),
            _ => false,
        };
        if refused {
            return Err(bad_escape(rest));
        }
        out.push(decoded);
        rest = after.get(2..).unwrap_or_default();
    }
    Ok(out)
}

fn cut(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == at) {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, &[]),
    }
}

fn last(text: &[u8], byte: u8) -> Option<usize> {
    text.iter().rposition(|one| *one == byte)
}

impl Url {
    /// Reads a URL as `url.Parse` does. The error is Go's.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let (main, fragment) = cut(text, b'#');
        let told = |text: &[u8], error: String| format!("parse {}: {error}", quote_bytes(text));
        let mut url = Self::without_fragment(main).map_err(|error| told(main, error))?;
        if !fragment.is_empty() {
            url.fragment = unescape(fragment, Part::Fragment).map_err(|error| told(text, error))?;
            if escape(&url.fragment, Part::Fragment) != fragment {
                url.raw_fragment = fragment.to_vec();
            }
        }
        Ok(url)
    }

    fn without_fragment(text: &[u8]) -> Result<Self, String> {
        if text.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, mut rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        if rest.ends_with(b"?") && rest.iter().filter(|byte| **byte == b'?').count() == 1 {
            url.force_query = true;
            rest = &rest[..rest.len() - 1];
        } else {
            let (before, query) = cut(rest, b'?');
            (rest, url.query) = (before, query.to_vec());
        }
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let has_authority = rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///"));
        if has_authority {
            let authority = &rest[2..];
            let end = authority.iter().position(|byte| *byte == b'/').unwrap_or(authority.len());
            rest = &authority[end..];
            url.authority(&authority[..end])?;
        } else if !url.scheme.is_empty() && rest.starts_with(b"/") {
            url.omit_host = true;
        }
        url.path = unescape(rest, Part::Path)?;
        if escape(&url.path, Part::Path) != rest {
            url.raw_path = rest.to_vec();
        }
        Ok(url)
    }

    fn authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let at = last(authority, b'@');
        self.host = host(&self.scheme, at.map_or(authority, |at| &authority[at + 1..]))?;
        let Some(at) = at else { return Ok(()) };
        let who = &authority[..at];
        if !who.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte)) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = cut(who, b':');
        let password = if who.contains(&b':') { Some(unescape(password, Part::User)?) } else { None };
        self.user = Some((unescape(name, Part::User)?, password));
        Ok(())
    }

    /// Returns user and password as they are written.
    pub fn user_text(&self) -> Vec<u8> {
        let Some((name, password)) = &self.user else { return Vec::new() };
        let mut out = escape(name, Part::User);
        if let Some(password) = password {
            out.push(b':');
            out.extend(escape(password, Part::User));
        }
        out
    }

    /// Returns the host without its port and brackets.
    pub fn hostname(&self) -> &[u8] {
        let host = match last(&self.host, b':') {
            Some(colon) if is_port(&self.host[colon..]) => &self.host[..colon],
            _ => &self.host,
        };
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }

    /// Returns the URL as a text, as `URL.String` does.
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_place(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(written(&self.fragment, &self.raw_fragment, Part::Fragment));
        }
        out
    }

    fn write_place(&self, out: &mut Vec<u8>) {
        let nobody = self.host.is_empty() && self.user.is_none();
        if !(nobody && (self.scheme.is_empty() || self.omit_host)) {
            if !nobody || !self.path.is_empty() {
                out.extend_from_slice(b"//");
            }
            if self.user.is_some() {
                out.extend(self.user_text());
                out.push(b'@');
            }
            out.extend(escape(&self.host, Part::Host));
        }
        let path = if self.path == b"*" { self.path.clone() } else { written(&self.path, &self.raw_path, Part::Path) };
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

/// How a part was written, if that is one way to write it.
fn written(decoded: &[u8], raw: &[u8], part: Part) -> Vec<u8> {
    let valid = |byte: &u8| b"!$&'()*+,;=:@[]%".contains(byte) || !must_escape(*byte, part);
    if !raw.is_empty() && raw.iter().all(valid) && unescape(raw, part).is_ok_and(|raw| raw == decoded) {
        return raw.to_vec();
    }
    escape(decoded, part)
}

fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ if byte.is_ascii_alphabetic() => {}
            _ if at > 0 && (byte.is_ascii_digit() || b"+-.".contains(byte)) => {}
            _ => break,
        }
    }
    Ok((&[], text))
}

fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    let bad_port = |port: &[u8]| Err(format!("invalid port {} after host", quote_bytes(port)));
    match last(host, b'[') {
        Some(0) => {}
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {
            if let Some(first) = host.iter().position(|byte| *byte == b':') {
                // Lists of hosts are usual in URLs of databases.
                let is_web = matches!(scheme, b"http" | b"https");
                let colon = if is_web { first } else { last(host, b':').unwrap_or(first) };
                if !is_port(&host[colon..]) {
                    return bad_port(&host[colon..]);
                }
            }
            return unescape(host, Part::Host);
        }
    }
    let Some(end) = last(host, b']') else { return Err("missing ']' in host".to_owned()) };
    let port = &host[end + 1..];
    if !is_port(port) {
        return bad_port(port);
    }
    let literal = &host[1..end];
    let zone = literal.windows(3).position(|window| window == b"%25").unwrap_or(literal.len());
    let address = unescape(&literal[..zone], Part::Host)?;
    let zone = unescape(&literal[zone..], Part::Zone)?;
    let text = String::from_utf8_lossy(&address);
    if text.parse::<Ipv6Addr>().is_err() {
        let is_short = text.parse::<std::net::Ipv4Addr>().is_ok();
        let whole = [address.as_slice(), &zone].concat();
        return Err(match is_short {
            true => "invalid IP-literal".to_owned(),
            false => format!("invalid host: ParseAddr({}): unable to parse IP", quote_bytes(&whole)),
        });
    }
    Ok([b"[", address.as_slice(), &zone, b"]", port].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of Go 1.26: text; scheme, host, host name, path, query, opaque, fragment, user; the text again.
    const CASES: &[(&str, [&str; 8], &str)] = &[
        ("http://a.b:80/c%20d?e=f#g", ["http", "a.b:80", "a.b", "/c d", "e=f", "", "g", ""], "http://a.b:80/c%20d?e=f#g"),
        ("HTTPS://u:p%40@h", ["https", "h", "h", "", "", "", "", "u:p%40"], "https://u:p%40@h"),
        ("mailto:a@b", ["mailto", "", "", "", "", "a@b", "", ""], "mailto:a@b"),
        ("/a%2fb?", ["", "", "", "/a/b", "", "", "", ""], "/a%2fb?"),
        ("//h/p", ["", "h", "h", "/p", "", "", "", ""], "//h/p"),
        ("file:///x", ["file", "", "", "/x", "", "", "", ""], "file:///x"),
        ("http://[fe80::1%25en0]:8", ["http", "[fe80::1%en0]:8", "fe80::1%en0", "", "", "", "", ""], "http://[fe80::1%25en0]:8"),
        ("a/b", ["", "", "", "a/b", "", "", "", ""], "a/b"),
        ("", ["", "", "", "", "", "", "", ""], ""),
    ];

    #[test]
    fn parts_are_those_of_go() {
        for (text, parts, again) in CASES {
            let url = Url::parse(text.as_bytes()).unwrap();
            let user = url.user_text();
            let found = [&url.scheme, &url.host, url.hostname(), &url.path, &url.query, &url.opaque, &url.fragment, &user];
            assert_eq!(found.map(|part| String::from_utf8_lossy(part).into_owned()), parts.map(str::to_owned), "{text}");
            assert_eq!(String::from_utf8_lossy(&url.text()), *again, "{text}");
        }
    }

    #[test]
    fn errors_are_those_of_go() {
        for (text, error) in [
            (":a", "parse \":a\": missing protocol scheme"),
            ("a:b/c d:e\n", "parse \"a:b/c d:e\\n\": net/url: invalid control character in URL"),
            ("1a:b", "parse \"1a:b\": first path segment in URL cannot contain colon"),
            ("http://h:x", "parse \"http://h:x\": invalid port \":x\" after host"),
            ("http://a b/", "parse \"http://a b/\": invalid character \" \" in host name"),
            ("/%zz", "parse \"/%zz\": invalid URL escape \"%zz\""),
            ("http://[::1", "parse \"http://[::1\": missing ']' in host"),
        ] {
            assert_eq!(Url::parse(text.as_bytes()).unwrap_err(), error);
        }
    }
}
