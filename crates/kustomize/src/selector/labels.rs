//! Owns label selectors (`k8s.io/apimachinery/pkg/labels`): their syntax, its mistakes in Go's words, and what they match.

use plumb_go::strconv;

/// How long a name, a prefix and a value may be, in bytes.
const MAX_NAME_BYTES: usize = 63;
const MAX_PREFIX_BYTES: usize = 253;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Greater(i64),
    Less(i64),
}

/// One requirement; all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

/// A label selector.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Labels(Vec<Requirement>);

impl Labels {
    /// Reads a selector. The error is Go's message.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: scan(text), at: 0 };
        parser.parse().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether labels are selected.
    pub(crate) fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.iter().find(|(key, _)| *key == requirement.key).map(|(_, value)| *value);
            let is_one = value.is_some_and(|value| requirement.values.iter().any(|known| known == value));
            let number = || value.and_then(parse_int);
            match requirement.operator {
                Operator::In => is_one,
                Operator::NotIn => !is_one,
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                Operator::Greater(than) => number().is_some_and(|number| number > than),
                Operator::Less(than) => number().is_some_and(|number| number < than),
            }
        })
    }
}

fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Wrong,
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
}

fn symbol(text: &str) -> Option<Token> {
    Some(match text {
        ")" => Token::Close,
        "," => Token::Comma,
        "!" => Token::Not,
        "==" => Token::DoubleEquals,
        "=" => Token::Equals,
        ">" => Token::Greater,
        "<" => Token::Less,
        "!=" => Token::NotEquals,
        "(" => Token::Open,
        "in" => Token::In,
        "notin" => Token::NotIn,
        _ => return None,
    })
}

fn is_symbol(char: char) -> bool {
    matches!(char, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

/// Splits a selector; the last token is the end. A NUL ends it, as it does in Go.
fn scan(text: &str) -> Vec<(Token, String)> {
    let mut rest = text.split('\0').next().unwrap_or("");
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else { break };
        if !is_symbol(first) {
            let end = rest.find(|char| is_symbol(char) || is_space(char)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push((symbol(word).unwrap_or(Token::Identifier), word.to_owned()));
            rest = after;
            continue;
        }
        // The longest run of signs whose beginnings are all signs.
        let run = rest.find(|char| !is_symbol(char)).unwrap_or(rest.len());
        let end = (1..=run).take_while(|end| symbol(&rest[..*end]).is_some()).last();
        let (word, after) = rest.split_at(end.unwrap_or(run));
        tokens.push(match symbol(word) {
            Some(token) => (token, word.to_owned()),
            None => (Token::Wrong, format!("error expected: keyword found '{word}'")),
        });
        rest = after;
    }
    tokens.push((Token::End, String::new()));
    tokens
}

struct Parser {
    tokens: Vec<(Token, String)>,
    at: usize,
}

impl Parser {
    /// Returns a token as it counts among keys and values, where `in` is a word.
    fn peek(&self) -> (Token, String) {
        let (token, text) = self.raw();
        (if matches!(token, Token::In | Token::NotIn) { Token::Identifier } else { token }, text)
    }

    fn raw(&self) -> (Token, String) {
        self.tokens.get(self.at).cloned().unwrap_or((Token::End, String::new()))
    }

    fn next(&mut self) -> (Token, String) {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn parse(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {
                    let requirement = self.requirement().map_err(|error| format!("unable to parse requirement: {error}"))?;
                    requirements.push(requirement);
                    match self.next() {
                        (Token::End, _) => return Ok(requirements),
                        (Token::Comma, _) => {
                            let (token, text) = self.peek();
                            if !matches!(token, Token::Identifier | Token::Not) {
                                return Err(format!("found '{text}', expected: identifier after ','"));
                            }
                        }
                        (_, text) => return Err(format!("found '{text}', expected: ',' or 'end of string'")),
                    }
                }
                (Token::End, _) => return Ok(requirements),
                (_, text) => return Err(format!("found '{text}', expected: !, identifier, or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (mut token, mut key) = self.next();
        let is_not = token == Token::Not;
        if is_not {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return Err(format!("found '{key}', expected: identifier"));
        }
        check_key(&key)?;
        if is_not {
            return Ok(Requirement { key, operator: Operator::DoesNotExist, values: Vec::new() });
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(Requirement { key, operator: Operator::Exists, values: Vec::new() });
        }
        let (token, text) = self.raw();
        self.at += 1;
        let values = match token {
            Token::In | Token::NotIn => self.values()?,
            Token::Equals | Token::DoubleEquals | Token::NotEquals | Token::Greater | Token::Less => vec![self.value()?],
            _ => return Err(format!("found '{text}', expected: '=', '!=', '==', 'in', notin'")),
        };
        let number = || {
            let value = values.first().and_then(|value| parse_int(value));
            value.ok_or_else(|| "for 'Gt', 'Lt' operators, the value must be an integer".to_owned())
        };
        let operator = match token {
            Token::NotIn | Token::NotEquals => Operator::NotIn,
            Token::Greater => Operator::Greater(number()?),
            Token::Less => Operator::Less(number()?),
            _ => Operator::In,
        };
        values.iter().try_for_each(|value| check_value(&key, value))?;
        Ok(Requirement { key, operator, values })
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(String::new());
        }
        match self.next() {
            (Token::Identifier, text) => Ok(text),
            (_, text) => Err(format!("found '{text}', expected: identifier")),
        }
    }

    /// Reads values in parentheses; none between commas is the empty one.
    fn values(&mut self) -> Result<Vec<String>, String> {
        let (token, text) = self.next();
        if token != Token::Open {
            return Err(format!("found '{text}' expected: '('"));
        }
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {}
            (Token::Close, _) => {
                self.at += 1;
                return Ok(vec![String::new()]);
            }
            (_, text) => return Err(format!("found '{text}', expected: ',', ')' or identifier")),
        }
        let mut values = Vec::new();
        let add = |values: &mut Vec<String>, value: String| {
            if !values.contains(&value) {
                values.push(value);
            }
        };
        loop {
            match self.next() {
                (Token::Identifier, text) => {
                    add(&mut values, text);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => break,
                        (_, text) => return Err(format!("found '{text}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        add(&mut values, String::new());
                    }
                    match self.peek().0 {
                        Token::Close => {
                            add(&mut values, String::new());
                            break;
                        }
                        Token::Comma => {
                            self.at += 1;
                            add(&mut values, String::new());
                        }
                        _ => {}
                    }
                }
                (_, text) => return Err(format!("found '{text}', expected: ',', or identifier")),
            }
        }
        self.at += 1;
        Ok(values)
    }
}

fn is_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Whether a text is a name of DNS (RFC 1123).
fn is_domain(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = part.as_bytes();
        is_end(bytes.first())
            && is_end(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    text.split('.').all(is_part)
}

const NAME_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// What is wrong with a key; Go's words, shortened.
fn check_key(key: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("invalid label key {}: {what}", strconv::quote(key)));
    let (prefix, name) = match key.split_once('/') {
        Some((_, name)) if name.contains('/') => {
            return wrong(&format!("a qualified name {NAME_RULE} with an optional DNS subdomain prefix and '/'"));
        }
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    match prefix {
        Some("") => return wrong("prefix part must be non-empty"),
        Some(prefix) if prefix.len() > MAX_PREFIX_BYTES => return wrong("prefix part must be no more than 253 characters"),
        Some(prefix) if !is_domain(prefix) => {
            return wrong("prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'");
        }
        _ => {}
    }
    if name.is_empty() {
        wrong("name part must be non-empty")
    } else if name.len() > MAX_NAME_BYTES {
        wrong("name part must be no more than 63 characters")
    } else if !is_name(name) {
        wrong(&format!("name part {NAME_RULE}"))
    } else {
        Ok(())
    }
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("invalid label value: {}: at key: {}: {what}", strconv::quote(value), strconv::quote(key)));
    if value.len() > MAX_NAME_BYTES {
        wrong("must be no more than 63 characters")
    } else if !value.is_empty() && !is_name(value) {
        wrong(&format!("a valid label must be an empty string or {}", NAME_RULE.trim_start_matches("must ")))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &str, labels: &[(&str, &str)], expect: Result<bool, &str>) {
        let found = Labels::parse(selector).map(|parsed| parsed.matches(labels));
        assert_eq!(found.as_ref().map(|found| *found).map_err(String::as_str), expect, "{selector}");
    }

    #[test]
    fn selectors_match() {
        let labels = [("app", "web"), ("tier", "2"), ("example.com/x", "")];
        for (selector, expect) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("app=web", true),
            ("app == web , tier=2", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (api, web)", true),
            ("app notin (api,web)", false),
            ("other notin (api)", true),
            ("tier>1", true),
            ("tier<2", false),
            ("app>1", false),
            ("example.com/x=", true),
            ("example.com/x in ()", true),
            ("in in (in)", false),
            ("app=web,", false),
        ] {
            if selector == "app=web," {
                check(selector, &labels, Err("found '', expected: identifier after ','"));
            } else {
                check(selector, &labels, Ok(expect));
            }
        }
    }

    #[test]
    fn mistakes_are_told_as_go_tells_them() {
        for (selector, expect) in [
            ("app=(", "unable to parse requirement: found '(', expected: identifier"),
            ("app in web", "unable to parse requirement: found 'web' expected: '('"),
            ("app web", "unable to parse requirement: found 'web', expected: '=', '!=', '==', 'in', notin'"),
            ("=web", "found '=', expected: !, identifier, or 'end of string'"),
            ("app=web tier=2", "found 'tier', expected: ',' or 'end of string'"),
            ("app>x", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer"),
        ] {
            check(selector, &[], Err(expect));
        }
        assert!(Labels::parse("a b/c=d").is_err() && Labels::parse("-a=b").is_err() && Labels::parse("a=-").is_err());
    }
}
