//! One statement of a script: its calls, what it sets, and the texts that stand in it.

use std::{collections::BTreeMap, ops::Range};

use super::tokens::Token;

/// Texts that are tried for one expression.
const MAX_CANDIDATES: usize = 100;
/// A text that variables are filled into.
const MAX_TEXT: usize = 4000;

#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    pub(super) tokens: Vec<Token>,
    pub(super) line: usize,
    pub(super) offset: usize,
}

/// A call within a statement, with the ranges of tokens of its arguments.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<Range<usize>>,
    pub(super) is_backquoted: bool,
    /// Whether it is a method of what stands before it: `f(x).name(…)`.
    pub(super) is_method: bool,
}

impl Call {
    /// Returns the range of tokens of all arguments.
    pub(super) fn range(&self) -> Range<usize> {
        let begin = self.arguments.first().map_or(0, |range| range.start);
        begin..self.arguments.last().map_or(begin, |range| range.end)
    }
}

/// Words that declare a variable.
const DECLARES: [&str; 6] = ["my", "our", "local", "let", "const", "var"];

impl Statement {
    fn mark(&self, at: usize) -> Option<char> {
        match self.tokens.get(at) {
            Some(Token::Mark(c)) => Some(*c),
            _ => None,
        }
    }

    fn name(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some(Token::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns the texts that stand in the statement.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns whether anything is called.
    pub(super) fn has_call(&self) -> bool {
        (0..self.tokens.len()).any(|at| self.name(at).is_some() && self.mark(at + 1) == Some('('))
    }

    /// Returns the name and the parameters of the function that this defines.
    pub(super) fn definition(&self) -> Option<(String, Vec<String>)> {
        let first = self.name(0).filter(|name| matches!(*name, "def" | "function"));
        first?;
        let name = self.name(1)?.to_owned();
        let mut names = Vec::new();
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(2) {
            match token {
                Token::Mark('(' | '[' | '{') => depth += 1,
                Token::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
                Token::Name(name) if depth == 1 && matches!(self.mark(at - 1), Some('(' | ',')) => {
                    names.push(name.clone());
                }
                _ => {}
            }
        }
        Some((name, names))
    }

    /// Returns the variables that this sets, and the first token of what they get.
    pub(super) fn assignment(&self) -> Option<(Vec<String>, usize)> {
        let mut at = 0;
        while self.name(at).is_some_and(|name| DECLARES.contains(&name)) {
            at += 1;
        }
        // `for NAME in …`, `foreach my $name (…)`, `with … as NAME`.
        if matches!(self.name(at), Some("for" | "foreach")) {
            at += 1;
            while self.name(at).is_some_and(|name| DECLARES.contains(&name)) {
                at += 1;
            }
            let mut names = Vec::new();
            while let Some(name) = self.name(at).filter(|name| *name != "in") {
                names.push(name.to_owned());
                at += if self.mark(at + 1) == Some(',') { 2 } else { 1 };
            }
            return (!names.is_empty()).then_some((names, at + 1));
        }
        if self.name(at) == Some("with") {
            let position = (at..self.tokens.len()).rfind(|at| self.name(*at) == Some("as"))?;
            let name = self.name(position + 1)?.to_owned();
            return Some((vec![name], at + 1));
        }
        // A line `my $x = …` with a type, or `x: str = …`.
        let name = self.name(at)?.to_owned();
        let sign = (at + 1..self.tokens.len().min(at + 8)).find(|at| {
            self.mark(*at) == Some('=')
                && self.mark(at + 1) != Some('=')
                && !matches!(self.mark(at - 1), Some('=' | '!' | '<' | '>'))
        })?;
        let is_plain = sign == at + 1
            || matches!(self.mark(at + 1), Some(':' | '+' | '|' | '.') if true)
            || self.mark(at + 1) == Some('[');
        is_plain.then_some((vec![name], sign + 1))
    }

    /// Returns the calls, those within others too.
    pub(super) fn calls(&self) -> Vec<Call> {
        /// Perl's functions are called without parentheses as well.
        const BARE: [&str; 9] =
            ["unlink", "open", "system", "exec", "rename", "symlink", "link", "truncate", "print"];
        let ends = self.ends();
        let mut found = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Command(_) => found.push(Call {
                    name: String::new(),
                    arguments: std::iter::once(at..at + 1).collect(),
                    is_backquoted: true,
                    is_method: false,
                }),
                Token::Name(name) => {
                    let (begin, end) = match self.mark(at + 1) {
                        Some('(') => (at + 2, ends[at + 1]),
                        _ if BARE.contains(&name.as_str()) => (at + 1, self.tokens.len()),
                        _ => continue,
                    };
                    if found.len() >= MAX_CANDIDATES {
                        break;
                    }
                    let arguments = self.arguments(begin, end);
                    let before = at.checked_sub(1).and_then(|at| self.mark(at));
                    found.push(Call {
                        name: name.clone(),
                        arguments,
                        is_backquoted: false,
                        is_method: matches!(before, Some('.' | '>')),
                    });
                }
                // `Path(x).unlink()`, `$x->y()`.
                Token::Mark(_) => {}
                Token::Text(_) => {}
            }
        }
        found
    }

    /// Returns for each opening bracket the token that closes it.
    fn ends(&self) -> Vec<usize> {
        let mut ends = vec![self.tokens.len(); self.tokens.len() + 1];
        let mut open = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Mark('(' | '[' | '{') => open.push(at),
                Token::Mark(')' | ']' | '}') => {
                    if let Some(begin) = open.pop() {
                        ends[begin] = at;
                    }
                }
                _ => {}
            }
        }
        ends
    }

    fn arguments(&self, begin: usize, end: usize) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let (mut depth, mut from) = (0_usize, begin);
        for at in begin..end.min(self.tokens.len()) {
            match self.mark(at) {
                Some('(' | '[' | '{') => depth += 1,
                Some(')' | ']' | '}') => depth = depth.saturating_sub(1),
                Some(',') if depth == 0 => {
                    found.push(from..at);
                    from = at + 1;
                }
                _ => {}
            }
        }
        if from < end {
            found.push(from..end.min(self.tokens.len()));
        }
        found
    }

    /// Returns whether a call opens a file for writing.
    pub(super) fn opens_for_writing(&self, call: &Call) -> bool {
        let is_mode = |text: &str| {
            text.len() <= 3
                && text.contains(['w', 'a', 'x', '+', '>'])
                && text.chars().all(|c| "rwabtx+>".contains(c))
        };
        self.tokens[call.range()].iter().any(|token| match token {
            Token::Text(text) => is_mode(text) || text.trim_start().starts_with('>'),
            Token::Name(name) => {
                ["O_WRONLY", "O_RDWR", "O_TRUNC", "O_CREAT"].iter().any(|end| name.ends_with(end))
            }
            _ => false,
        })
    }

    /// Returns the texts of a range in their order, those of variables filled in.
    pub(super) fn values(
        &self,
        range: Range<usize>,
        variables: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for token in self.tokens.get(range).unwrap_or_default() {
            match token {
                Token::Text(text) => found.push(filled(text, variables)),
                Token::Name(name) => {
                    // Of `path.unlink`, what `path` holds.
                    let whole = variables.get(name);
                    let object = || variables.get(name.split(['.', '-']).next().unwrap_or(name));
                    found.extend(whole.or_else(object).into_iter().flatten().cloned());
                }
                _ => {}
            }
            if found.len() >= MAX_CANDIDATES {
                break;
            }
        }
        found
    }

    /// Returns the values of a range, and what joining them in their order gives.
    pub(super) fn candidates(
        &self,
        range: Range<usize>,
        variables: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let values = self.values(range, variables);
        let mut found = values.clone();
        for (at, value) in values.iter().enumerate() {
            if !value.starts_with('/') {
                continue;
            }
            let mut path = value.clone();
            let mut sum = value.clone();
            for more in values[at + 1..].iter().take(3) {
                if found.len() >= MAX_CANDIDATES || more.contains(char::is_whitespace) {
                    break;
                }
                path = format!("{}/{}", path.trim_end_matches('/'), more.trim_start_matches('/'));
                sum.push_str(more);
                found.push(path.clone());
                found.push(sum.clone());
            }
        }
        found
    }

    /// Returns the commands of the arguments of a call that runs one: a text for a shell, or the
    /// words of a list.
    pub(super) fn commands(
        &self,
        range: Range<usize>,
        variables: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        // The words as one text: `'rm ' + path`.
        let mut sum = String::new();
        for at in range {
            match self.tokens.get(at) {
                Some(Token::Text(text) | Token::Command(text)) => {
                    words.push(filled(text, variables));
                    sum.push_str(words.last().map_or("", String::as_str));
                }
                Some(Token::Name(name)) => {
                    let values = variables.get(name).map(Vec::as_slice).unwrap_or_default();
                    words.extend(values.iter().take(MAX_CANDIDATES).cloned());
                    if let Some(value) = values.first() {
                        sum.push_str(value);
                    } else if matches!(self.mark(at.wrapping_sub(1)), Some('+' | '.')) {
                        sum.push_str("$x");
                    }
                }
                _ => {}
            }
            if words.len() > MAX_CANDIDATES || sum.len() > MAX_TEXT {
                break;
            }
        }
        let is_text = words.first().is_some_and(|word| word.contains(char::is_whitespace));
        let mut found: Vec<String> =
            words.iter().filter(|word| word.contains(char::is_whitespace)).cloned().collect();
        if is_text && words.len() + 1 > found.len() {
            found.push(sum);
        }
        let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', "")));
        found.push(quoted.collect::<Vec<_>>().join(" "));
        found.retain(|text| text.len() <= MAX_TEXT);
        found.truncate(20);
        found
    }
}

/// Returns a text with `{name}` and `$name` replaced by what the variables hold.
pub(super) fn filled(text: &str, variables: &BTreeMap<String, Vec<String>>) -> String {
    if !text.contains(['{', '$']) || text.len() > MAX_TEXT {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '$']) {
        out.push_str(&rest[..at]);
        let is_dollar = rest[at..].starts_with('$');
        let inner = rest[at + 1..].strip_prefix('{').filter(|_| is_dollar);
        let inner = inner.unwrap_or(&rest[at + 1..]);
        let length =
            inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, after) = inner.split_at(length);
        let braced = inner.len() < rest.len() - at - 1 || !is_dollar;
        let value = variables
            .get(name)
            .or_else(|| variables.get(&format!("${name}")))
            .and_then(|values| values.first())
            .filter(|value| out.len() + value.len() < MAX_TEXT);
        match (value, braced, after.strip_prefix('}')) {
            (Some(value), true, Some(after)) => {
                out.push_str(value);
                rest = after;
            }
            (Some(value), false, _) => {
                out.push_str(value);
                rest = after;
            }
            _ => {
                out.push_str(&rest[at..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}
