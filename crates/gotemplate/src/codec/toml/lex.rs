//! Owns the characters of a TOML document: reading them one by one with Go's line numbers, and what words, texts and comments are (lex.go).

use plumb_go::strconv::is_letter;

/// No more characters.
pub(super) const END: char = '\0';

/// What is wrong, and on which line Go sees it.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) line: usize,
    pub(super) message: Vec<u8>,
}

/// What kind of text was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quotes {
    /// `"…"`.
    Basic,
    /// `"""…"""`.
    Lines,
    /// `'…'`.
    Raw,
    /// `'''…'''`.
    RawLines,
}

/// A range of the document and the line it ends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) line: usize,
}

pub(super) struct Lexer<'t> {
    input: &'t [u8],
    pub(super) at: usize,
    pub(super) start: usize,
    pub(super) line: usize,
    ended: bool,
}

type Read<T> = Result<T, Bad>;

impl<'t> Lexer<'t> {
    pub(super) fn new(input: &'t [u8], at: usize) -> Self {
        Self { input, at, start: at, line: 1, ended: false }
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'t [u8] {
        self.input.get(start..end).unwrap_or_default()
    }

    fn current(&self) -> &'t [u8] {
        self.slice(self.start, self.at)
    }

    pub(super) fn current_text(&self) -> String {
        String::from_utf8_lossy(self.current()).into_owned()
    }

    /// Fails on this line; at the end of the document, on the last one that has anything.
    pub(super) fn bad<T>(&self, message: impl Into<Vec<u8>>) -> Read<T> {
        let after_break = self.ended && self.at.checked_sub(1).and_then(|at| self.input.get(at)) == Some(&b'\n');
        Err(Bad { line: self.line - usize::from(after_break), message: message.into() })
    }

    /// Fails on the line before, which a break has just ended.
    fn bad_before<T>(&self, message: impl Into<Vec<u8>>) -> Read<T> {
        Err(Bad { line: self.line - 1, message: message.into() })
    }

    pub(super) fn unexpected<T>(&self, before: &str, rune: char, after: &str) -> Read<T> {
        self.bad(format!("{before}{}{after}", quoted_rune(rune)))
    }

    /// The same, for where a break belongs to the line it ends.
    pub(super) fn unexpected_or_break<T>(&self, before: &str, rune: char, after: &str) -> Read<T> {
        let message = format!("{before}{}{after}", quoted_rune(rune));
        if rune == '\n' { self.bad_before(message) } else { self.bad(message) }
    }

    pub(super) fn next(&mut self) -> Read<char> {
        let Some(first) = self.input.get(self.at).copied() else {
            self.ended = true;
            return Ok(END);
        };
        if first == b'\n' {
            self.line += 1;
        }
        let rest = self.slice(self.at, (self.at + 4).min(self.input.len()));
        let Some(rune) = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) else {
            return Err(Bad { line: self.line, message: format!("invalid UTF-8 byte: 0x{first:02x}").into_bytes() });
        };
        let control = rune < ' ' && !matches!(rune, '\t' | '\n' | '\r') || rune == '\x7f';
        if control || rune == '\r' && self.input.get(self.at + 1) != Some(&b'\n') {
            let message = format!("TOML files cannot contain control characters: '0x{first:02x}'");
            return Err(Bad { line: self.line, message: message.into_bytes() });
        }
        self.at += rune.len_utf8();
        Ok(rune)
    }

    pub(super) fn back(&mut self) {
        if std::mem::take(&mut self.ended) {
            return;
        }
        self.at = self.at.saturating_sub(1);
        while self.input.get(self.at).is_some_and(|byte| byte & 0xc0 == 0x80) && self.at > 0 {
            self.at -= 1;
        }
        if self.input.get(self.at) == Some(&b'\n') {
            self.line -= 1;
        }
    }

    pub(super) fn peek(&mut self) -> Read<char> {
        let rune = self.next()?;
        self.back();
        Ok(rune)
    }

    pub(super) fn accept(&mut self, rune: char) -> Read<bool> {
        let found = self.next()? == rune;
        if !found {
            self.back();
        }
        Ok(found)
    }

    pub(super) fn ignore(&mut self) {
        self.start = self.at;
    }

    pub(super) fn blanks(&mut self) -> Read<()> {
        while matches!(self.next()?, ' ' | '\t') {}
        self.back();
        self.ignore();
        Ok(())
    }

    /// Takes what was read since the last one.
    pub(super) fn token(&mut self) -> Token {
        let token = Token { start: self.start, end: self.at, line: self.line };
        self.start = self.at;
        token
    }

    /// Reads a comment up to its break.
    pub(super) fn comment(&mut self) -> Read<()> {
        while !matches!(self.next()?, '\n' | '\r' | END) {}
        self.back();
        self.ignore();
        Ok(())
    }

    /// Reads a bare key, which may be nothing: what follows complains then.
    pub(super) fn bare(&mut self) -> Read<Token> {
        loop {
            let rune = self.next()?;
            if !(rune.is_ascii_alphanumeric() || matches!(rune, '_' | '-')) {
                self.back();
                return Ok(self.token());
            }
        }
    }

    /// Reads `true` or `false`.
    pub(super) fn word(&mut self) -> Read<(bool, Token)> {
        let from = self.at;
        while is_letter(self.next()?) {}
        self.back();
        match self.slice(from, self.at) {
            word @ (b"true" | b"false") => Ok((word == b"true", self.token())),
            word => {
                let word = plumb_go::strconv::quote(&String::from_utf8_lossy(word));
                self.bad(format!("expected value but found {word} instead"))
            }
        }
    }

    /// Reads a text behind its first quote.
    pub(super) fn text(&mut self) -> Read<(Token, bool)> {
        let mut escaped = false;
        loop {
            match self.next()? {
                END => return self.bad("unexpected EOF; expected '\"'"),
                '\n' | '\r' => return self.bad_before("strings cannot contain newlines"),
                '\\' => {
                    escaped = true;
                    self.escape()?;
                }
                '"' => return Ok((self.closed(1)?, escaped)),
                _ => {}
            }
        }
    }

    /// Reads a raw text behind its first quote.
    pub(super) fn raw_text(&mut self) -> Read<Token> {
        loop {
            match self.next()? {
                END => return self.bad("unexpected EOF; expected \"'\""),
                '\n' | '\r' => return self.bad_before("strings cannot contain newlines"),
                '\'' => return self.closed(1),
                _ => {}
            }
        }
    }

    /// Reads a text of several lines behind its three quotes. It may end with one or two more.
    pub(super) fn lines(&mut self, quotes: Quotes) -> Read<Token> {
        let (quote, expected, too_many) = match quotes {
            Quotes::Lines => ('"', "unexpected EOF; expected '\"\"\"'", "unexpected '\"\"\"\"\"\"'"),
            _ => ('\'', "unexpected EOF; expected \"'''\"", "unexpected \"''''''\""),
        };
        let five = [quote as u8; 5];
        loop {
            let rune = self.next()?;
            if rune == END {
                return self.bad(expected);
            }
            if rune == '\\' && quote == '"' {
                if !matches!(self.next()?, '\n' | '\r') {
                    self.back();
                    self.escape()?;
                }
                continue;
            }
            if rune != quote || !self.accept(quote)? {
                continue;
            }
            if !self.accept(quote)? {
                self.back();
                continue;
            }
            if self.peek()? != quote {
                return self.closed(3);
            }
            let escaped = quote == '"' && self.current().ends_with(b"\\\"\"\"\"\"");
            if self.current().ends_with(&five) && !escaped {
                return self.bad(too_many);
            }
            self.back();
            self.back();
        }
    }

    /// Takes a text whose quotes were just read.
    fn closed(&mut self, quotes: usize) -> Read<Token> {
        let token = Token { start: self.start, end: self.at - quotes, line: self.line };
        self.ignore();
        Ok(token)
    }

    fn escape(&mut self) -> Read<()> {
        let (digits, name, letter) = match self.next()? {
            'e' | 'b' | 't' | 'n' | 'f' | 'r' | '"' | ' ' | '\t' | '\\' => return Ok(()),
            'x' => (2, "two", 'x'),
            'u' => (4, "four", 'u'),
            'U' => (8, "eight", 'U'),
            other => {
                let message = format!("invalid escape in string '\\{other}'");
                return if self.ended { self.bad_before(message) } else { self.bad(message) };
            }
        };
        for _ in 0..digits {
            if !self.next()?.is_ascii_hexdigit() {
                let so_far = plumb_go::strconv::quote(&self.current_text());
                return self.bad(format!("expected {name} hexadecimal digits after '\\{letter}', but got {so_far} instead"));
            }
        }
        Ok(())
    }
}

/// A character as `%q` shows it.
pub(super) fn quoted_rune(rune: char) -> String {
    match rune {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        rune => {
            let quoted = plumb_go::strconv::quote(rune.encode_utf8(&mut [0; 4]));
            format!("'{}'", quoted.get(1..quoted.len() - 1).unwrap_or_default())
        }
    }
}
