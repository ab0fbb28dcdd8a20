//! Owns the dispatch of the scanner: which token begins here, and the tokens that indentation opens and closes.
//! Scalars are in `scan_scalar`, directives, anchors and tags in `scan_name`.

use crate::error::{Fault, Scanned};
use crate::limits::MAX_DEPTH;
use crate::scanner::Scanner;
use crate::token::{Token, TokenKind};

impl Scanner<'_> {
    pub(crate) fn fetch_next(&mut self) -> Scanned<()> {
        self.scan_to_next_token();
        self.unroll_indent(self.column() as i64);
        let next_blankz = self.is_blankz(self.pos + 1);
        let block = self.flow_level == 0;
        match self.byte() {
            0 => self.fetch_stream_end(),
            b'%' if self.column() == 0 => self.fetch_directive(),
            b'-' | b'.' if self.at_document_marker() => self.fetch_document_marker(),
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.push_indicator(TokenKind::FlowEntry);
                Ok(())
            }
            b'-' if next_blankz => self.fetch_block_entry(),
            b'?' if !block || next_blankz => self.fetch_key(),
            b':' if !block || next_blankz => self.fetch_value(),
            b'*' => self.fetch_named(|scanner| scanner.scan_anchor(TokenKind::Alias)),
            b'&' => self.fetch_named(|scanner| scanner.scan_anchor(TokenKind::Anchor)),
            b'!' => self.fetch_named(Self::scan_tag),
            style @ (b'|' | b'>') if block => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                let token = self.scan_block_scalar(style == b'|')?;
                self.push(token);
                Ok(())
            }
            b'\'' => self.fetch_named(|scanner| scanner.scan_quoted(true)),
            b'"' => self.fetch_named(|scanner| scanner.scan_quoted(false)),
            b'\t' | b'|' | b'>' | b'%' | b'@' | b'`' => self.fault(self.mark(), "found character that cannot start any token"),
            _ => self.fetch_named(Self::scan_plain),
        }
    }

    /// Steps over blanks, comments and line breaks. Tabs may not stand where a key may: indentation is spaces.
    fn scan_to_next_token(&mut self) {
        loop {
            loop {
                match self.byte() {
                    b' ' => self.pos += 1,
                    b'\t' if self.flow_level > 0 || !self.simple_key_allowed => self.pos += 1,
                    _ => break,
                }
            }
            if self.byte() == b'#' {
                self.skip_comment();
            }
            if self.break_at(self.pos) == 0 {
                return;
            }
            self.skip_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    /// Opens a block collection when the column lies deeper than the current one.
    fn roll_indent(&mut self, column: usize, number: Option<usize>, kind: TokenKind, mark: u32) -> Scanned<()> {
        if self.flow_level > 0 || self.indent >= column as i64 {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column as i64;
        if self.indents.len() > MAX_DEPTH {
            let context = self.simple_keys[self.simple_keys.len() - 1].mark;
            return Err(Fault::scanner(self.mark(), context, format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.insert(number, Token::new(kind, mark, mark));
        Ok(())
    }

    /// Closes the block collections that lie deeper than the column.
    fn unroll_indent(&mut self, column: i64) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            let mark = self.mark();
            self.push(Token::new(TokenKind::BlockEnd, mark, mark));
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_stream_end(&mut self) -> Scanned<()> {
        if self.cut {
            // The run knows what is in the way.
            return self.fault(0, "the text ends here");
        }
        if self.column() != 0 && !self.ended_line {
            self.ended_line = true;
            self.line += 1;
        }
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let mark = self.mark();
        self.push(Token::new(TokenKind::StreamEnd, mark, mark));
        Ok(())
    }

    fn fetch_directive(&mut self) -> Scanned<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_directive()?;
        self.push(token);
        Ok(())
    }

    fn fetch_document_marker(&mut self) -> Scanned<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let kind = if self.byte() == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
        let start = self.mark();
        self.pos += 3;
        self.push(Token::new(kind, start, self.mark()));
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind) -> Scanned<()> {
        self.save_simple_key()?;
        self.increase_flow_level()?;
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind) -> Scanned<()> {
        self.remove_simple_key()?;
        self.decrease_flow_level();
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Scanned<()> {
        // In flow context the parser reports it: it can point to the collection.
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.fault(self.mark(), "block sequence entries are not allowed in this context");
            }
            self.roll_indent(self.column(), None, TokenKind::BlockSequenceStart, self.mark())?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Scanned<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.fault(self.mark(), "mapping keys are not allowed in this context");
            }
            self.roll_indent(self.column(), None, TokenKind::BlockMappingStart, self.mark())?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Scanned<()> {
        let last = self.simple_keys.len() - 1;
        if self.simple_key_is_valid(last)? {
            let key = self.simple_keys[last];
            self.insert(Some(key.token_number), Token::new(TokenKind::Key, key.mark, key.mark));
            self.roll_indent(key.column, Some(key.token_number), TokenKind::BlockMappingStart, key.mark)?;
            self.simple_keys[last].possible = false;
            self.forget_waiting(key.token_number);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return self.fault(self.mark(), "mapping values are not allowed in this context");
                }
                self.roll_indent(self.column(), None, TokenKind::BlockMappingStart, self.mark())?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value);
        Ok(())
    }

    /// Scans a token that may begin a key and after which none may follow.
    fn fetch_named(&mut self, scan: impl FnOnce(&mut Self) -> Scanned<Token>) -> Scanned<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = scan(self)?;
        self.push(token);
        Ok(())
    }
}
