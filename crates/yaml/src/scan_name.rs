//! Owns the scanning of directives, anchors, aliases and tags.

use crate::error::{Fault, Scanned};
use crate::scanner::Scanner;
use crate::token::{TextRef, Token, TokenKind};

/// Go's `is_alpha`.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

impl Scanner<'_> {
    fn take_word(&mut self) -> (usize, usize) {
        let start = self.pos;
        while is_word(self.byte()) {
            self.pos += 1;
        }
        (start, self.pos)
    }

    fn owned(&self, start: usize, end: usize) -> String {
        String::from_utf8_lossy(&self.src[start..end]).into_owned()
    }

    fn tag_token(&mut self, kind: TokenKind, start: u32, handle: String, rest: String) -> Token {
        self.tags.push((handle, rest));
        let text = TextRef { at: (self.tags.len() - 1) as u32, len: 0, cooked: false };
        Token { text, ..Token::new(kind, start, self.mark()) }
    }

    pub(crate) fn scan_anchor(&mut self, kind: TokenKind) -> Scanned<Token> {
        let start = self.mark();
        self.pos += 1;
        let (name, end) = self.take_word();
        let ends = matches!(self.byte(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`') || self.is_blankz(self.pos);
        if name == end || !ends {
            return self.fault(start, "did not find expected alphabetic or numeric character");
        }
        Ok(Token { text: self.source_text(name, end), ..Token::new(kind, start, self.mark()) })
    }

    pub(crate) fn scan_tag(&mut self) -> Scanned<Token> {
        let start = self.mark();
        let (handle, suffix);
        if self.at(self.pos + 1) == b'<' {
            self.pos += 2;
            (handle, suffix) = (String::new(), self.scan_tag_uri("", start)?);
            if self.byte() != b'>' {
                return self.fault(start, "did not find the expected '>'");
            }
            self.pos += 1;
        } else {
            let first = self.scan_tag_handle(false, start)?;
            if first.len() > 1 && first.ends_with('!') {
                (handle, suffix) = (first, self.scan_tag_uri("", start)?);
            } else {
                let rest = self.scan_tag_uri(&first, start)?;
                // The tag `!` alone has no handle.
                (handle, suffix) = if rest.is_empty() { (rest, "!".to_owned()) } else { ("!".to_owned(), rest) };
            }
        }
        if !self.is_blankz(self.pos) {
            return self.fault(start, "did not find expected whitespace or line break");
        }
        Ok(self.tag_token(TokenKind::Tag, start, handle, suffix))
    }

    fn scan_tag_handle(&mut self, directive: bool, start: u32) -> Scanned<String> {
        if self.byte() != b'!' {
            return self.fault(start, "did not find expected '!'");
        }
        let from = self.pos;
        self.pos += 1;
        self.take_word();
        if self.byte() == b'!' {
            self.pos += 1;
        } else if directive && self.pos - from > 1 {
            return self.fault(start, "did not find expected '!'");
        }
        Ok(self.owned(from, self.pos))
    }

    /// Reads the rest of a tag behind its first part, whose `!` is left out.
    fn scan_tag_uri(&mut self, head: &str, start: u32) -> Scanned<String> {
        let mut uri: Vec<u8> = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        loop {
            match self.byte() {
                b'%' => self.scan_uri_escapes(start, &mut uri)?,
                byte if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    uri.push(byte);
                    self.pos += 1;
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return self.fault(start, "did not find expected tag URI");
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// Reads `%xx` as often as one UTF-8 character has bytes.
    fn scan_uri_escapes(&mut self, start: u32, uri: &mut Vec<u8>) -> Scanned<()> {
        let mut left = None;
        while left != Some(0) {
            let digit = |at: usize| (self.at(at) as char).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.byte(), digit(self.pos + 1), digit(self.pos + 2)) else {
                return self.fault(start, "did not find URI escaped octet");
            };
            let octet = (high << 4 | low) as u8;
            left = Some(match (left, octet) {
                (None, 0..=0x7f) => 0,
                (None, 0xc0..=0xdf) => 1,
                (None, 0xe0..=0xef) => 2,
                (None, 0xf0..=0xf7) => 3,
                (None, _) => return self.fault(start, "found an incorrect leading UTF-8 octet"),
                (Some(left), 0x80..=0xbf) => left - 1,
                (Some(_), _) => return self.fault(start, "found an incorrect trailing UTF-8 octet"),
            });
            uri.push(octet);
            self.pos += 3;
        }
        Ok(())
    }

    pub(crate) fn scan_directive(&mut self) -> Scanned<Token> {
        let start = self.mark();
        self.pos += 1;
        let (name, name_end) = self.take_word();
        if name == name_end {
            return self.fault(start, "could not find expected directive name");
        }
        if !self.is_blankz(self.pos) {
            return self.fault(start, "found unexpected non-alphabetical character");
        }
        let token = match &self.src[name..name_end] {
            b"YAML" => self.scan_version(start)?,
            b"TAG" => self.scan_tag_directive(start)?,
            _ => return self.fault(start, "found unknown directive name"),
        };
        self.skip_blanks();
        if self.byte() == b'#' {
            self.skip_comment();
        }
        if !self.is_breakz(self.pos) {
            return self.fault(start, "did not find expected comment or line break");
        }
        self.skip_break();
        Ok(token)
    }

    /// Reads `1.1`; the token's `at` is 1 for that version and 0 for another.
    fn scan_version(&mut self, start: u32) -> Scanned<Token> {
        self.skip_blanks();
        let major = self.scan_version_number(start)?;
        if self.byte() != b'.' {
            return self.fault(start, "did not find expected digit or '.' character");
        }
        self.pos += 1;
        let minor = self.scan_version_number(start)?;
        let text = TextRef { at: u32::from((major, minor) == (1, 1)), len: 0, cooked: false };
        Ok(Token { text, ..Token::new(TokenKind::VersionDirective, start, self.mark()) })
    }

    fn scan_version_number(&mut self, start: u32) -> Scanned<u32> {
        const MAX_DIGITS: usize = 2;
        let from = self.pos;
        let mut value = 0;
        while self.byte().is_ascii_digit() {
            if self.pos - from == MAX_DIGITS {
                return self.fault(start, "found extremely long version number");
            }
            value = value * 10 + u32::from(self.byte() - b'0');
            self.pos += 1;
        }
        if self.pos == from { self.fault(start, "did not find expected version number") } else { Ok(value) }
    }

    fn scan_tag_directive(&mut self, start: u32) -> Scanned<Token> {
        self.skip_blanks();
        let handle = self.scan_tag_handle(true, start)?;
        if !self.is_blank(self.pos) {
            return Err(Fault::scanner(self.mark(), start, "did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.scan_tag_uri("", start)?;
        if !self.is_blankz(self.pos) {
            return self.fault(start, "did not find expected whitespace or line break");
        }
        Ok(self.tag_token(TokenKind::TagDirective, start, handle, prefix))
    }
}
