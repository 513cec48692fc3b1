//! Tokens and statements of scripts in Python, Perl and the like.

use super::statement::Statement;

/// A token of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name with the dots, colons and arrows within, or a variable with its dollar.
    Name(String),
    /// The text of a string.
    Text(String),
    /// The text within backquotes: a command.
    Command(String),
    Mark(char),
}

/// Lines of one statement. A bracket that is not closed does not swallow the rest.
const MAX_LINES: usize = 60;
/// Tokens of one statement.
const MAX_TOKENS: usize = 2000;

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    found: Vec<Statement>,
    current: Statement,
    depth: usize,
    /// No text of three quotes ends from here on.
    no_triple: [bool; 2],
}

/// Splits a script into statements.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        found: Vec::new(),
        current: Statement::default(),
        depth: 0,
        no_triple: [false; 2],
    };
    reader.run();
    reader.found
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn push(&mut self, token: Token, line: usize, offset: usize) {
        if self.current.tokens.is_empty() {
            (self.current.line, self.current.offset) = (line, offset);
        }
        self.current.tokens.push(token);
        if self.current.tokens.len() >= MAX_TOKENS {
            self.end();
        }
    }

    fn end(&mut self) {
        self.depth = 0;
        let statement = std::mem::take(&mut self.current);
        if !statement.tokens.is_empty() {
            self.found.push(statement);
        }
    }

    fn run(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            let (line, offset) = (self.line, self.at);
            match c {
                '\n' => {
                    self.at += 1;
                    self.line += 1;
                    let is_long = self.line > self.current.line + MAX_LINES;
                    if self.depth == 0 || is_long {
                        self.end();
                    }
                }
                '\\' if self.rest().starts_with("\\\n") => {
                    self.at += 2;
                    self.line += 1;
                }
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                '"' | '\'' | '`' => {
                    let text = self.string(c);
                    let token = if c == '`' { Token::Command(text) } else { Token::Text(text) };
                    self.push(token, line, offset);
                }
                ';' => {
                    self.at += 1;
                    if self.depth == 0 {
                        self.end();
                    }
                }
                '(' | '[' | '{' => {
                    self.at += 1;
                    // A brace that ends its line begins a block.
                    let is_block = c == '{'
                        && self.rest().lines().next().is_some_and(|rest| rest.trim().is_empty());
                    if is_block && self.depth == 0 {
                        self.end();
                    } else {
                        self.depth += 1;
                        self.push(Token::Mark(c), line, offset);
                    }
                }
                ')' | ']' | '}' => {
                    self.at += 1;
                    self.depth = self.depth.saturating_sub(1);
                    self.push(Token::Mark(c), line, offset);
                }
                c if c.is_whitespace() => self.at += c.len_utf8(),
                c if is_name(c) || matches!(c, '$' | '@') => self.name(),
                c => {
                    self.at += c.len_utf8();
                    self.push(Token::Mark(c), line, offset);
                }
            }
        }
        self.end();
    }

    fn name(&mut self) {
        let (line, offset) = (self.line, self.at);
        let rest = self.rest();
        let mut end = rest.chars().next().map_or(0, char::len_utf8);
        loop {
            let more = &rest[end..];
            let Some(c) = more.chars().next() else { break };
            // `a.b`, `A::b`, `$a->b`.
            let link = [".", "::", "->"].iter().find(|link| {
                more.strip_prefix(**link)
                    .and_then(|after| after.chars().next())
                    .is_some_and(|c| is_name(c) && !c.is_ascii_digit())
            });
            match link {
                Some(link) => end += link.len(),
                None if is_name(c) => end += c.len_utf8(),
                None => break,
            }
        }
        let name = rest[..end].to_owned();
        self.at += end;
        // The prefix of a string: f'…', rb"…".
        let is_prefix = name.len() <= 2
            && name.chars().all(|c| "fFrRbBuU".contains(c))
            && self.rest().starts_with(['"', '\'']);
        if !is_prefix {
            self.push(Token::Name(name), line, offset);
        }
    }

    fn string(&mut self, quote: char) -> String {
        let rest = self.rest();
        let triple: String = [quote; 3].iter().collect();
        let which = usize::from(quote == '"');
        if quote != '`' && rest.starts_with(&triple) && !self.no_triple[which] {
            match rest[3..].find(&triple) {
                Some(end) => {
                    let text = rest[3..3 + end].to_owned();
                    self.line += text.matches('\n').count();
                    self.at += end + 6;
                    return text;
                }
                None => self.no_triple[which] = true,
            }
        }
        let mut text = String::new();
        let mut letters = rest[1..].char_indices();
        let mut end = rest.len();
        while let Some((at, c)) = letters.next() {
            match c {
                c if c == quote => {
                    end = at + 2;
                    break;
                }
                '\n' => {
                    end = at + 1;
                    break;
                }
                '\\' => match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((at, '\n')) => {
                        end = at + 1;
                        break;
                    }
                    Some((_, c)) => text.push(c),
                    None => {}
                },
                c => text.push(c),
            }
        }
        self.at += end;
        text
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
