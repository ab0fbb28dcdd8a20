//! Owns the grammar: go-yaml's `parserc.go`, making nodes where that makes events. `line_reader` is its short cut.

use crate::builder::{Builder, Properties};
use crate::error::{Fault, Scanned};
use crate::line_reader::Line;
use crate::scanner::Scanner;
use crate::token::{Style, Token, TokenKind};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirstEntry,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingFirstKey,
    BlockMappingKey,
    BlockMappingValue,
    /// Behind the `:` of a block mapping.
    BlockMappingValueContent(u32),
    FlowSequenceFirstEntry,
    FlowSequenceEntry,
    FlowSequenceEntryMappingKey,
    FlowSequenceEntryMappingValue,
    FlowSequenceEntryMappingEnd,
    FlowMappingFirstKey,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// What a step did to documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Inside,
    /// A document began at this offset.
    Began(u32),
    /// The document ended at this offset.
    Ended(u32),
    /// The stream ended.
    Finished,
}

/// Tokens to nodes.
pub(crate) struct Parser<'t> {
    pub(crate) scanner: Scanner<'t>,
    pub(crate) builder: Builder<'t>,
    pub(crate) state: State,
    pub(crate) states: Vec<State>,
    /// Where the open collections began.
    pub(crate) marks: Vec<u32>,
    /// Tag handles and what they stand for.
    handles: Vec<(String, String)>,
    /// Where the latest `---` stands.
    pub(crate) last_marker: u32,
    pub(crate) line_reader: bool,
    /// The next line, while the line reader goes on.
    pub(crate) ahead: Option<Line>,
}

impl<'t> Parser<'t> {
    pub(crate) fn new(scanner: Scanner<'t>, builder: Builder<'t>, line_reader: bool) -> Self {
        Self {
            scanner,
            builder,
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            marks: Vec::new(),
            handles: Vec::new(),
            last_marker: 0,
            line_reader,
            ahead: None,
        }
    }

    /// Forgets the document at hand; the scanner stands before the next one.
    pub(crate) fn restart(&mut self) {
        self.state = State::DocumentStart;
        self.ahead = None;
        self.states.clear();
        self.marks.clear();
        self.handles.clear();
    }

    /// Does what one state asks for.
    pub(crate) fn step(&mut self) -> Scanned<Step> {
        if self.line_reader && self.read_lines()? {
            return Ok(Step::Inside);
        }
        match self.state {
            State::ImplicitDocumentStart => return self.document_start(true),
            State::DocumentStart => return self.document_start(false),
            State::DocumentEnd => return self.document_end(),
            State::End => return Ok(Step::Finished),
            State::DocumentContent => self.document_content(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceFirstEntry => self.block_sequence_entry(true),
            State::BlockSequenceEntry => self.block_sequence_entry(false),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingFirstKey => self.block_mapping_key(true),
            State::BlockMappingKey => self.block_mapping_key(false),
            State::BlockMappingValue => self.block_mapping_value(),
            State::BlockMappingValueContent(mark) => self.block_mapping_value_content(mark),
            State::FlowSequenceFirstEntry => self.flow_sequence_entry(true),
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowSequenceEntryMappingKey => self.flow_sequence_entry_mapping_key(),
            State::FlowSequenceEntryMappingValue => self.flow_value(State::FlowSequenceEntryMappingEnd, TokenKind::FlowSequenceEnd),
            State::FlowSequenceEntryMappingEnd => {
                let end = self.scanner.peek()?.start;
                self.state = State::FlowSequenceEntry;
                self.builder.close(Some(end));
                Ok(())
            }
            State::FlowMappingFirstKey => self.flow_mapping_key(true),
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_value(State::FlowMappingKey, TokenKind::FlowMappingEnd),
            State::FlowMappingEmptyValue => {
                let token = self.scanner.peek()?;
                self.absent(State::FlowMappingKey, token.start)
            }
        }?;
        Ok(Step::Inside)
    }

    pub(crate) fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn skip(&mut self) -> Scanned<Token> {
        self.scanner.skip_token();
        self.scanner.peek()
    }

    fn absent(&mut self, next: State, mark: u32) -> Scanned<()> {
        self.state = next;
        self.builder.absent(mark)
    }

    // Documents.

    fn document_start(&mut self, implicit: bool) -> Scanned<Step> {
        let mut token = self.scanner.peek()?;
        if !implicit {
            while token.kind == TokenKind::DocumentEnd {
                token = self.skip()?;
            }
        }
        let explicit = matches!(token.kind, TokenKind::VersionDirective | TokenKind::TagDirective | TokenKind::DocumentStart);
        if token.kind == TokenKind::StreamEnd {
            self.state = State::End;
            return Ok(Step::Finished);
        }
        let start = token.start;
        if implicit && !explicit {
            self.directives()?;
            self.state = State::BlockNode;
        } else {
            self.directives()?;
            let token = self.scanner.peek()?;
            if token.kind != TokenKind::DocumentStart {
                return Err(Fault::parser(token.start, 0, "did not find expected <document start>"));
            }
            self.last_marker = token.start;
            self.scanner.skip_token();
            self.state = State::DocumentContent;
        }
        self.states.push(State::DocumentEnd);
        self.builder.begin(self.scanner.cooked.len());
        Ok(Step::Began(start))
    }

    fn directives(&mut self) -> Scanned<()> {
        let mut token = self.scanner.peek()?;
        let mut version = false;
        loop {
            match token.kind {
                TokenKind::VersionDirective if version => {
                    return Err(Fault::parser(token.start, 0, "found duplicate %YAML directive"));
                }
                TokenKind::VersionDirective if token.text.at == 0 => {
                    return Err(Fault::parser(token.start, 0, "found incompatible YAML document"));
                }
                TokenKind::VersionDirective => version = true,
                TokenKind::TagDirective => {
                    let directive = self.scanner.tags.get(token.text.at as usize).cloned().unwrap_or_default();
                    if self.handles.iter().any(|(handle, _)| *handle == directive.0) {
                        return Err(Fault::parser(token.start, 0, "found duplicate %TAG directive"));
                    }
                    self.handles.push(directive);
                }
                _ => return Ok(()),
            }
            token = self.skip()?;
        }
    }

    fn document_content(&mut self) -> Scanned<()> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::VersionDirective
            | TokenKind::TagDirective
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                self.pop_state();
                self.builder.absent(token.start)
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Scanned<Step> {
        let token = self.scanner.peek()?;
        let end = if token.kind == TokenKind::DocumentEnd {
            self.scanner.skip_token();
            token.end
        } else {
            token.start
        };
        self.handles.clear();
        self.state = State::DocumentStart;
        Ok(Step::Ended(end))
    }

    // Nodes.

    fn node(&mut self, block: bool, indentless: bool) -> Scanned<()> {
        let mut token = self.scanner.peek()?;
        if token.kind == TokenKind::Alias {
            self.pop_state();
            self.scanner.skip_token();
            return self.builder.alias(&token);
        }
        let start = token.start;
        let mut properties = None;
        if matches!(token.kind, TokenKind::Anchor | TokenKind::Tag) {
            (properties, token) = self.properties(token)?;
        }
        let (next, is_map, style) = match token.kind {
            TokenKind::BlockEntry if indentless => {
                self.state = State::IndentlessSequenceEntry;
                return self.builder.open(false, Style::Block, token.start, properties);
            }
            TokenKind::Scalar => {
                self.pop_state();
                self.scanner.skip_token();
                return self.builder.scalar(&token, &self.scanner.cooked, properties);
            }
            TokenKind::FlowSequenceStart => (State::FlowSequenceFirstEntry, false, Style::Flow),
            TokenKind::FlowMappingStart => (State::FlowMappingFirstKey, true, Style::Flow),
            TokenKind::BlockSequenceStart if block => (State::BlockSequenceFirstEntry, false, Style::Block),
            TokenKind::BlockMappingStart if block => (State::BlockMappingFirstKey, true, Style::Block),
            _ if properties.is_some() => {
                self.pop_state();
                let end = token.start.min(self.scanner.src.len() as u32);
                let empty = Token::new(TokenKind::Scalar, end, end);
                return self.builder.scalar(&empty, "", properties);
            }
            _ => return Err(Fault::parser(token.start, start, "did not find expected node content")),
        };
        self.state = next;
        self.builder.open(is_map, style, token.start, properties)
    }

    /// Reads an anchor and a tag in either order; returns the token behind them too.
    fn properties(&mut self, first: Token) -> Scanned<(Option<Properties>, Token)> {
        let mut properties = Properties { start: first.start, ..Properties::default() };
        let mut tag = None;
        let mut token = first;
        loop {
            match token.kind {
                TokenKind::Anchor if properties.anchor.is_none() => properties.anchor = Some(token.text),
                TokenKind::Tag if tag.is_none() => tag = Some(token),
                _ => break,
            }
            token = self.skip()?;
        }
        if let Some(tag) = tag {
            let (handle, suffix) = self.scanner.tags.get(tag.text.at as usize).cloned().unwrap_or_default();
            properties.tag = if handle.is_empty() {
                suffix
            } else {
                let directive = self.handles.iter().find(|(known, _)| *known == handle);
                let prefix = directive.map(|(_, prefix)| prefix.as_str()).or(match handle.as_str() {
                    "!" => Some("!"),
                    "!!" => Some(crate::resolve::LONG_TAG_PREFIX),
                    _ => None,
                });
                match prefix.map(|prefix| prefix.to_owned() + &suffix).filter(|tag| !tag.is_empty()) {
                    Some(tag) => tag,
                    None => return Err(Fault::parser(tag.start, first.start, "found undefined tag handle")),
                }
            };
        }
        Ok((Some(properties), token))
    }

    // Block collections.

    /// Notes where a collection begins, and takes the token that begins it.
    fn begin_collection(&mut self, first: bool) -> Scanned<()> {
        if first {
            let start = self.scanner.peek()?.start;
            self.marks.push(start);
            self.scanner.skip_token();
        }
        Ok(())
    }

    fn end_collection(&mut self, end: Option<u32>) {
        self.pop_state();
        self.marks.pop();
        self.builder.close(end);
        self.scanner.skip_token();
    }

    fn unexpected(&mut self, token: Token, message: &'static str) -> Scanned<()> {
        Err(Fault::parser(token.start, self.marks.pop().unwrap_or(0), message))
    }

    fn block_sequence_entry(&mut self, first: bool) -> Scanned<()> {
        self.begin_collection(first)?;
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let next = self.skip()?;
                if matches!(next.kind, TokenKind::BlockEntry | TokenKind::BlockEnd) {
                    return self.absent(State::BlockSequenceEntry, token.end);
                }
                self.states.push(State::BlockSequenceEntry);
                self.node(true, false)
            }
            TokenKind::BlockEnd => {
                self.end_collection(None);
                Ok(())
            }
            _ => self.unexpected(token, "did not find expected '-' indicator"),
        }
    }

    fn indentless_sequence_entry(&mut self) -> Scanned<()> {
        let token = self.scanner.peek()?;
        if token.kind != TokenKind::BlockEntry {
            self.pop_state();
            self.builder.close(None);
            return Ok(());
        }
        let next = self.skip()?;
        if matches!(next.kind, TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
            return self.absent(State::IndentlessSequenceEntry, token.end);
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(true, false)
    }

    fn block_mapping_key(&mut self, first: bool) -> Scanned<()> {
        self.begin_collection(first)?;
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Key => {
                let next = self.skip()?;
                if matches!(next.kind, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
                    return self.absent(State::BlockMappingValue, token.end);
                }
                self.states.push(State::BlockMappingValue);
                self.node(true, true)
            }
            TokenKind::BlockEnd => {
                self.end_collection(None);
                Ok(())
            }
            _ => self.unexpected(token, "did not find expected key"),
        }
    }

    fn block_mapping_value(&mut self) -> Scanned<()> {
        let token = self.scanner.peek()?;
        if token.kind != TokenKind::Value {
            return self.absent(State::BlockMappingKey, token.start);
        }
        self.scanner.skip_token();
        self.block_mapping_value_content(token.end)
    }

    fn block_mapping_value_content(&mut self, mark: u32) -> Scanned<()> {
        let next = self.scanner.peek()?;
        if matches!(next.kind, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
            return self.absent(State::BlockMappingKey, mark);
        }
        self.states.push(State::BlockMappingKey);
        self.node(true, true)
    }

    // Flow collections.

    fn flow_sequence_entry(&mut self, first: bool) -> Scanned<()> {
        self.begin_collection(first)?;
        let mut token = self.scanner.peek()?;
        if token.kind != TokenKind::FlowSequenceEnd {
            if !first {
                if token.kind != TokenKind::FlowEntry {
                    return self.unexpected(token, "did not find expected ',' or ']'");
                }
                token = self.skip()?;
            }
            if token.kind == TokenKind::Key {
                self.state = State::FlowSequenceEntryMappingKey;
                self.scanner.skip_token();
                return self.builder.open(true, Style::Flow, token.start, None);
            }
            if token.kind != TokenKind::FlowSequenceEnd {
                self.states.push(State::FlowSequenceEntry);
                return self.node(false, false);
            }
        }
        self.end_collection(Some(token.end));
        Ok(())
    }

    fn flow_sequence_entry_mapping_key(&mut self) -> Scanned<()> {
        let token = self.scanner.peek()?;
        if matches!(token.kind, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
            // As go-yaml does it, the token is lost.
            self.scanner.skip_token();
            return self.absent(State::FlowSequenceEntryMappingValue, token.end);
        }
        self.states.push(State::FlowSequenceEntryMappingValue);
        self.node(false, false)
    }

    /// Reads the value of a flow mapping's entry, or of a pair in a flow sequence.
    fn flow_value(&mut self, then: State, closing: TokenKind) -> Scanned<()> {
        let mut token = self.scanner.peek()?;
        let mark = token.start;
        if token.kind == TokenKind::Value {
            token = self.skip()?;
            if token.kind != TokenKind::FlowEntry && token.kind != closing {
                self.states.push(then);
                return self.node(false, false);
            }
        }
        self.absent(then, mark)
    }

    fn flow_mapping_key(&mut self, first: bool) -> Scanned<()> {
        self.begin_collection(first)?;
        let mut token = self.scanner.peek()?;
        if token.kind != TokenKind::FlowMappingEnd {
            if !first {
                if token.kind != TokenKind::FlowEntry {
                    return self.unexpected(token, "did not find expected ',' or '}'");
                }
                token = self.skip()?;
            }
            if token.kind == TokenKind::Key {
                token = self.skip()?;
                if matches!(token.kind, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                    return self.absent(State::FlowMappingValue, token.start);
                }
                self.states.push(State::FlowMappingValue);
                return self.node(false, false);
            }
            if token.kind != TokenKind::FlowMappingEnd {
                self.states.push(State::FlowMappingEmptyValue);
                return self.node(false, false);
            }
        }
        self.end_collection(Some(token.end));
        Ok(())
    }
}
