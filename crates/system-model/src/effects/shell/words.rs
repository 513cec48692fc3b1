//! Words of commands with the values of variables filled in.

use super::{
    environment::Environment,
    tokens::{Piece, Word},
};

/// Words that one command may have.
const MAX_WORDS: usize = 2000;
/// The length that variables may give a word.
const MAX_WORD: usize = 4096;
/// What braces make of a word.
const MAX_BRACES: usize = 64;

/// A word whose substitutions have been read: the outputs that they may have.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(String, bool),
    Variable { name: String, change: String, is_quoted: bool },
    Output { values: Vec<String>, is_quoted: bool },
}

/// Returns the parts of a word, given the outputs of its substitutions in their order.
pub(super) fn parts(word: &Word, mut output: impl FnMut(&str, usize) -> Vec<String>) -> Vec<Part> {
    let part = |piece: &Piece| match piece {
        Piece::Text { text, is_quoted } => Part::Text(text.clone(), *is_quoted),
        Piece::Variable { name, change, is_quoted } => {
            Part::Variable { name: name.clone(), change: change.clone(), is_quoted: *is_quoted }
        }
        Piece::Commands { text, line, is_quoted } => {
            let mut values = output(text, *line);
            if values.is_empty() {
                let inner: String = text.trim().chars().take(100).collect();
                values.push(format!("$({inner})"));
            }
            Part::Output { values, is_quoted: *is_quoted }
        }
    };
    word.pieces.iter().map(part).collect()
}

/// Returns how many alternatives the variables of a word have.
pub(super) fn alternatives(parts: &[Part], environment: &Environment) -> usize {
    let of_part = |part: &Part| match part {
        Part::Text(..) => 1,
        Part::Variable { name, .. } => environment.get(name).map_or(1, Vec::len),
        Part::Output { values, is_quoted: true } => values.len(),
        Part::Output { .. } => 1,
    };
    parts.iter().map(of_part).max().unwrap_or(1)
}

/// Adds the fields of a word to those of its command, with this choice of the values that
/// variables may have.
pub(super) fn fields(
    parts: &[Part],
    choice: usize,
    environment: &mut Environment,
    to: &mut Vec<String>,
) {
    let mut word = String::new();
    let mut is_started = false;
    let mut has_braces = false;
    let begins = to.len();
    for part in parts {
        match part {
            Part::Text(text, is_quoted) => {
                has_braces |= !is_quoted && text.contains('{') && text.contains(',');
                word.push_str(text);
                is_started = true;
            }
            Part::Variable { name, is_quoted, .. } if name == "@" || name == "*" => {
                let Some(all) = environment.positional.clone() else {
                    word.push_str("$@");
                    is_started = true;
                    continue;
                };
                is_started |= *is_quoted && !all.is_empty();
                splice(&all, environment, &mut word, &mut is_started, to);
            }
            Part::Variable { name, change, is_quoted } => {
                let value = value_of(name, change, choice, environment);
                if !environment.take(value.len()) || word.len() + value.len() > MAX_WORD {
                    continue;
                }
                if *is_quoted || !value.contains(char::is_whitespace) {
                    is_started |= *is_quoted || !value.is_empty();
                    word.push_str(&value);
                } else {
                    let all: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
                    splice(&all, environment, &mut word, &mut is_started, to);
                }
            }
            Part::Output { values, is_quoted: true } => {
                is_started = true;
                let value = &values[choice % values.len().max(1)];
                if environment.take(value.len()) && word.len() + value.len() <= MAX_WORD {
                    word.push_str(value);
                }
            }
            Part::Output { values, is_quoted: false } => {
                splice(values, environment, &mut word, &mut is_started, to);
            }
        }
    }
    if is_started && to.len() < MAX_WORDS {
        if has_braces { to.extend(braces(word)) } else { to.push(word) }
    }
    debug_assert!(begins <= to.len());
}

/// Appends several fields: the first belongs to the word so far, the last to what follows.
fn splice(
    all: &[String],
    environment: &mut Environment,
    word: &mut String,
    is_started: &mut bool,
    to: &mut Vec<String>,
) {
    for (index, one) in all.iter().enumerate() {
        if to.len() >= MAX_WORDS || !environment.take(one.len()) {
            return;
        }
        if index > 0 {
            to.push(std::mem::take(word));
        }
        if word.len() + one.len() <= MAX_WORD {
            word.push_str(one);
        }
        *is_started = true;
    }
}

/// Returns a variable's value, or its name with a dollar where it is not known.
fn value_of(name: &str, change: &str, choice: usize, environment: &Environment) -> String {
    let positional = match (name.parse::<usize>(), &environment.positional) {
        (Ok(0), _) | (Err(_), _) | (_, None) => None,
        (Ok(number), Some(all)) => Some(all.get(number - 1).cloned().unwrap_or_default()),
    };
    let value = positional.or_else(|| {
        let values = environment.get(name)?;
        values.get(choice % values.len().max(1)).cloned()
    });
    let default = ["-", "=", "+"].iter().find_map(|mark| {
        change.strip_prefix(':').unwrap_or(change).strip_prefix(mark).map(|text| (*mark, text))
    });
    match (value, default) {
        (Some(value), Some(("-" | "=", text))) if value.is_empty() => unquoted(text),
        (Some(_), Some(("+", text))) => unquoted(text),
        (None, Some(("-" | "=", text))) if !text.is_empty() => unquoted(text),
        (Some(value), _) => changed(value, change),
        (None, _) => format!("${name}"),
    }
}

fn unquoted(text: &str) -> String {
    text.trim_matches(['"', '\'']).to_owned()
}

/// Returns a value with the last or all but the last part of its path removed, as `${x%/*}` and
/// `${x##*/}` do.
fn changed(value: String, change: &str) -> String {
    match change {
        "##*/" => value.rsplit('/').next().unwrap_or_default().to_owned(),
        "%/*" => value.rsplit_once('/').map_or(value.clone(), |(start, _)| start.to_owned()),
        _ => match change.strip_prefix('%').map(|end| end.trim_start_matches('%')) {
            Some(end) if !end.contains(['*', '?', '[']) => {
                value.strip_suffix(end).unwrap_or(&value).to_owned()
            }
            _ => value,
        },
    }
}

/// Returns what braces make of a word: `a{b,c}` is `ab` and `ac`.
fn braces(word: String) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![word];
    while let Some(word) = todo.pop() {
        let group = word.find('{').and_then(|open| {
            let end = word[open..].find('}')? + open;
            word[open..end].contains(',').then_some((open, end))
        });
        match group {
            Some((open, end)) if todo.len() + done.len() < MAX_BRACES => {
                let (start, rest) = (&word[..open], &word[end + 1..]);
                let inner = word[open + 1..end].split(',').take(MAX_BRACES);
                let mut all: Vec<String> = inner.map(|one| format!("{start}{one}{rest}")).collect();
                all.reverse();
                todo.extend(all);
            }
            _ => done.push(word),
        }
    }
    done
}
