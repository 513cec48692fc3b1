//! Tokens of shell text: words with their quotes and expansions, and operators.
//!
//! Source: POSIX.1-2024, "Shell Command Language", 2.2 to 2.7; bash(1), for `$'…'`, `&>`, `<<<`
//! and `function`. One pass, whose time grows with the length of the text: what is not closed
//! (a quote, a substitution) is looked for to the end of the text once only.

use super::tokens::{HereDocument, Operator, Piece, Token, Word};

/// Substitutions within others that are told apart.
const MAX_NESTED: usize = 1000;
/// As far ahead is looked for what closes something, once one was not closed.
const MAX_AHEAD: usize = 2000;

pub(super) struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line: usize,
    /// Where the text goes on behind the here-documents of this line, and the line there.
    resume: Option<(usize, usize)>,
    /// No such mark closes anything from here to the end of the text.
    no_single: bool,
    no_double: bool,
    no_backquote: bool,
    no_parenthesis: bool,
    no_brace: bool,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Lexer {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line: 1,
            resume: None,
            no_single: false,
            no_double: false,
            no_backquote: false,
            no_parenthesis: false,
            no_brace: false,
        }
    }

    /// The line of the next token, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The position of the next token, in bytes.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.bytes.len());
        self.line += self.bytes[self.at..end].iter().filter(|byte| **byte == b'\n').count();
        self.at = end;
    }

    /// Skips `()` behind the name of a function, if it is there.
    pub(super) fn skip_empty_parentheses(&mut self) -> bool {
        let rest = self.bytes[self.at..].iter();
        let blanks = rest.take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let is_there = self.peek(blanks) == Some(b')');
        if is_there {
            self.skip(blanks + 1);
        }
        is_there
    }

    /// Skips an arithmetic command, `((…))`, behind its first parenthesis.
    pub(super) fn skip_arithmetic(&mut self) -> bool {
        if self.peek(0) != Some(b'(') {
            return false;
        }
        let line = &self.bytes[self.at..self.near_end_of_line()];
        match line.windows(2).position(|two| two == b"))") {
            Some(end) => {
                self.skip(end + 2);
                true
            }
            None => false,
        }
    }

    /// Returns the next token, or `None` at the end of the text.
    pub(super) fn next(&mut self) -> Option<Token> {
        loop {
            match (self.peek(0)?, self.peek(1)) {
                (b' ' | b'\t' | b'\r', _) => self.skip(1),
                (b'\\', Some(b'\n')) => self.skip(2),
                (b'#', _) => {
                    let rest = &self.bytes[self.at..];
                    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    self.skip(end);
                }
                _ => break,
            }
        }
        let operator = |lexer: &mut Self, length: usize, operator| {
            lexer.skip(length);
            Some(Token::Operator(operator))
        };
        let (first, second, third) = (self.peek(0)?, self.peek(1), self.peek(2));
        match (first, second, third) {
            (b'\n', ..) => {
                self.skip(1);
                if let Some((at, line)) = self.resume.take()
                    && at > self.at
                {
                    (self.at, self.line) = (at, line);
                }
                Some(Token::Operator(Operator::End))
            }
            (b';', Some(b';'), Some(b'&')) => operator(self, 3, Operator::EndOfCase),
            (b';', Some(b';' | b'&'), _) => operator(self, 2, Operator::EndOfCase),
            (b'&', Some(b'>'), Some(b'>')) => operator(self, 3, Operator::Write),
            (b'&', Some(b'>'), _) => operator(self, 2, Operator::Write),
            (b'&', Some(b'&'), _) | (b'|', Some(b'|'), _) => operator(self, 2, Operator::End),
            (b';' | b'&', ..) => operator(self, 1, Operator::End),
            (b'|', Some(b'&'), _) => operator(self, 2, Operator::Pipe),
            (b'|', ..) => operator(self, 1, Operator::Pipe),
            (b'(', ..) => operator(self, 1, Operator::Open),
            (b')', ..) => operator(self, 1, Operator::Close),
            (b'<', Some(b'<'), Some(b'<')) => operator(self, 3, Operator::HereString),
            (b'<', Some(b'<'), _) => {
                self.skip(2);
                Some(Token::HereDocument(self.here_document()))
            }
            (b'<' | b'>', Some(b'&'), _) => operator(self, 2, Operator::Duplicate),
            (b'<' | b'>', Some(b'('), _) => operator(self, 2, Operator::OpenProcess),
            (b'<', Some(b'>'), _) => operator(self, 2, Operator::Read),
            (b'<', ..) => operator(self, 1, Operator::Read),
            (b'>', Some(b'>' | b'|'), _) => operator(self, 2, Operator::Write),
            (b'>', ..) => operator(self, 1, Operator::Write),
            _ => {
                let word = self.word();
                // A number in front of a redirection is a file descriptor.
                let is_number =
                    word.plain().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                if is_number && matches!(self.peek(0), Some(b'<' | b'>')) {
                    return self.next_redirection();
                }
                Some(Token::Word(word))
            }
        }
    }

    /// The token behind the number of a file descriptor: a redirection.
    fn next_redirection(&mut self) -> Option<Token> {
        debug_assert!(matches!(self.peek(0), Some(b'<' | b'>')));
        self.next()
    }

    fn here_document(&mut self) -> HereDocument {
        let strips_tabs = self.peek(0) == Some(b'-');
        if strips_tabs {
            self.skip(1);
        }
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.skip(1);
        }
        let word = self.word();
        let mut delimiter = String::new();
        for piece in &word.pieces {
            if let Piece::Text { text, .. } = piece {
                delimiter.push_str(text);
            }
        }
        let (mut at, mut line) = match self.resume {
            Some(after) => after,
            None => ((self.end_of_line() + 1).min(self.bytes.len()), self.line + 1),
        };
        let (begins, first_line, mut end) = (at, line, at);
        while at < self.bytes.len() {
            let rest = &self.text[at..];
            let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
            let text = rest[..length].trim_end_matches(['\n', '\r']);
            at += length;
            line += 1;
            if text == delimiter || strips_tabs && text.trim_start_matches('\t') == delimiter {
                break;
            }
            end = at;
        }
        self.resume = Some((at, line));
        HereDocument { text: self.text[begins..end].to_owned(), line: first_line }
    }

    fn word(&mut self) -> Word {
        let mut pieces = Pieces::default();
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => {
                    // `=(` begins an array, `@(` a pattern; both are told apart by the reader.
                    break;
                }
                b'\'' => self.single(&mut pieces),
                b'"' => self.double(&mut pieces),
                b'\\' => {
                    self.skip(1);
                    match self.peek(0) {
                        Some(b'\n') => self.skip(1),
                        Some(_) => self.character(&mut pieces, true),
                        None => {}
                    }
                }
                b'$' => self.dollar(&mut pieces, false),
                b'`' => self.backquote(&mut pieces, false),
                _ => self.character(&mut pieces, false),
            }
        }
        if pieces.pieces.is_empty() && self.at < self.bytes.len() && !pieces.is_started {
            // Never without progress.
            self.character(&mut pieces, false);
        }
        Word { pieces: pieces.finish() }
    }

    fn character(&mut self, pieces: &mut Pieces, is_quoted: bool) {
        let Some(c) = self.text[self.at..].chars().next() else { return };
        self.skip(c.len_utf8());
        pieces.push(c, is_quoted);
    }

    fn end_of_line(&self) -> usize {
        let rest = &self.bytes[self.at..];
        self.at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
    }

    /// The end of the line, or a place before it on a very long one.
    fn near_end_of_line(&self) -> usize {
        let rest = &self.bytes[self.at..];
        let near = &rest[..rest.len().min(MAX_AHEAD)];
        let mut end = self.at + near.iter().position(|byte| *byte == b'\n').unwrap_or(near.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        end
    }

    fn single(&mut self, pieces: &mut Pieces) {
        self.skip(1);
        let rest = &self.bytes[self.at..];
        let closing = match self.no_single {
            true => None,
            false => rest.iter().position(|byte| *byte == b'\''),
        };
        self.no_single |= closing.is_none();
        let end = closing.map_or_else(|| self.near_end_of_line(), |at| self.at + at);
        pieces.push_str(&self.text[self.at..end], true);
        self.skip(end - self.at + usize::from(closing.is_some()));
    }

    /// `$'…'`.
    fn ansi(&mut self, pieces: &mut Pieces) {
        self.skip(2);
        let end_of_line = self.near_end_of_line();
        while self.at < end_of_line {
            match self.peek(0) {
                Some(b'\'') => {
                    self.skip(1);
                    return;
                }
                Some(b'\\') => {
                    self.skip(1);
                    if self.at < end_of_line {
                        self.character(pieces, true);
                    }
                }
                _ => self.character(pieces, true),
            }
        }
    }

    fn double(&mut self, pieces: &mut Pieces) {
        self.skip(1);
        pieces.push_str("", true);
        let limit = if self.no_double { self.near_end_of_line() } else { self.bytes.len() };
        let (begins, line) = (self.at, self.line);
        let mut found = Pieces::default();
        found.push_str("", true);
        while self.at < limit {
            match self.peek(0) {
                Some(b'"') => {
                    self.skip(1);
                    pieces.append(found);
                    return;
                }
                Some(b'\\') => {
                    self.skip(1);
                    match self.peek(0) {
                        Some(b'\n') => self.skip(1),
                        Some(b'$' | b'`' | b'"' | b'\\') => self.character(&mut found, true),
                        _ => found.push('\\', true),
                    }
                }
                Some(b'$') => self.dollar(&mut found, true),
                Some(b'`') => self.backquote(&mut found, true),
                _ => self.character(&mut found, true),
            }
        }
        if !self.no_double {
            // Nothing closes it: it ends with its line, and so do all that follow.
            self.no_double = true;
            (self.at, self.line) = (begins, line);
            let end = self.near_end_of_line();
            pieces.push_str(&self.text[begins..end], true);
            self.skip(end - begins);
        } else {
            pieces.append(found);
        }
    }

    fn backquote(&mut self, pieces: &mut Pieces, is_quoted: bool) {
        let line = self.line;
        self.skip(1);
        let mut end = None;
        let mut at = self.at;
        while let Some(byte) = self.bytes.get(at).filter(|_| !self.no_backquote) {
            match byte {
                b'`' => {
                    end = Some(at);
                    break;
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let Some(end) = end else {
            self.no_backquote = true;
            return pieces.push('`', is_quoted);
        };
        let text = self.text[self.at..end].to_owned();
        self.skip(end + 1 - self.at);
        pieces.put(Piece::Commands { text, line, is_quoted });
    }

    fn dollar(&mut self, pieces: &mut Pieces, is_quoted: bool) {
        let line = self.line;
        match (self.peek(1), self.peek(2)) {
            (Some(b'('), Some(b'(')) => {
                // Arithmetic: a number.
                match self.closing(self.at + 2, b')') {
                    Some(end) => {
                        self.skip(end + 1 - self.at);
                        pieces.push_str("$((", is_quoted);
                        pieces.push_str("))", is_quoted);
                    }
                    None => self.character(pieces, is_quoted),
                }
            }
            (Some(b'('), _) => match self.closing(self.at + 2, b')') {
                Some(end) => {
                    let text = self.text[self.at + 2..end].to_owned();
                    self.skip(end + 1 - self.at);
                    pieces.put(Piece::Commands { text, line, is_quoted });
                }
                None => self.character(pieces, is_quoted),
            },
            (Some(b'{'), _) => match self.closing(self.at + 2, b'}') {
                Some(end) => {
                    let inner = &self.text[self.at + 2..end];
                    self.skip(end + 1 - self.at);
                    let inner = inner.strip_prefix(['!', '#']).unwrap_or(inner);
                    let (name, change) = inner.split_at(name_length(inner));
                    let (name, change) = (name.to_owned(), change.to_owned());
                    pieces.put(Piece::Variable { name, change, is_quoted });
                }
                None => self.character(pieces, is_quoted),
            },
            (Some(b'\''), _) if !is_quoted => self.ansi(pieces),
            (Some(b'"'), _) if !is_quoted => self.skip(1),
            _ => {
                let rest = &self.text[self.at + 1..];
                match name_length(rest) {
                    0 => self.character(pieces, is_quoted),
                    length => {
                        let name = rest[..length].to_owned();
                        self.skip(1 + length);
                        let change = String::new();
                        pieces.put(Piece::Variable { name, change, is_quoted });
                    }
                }
            }
        }
    }

    /// Returns the position of what closes a substitution that began before `from`. Quotes and
    /// substitutions within are skipped.
    fn closing(&mut self, from: usize, mark: u8) -> Option<usize> {
        let (none, opening) = match mark {
            b')' => (self.no_parenthesis, b'('),
            _ => (self.no_brace, b'{'),
        };
        // Once one was not closed, others are looked for in their own line.
        let limit = if none { self.near_end_of_line() } else { self.bytes.len() };
        // What is open: `)`, `}`, or `"` for a string.
        let mut open = vec![mark];
        let mut at = from;
        let mut before = b' ';
        while let Some(byte) = self.bytes.get(at).copied().filter(|_| at < limit) {
            let top = open.last().copied().unwrap_or(mark);
            match byte {
                b'\\' => at += 1,
                b'\'' if top != b'"' && !(top == b'}' && open.contains(&b'"')) => {
                    let rest = &self.bytes[at + 1..];
                    let end = match self.no_single {
                        true => None,
                        false => rest.iter().position(|byte| *byte == b'\''),
                    };
                    self.no_single |= end.is_none();
                    at += end.map_or(0, |end| end + 1);
                }
                b'"' if top == b'"' => {
                    open.pop();
                }
                b'"' => open.push(b'"'),
                b'$' if matches!(self.bytes.get(at + 1), Some(b'(' | b'{')) => {
                    open.push(if self.bytes.get(at + 1) == Some(&b'(') { b')' } else { b'}' });
                    at += 1;
                }
                // A comment.
                b'#' if top == b')' && before.is_ascii_whitespace() => {
                    let rest = &self.bytes[at..];
                    at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                b'(' if top == b')' => open.push(b')'),
                byte if byte == top && top != b'"' => {
                    open.pop();
                    if open.is_empty() {
                        return Some(at);
                    }
                }
                _ => {}
            }
            if open.len() > MAX_NESTED {
                break;
            }
            before = byte;
            at += 1;
        }
        match opening {
            b'(' => self.no_parenthesis = true,
            _ => self.no_brace = true,
        }
        None
    }
}

/// Returns the length of the name of a variable, or of a special parameter.
fn name_length(text: &str) -> usize {
    let first = text.bytes().next().unwrap_or(b' ');
    match first {
        b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-' => 1,
        _ => text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count(),
    }
}

/// Pieces of a word that is being read.
#[derive(Default)]
struct Pieces {
    pieces: Vec<Piece>,
    is_started: bool,
}

impl Pieces {
    fn push(&mut self, c: char, is_quoted: bool) {
        self.push_str(c.encode_utf8(&mut [0; 4]), is_quoted);
    }

    fn push_str(&mut self, more: &str, is_quoted: bool) {
        self.is_started = true;
        match self.pieces.last_mut() {
            Some(Piece::Text { text, is_quoted: same }) if *same == is_quoted => {
                text.push_str(more)
            }
            _ => self.pieces.push(Piece::Text { text: more.to_owned(), is_quoted }),
        }
    }

    fn put(&mut self, piece: Piece) {
        self.is_started = true;
        self.pieces.push(piece);
    }

    fn append(&mut self, other: Pieces) {
        for piece in other.pieces {
            match piece {
                Piece::Text { text, is_quoted } => self.push_str(&text, is_quoted),
                piece => self.put(piece),
            }
        }
    }

    fn finish(self) -> Vec<Piece> {
        self.pieces
    }
}
