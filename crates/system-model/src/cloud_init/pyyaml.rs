//! YAML as PyYAML's `SafeLoader` reads it, which cloud-init uses (cloudinit/safeyaml.py).
//!
//! PyYAML knows YAML 1.1, and the parser 1.2: what the one refuses and the other accepts is
//! refused here. Sources: PyYAML's resolver.py, constructor.py (`SafeConstructor`), scanner.py,
//! reader.py.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::{decode, value::Value};
use crate::yaml::{Content, Node, documents, options};

const PREFIX: &str = "tag:yaml.org,2002:";

/// Reads a document. The last of several equal keys counts.
///
/// # Errors
/// Why PyYAML, or this model, does not read it, in words.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    check(text)?;
    let mut documents = documents(text)
        .map_err(|error| format!("{}, line {}", error.message, error.place.line))?
        .into_iter();
    let root = documents.next();
    if documents.next().is_some() {
        return Err("several documents in one file".to_owned());
    }
    root.map_or(Ok(Value::Null), construct)
}

/// A collection that the parser is in.
struct Open {
    is_flow: bool,
    /// Whether a mapping's next node is a key.
    awaits_key: Option<bool>,
}

/// Refuses what PyYAML's scanner refuses and the parser does not.
fn check(text: &str) -> Result<(), String> {
    let is_printable = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}')
            || matches!(c, '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    };
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !is_printable(*c)) {
        return Err(format!(
            "the character {} is not allowed, line {}",
            c.escape_unicode(),
            line(at)
        ));
    }
    // They end a line in YAML 1.1.
    if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        return Err(format!("an unusual line break, line {}", line(at)));
    }
    let begins = text.lines().map(str::trim_end).find(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    if begins.is_some_and(|line| line == "..." || line.starts_with("... ")) {
        return Err("`...` before the document begins".to_owned());
    }
    let mut quiet = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut anchors = BTreeSet::new();
    let mut options = options();
    options.emit_anchor_events = true;
    for next in Parser::new_from_str_with_options(text, options) {
        // The parser's own errors come when the document is read.
        let Ok((event, span)) = next else { break };
        let range = span.byte_range().unwrap_or_default();
        let is_key = open.last().is_some_and(|one| one.awaits_key == Some(true));
        match event {
            Event::SequenceStart(style, ..) => {
                open.push(Open { is_flow: style == StructureStyle::Flow, awaits_key: None });
                continue;
            }
            Event::MappingStart(style, ..) => {
                open.push(Open { is_flow: style == StructureStyle::Flow, awaits_key: Some(true) });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
            }
            Event::Comment(..) => {
                quiet.push(range);
                continue;
            }
            Event::Scalar(_, ScalarStyle::Plain, ..) => {
                let written = text.get(range.clone()).unwrap_or_default();
                let is_flow = open.last().is_some_and(|one| one.is_flow);
                if is_flow && (written.contains('?') || written.starts_with(':')) {
                    let line = span.start.line();
                    return Err(format!("`?` or `:` without quotes within brackets, line {line}"));
                }
                let before = text.get(..range.start).unwrap_or_default().trim_end();
                if is_key && written.is_empty() && !before.ends_with('?') {
                    return Err(format!("a key is missing, line {}", span.start.line()));
                }
            }
            Event::Scalar(..) => quiet.push(range),
            Event::Alias(_) => {}
            Event::Anchor(_, name) => {
                if !anchors.insert(name.into_owned()) {
                    return Err(format!("the same anchor twice, line {}", span.start.line()));
                }
                continue;
            }
            Event::DocumentStart(..) => {
                anchors.clear();
                continue;
            }
            _ => continue,
        }
        // A key or a value is complete.
        if let Some(awaits_key) = open.last_mut().and_then(|one| one.awaits_key.as_mut()) {
            *awaits_key = !*awaits_key;
        }
    }
    quiet.sort_unstable_by_key(|range| range.start);
    let is_quiet = |at: &usize| {
        let next = quiet.partition_point(|range| range.start <= *at);
        next.checked_sub(1).and_then(|last| quiet.get(last)).is_some_and(|range| range.contains(at))
    };
    let mut tabs = text.match_indices('\t').map(|(at, _)| at);
    match tabs.find(|at| !is_quiet(at)) {
        Some(at) => Err(format!("a tab where none is allowed, line {}", line(at))),
        None => Ok(()),
    }
}

fn construct(node: Node) -> Result<Value, String> {
    let line = node.place.line;
    let tag = node.tag.filter(|tag| tag != "!");
    let unknown = |tag: &str| Err(format!("the unknown tag {tag}, line {line}"));
    match node.content {
        Content::Scalar { text, is_plain } => {
            let value = match &tag {
                None if is_plain => implicit(text),
                None => Ok(Value::Text(text)),
                Some(tag) => explicit(tag, text),
            };
            value.map_err(|why| format!("{why}, line {line}"))
        }
        Content::List(items) => match tag.as_deref().map(short) {
            None | Some("seq") => {
                items.into_iter().map(construct).collect::<Result<_, _>>().map(Value::List)
            }
            Some(tag) => unknown(tag),
        },
        Content::Map(entries) => match tag.as_deref().map(short) {
            None | Some("map") => map(entries),
            Some(tag) => unknown(tag),
        },
    }
}

fn short(tag: &str) -> &str {
    tag.strip_prefix(PREFIX).unwrap_or(tag)
}

fn map(entries: Vec<(Node, Node)>) -> Result<Value, String> {
    let mut map: Vec<(Value, Value)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (key, value) in flattened(entries)? {
        let line = key.place.line;
        let key = match construct(key)? {
            Value::List(_) | Value::Map(_) => {
                return Err(format!("a list or a mapping as a key, line {line}"));
            }
            key => key,
        };
        let value = construct(value)?;
        match places.entry(key.identity()) {
            Entry::Occupied(place) => {
                if let Some(entry) = map.get_mut(*place.get()) {
                    entry.1 = value;
                }
            }
            Entry::Vacant(place) => {
                place.insert(map.len());
                map.push((key, value));
            }
        }
    }
    Ok(Value::Map(map))
}

/// Puts what `<<` merges before the entries of a mapping itself (`flatten_mapping`).
fn flattened(entries: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, String> {
    let mut merged = Vec::new();
    let mut own = Vec::new();
    for (mut key, value) in entries {
        let Content::Scalar { text, is_plain } = &key.content else {
            own.push((key, value));
            continue;
        };
        let tag = key.tag.as_deref().filter(|tag| *tag != "!").map(short);
        let is_implicit = tag.is_none() && *is_plain;
        if (is_implicit && text == "<<") || tag == Some("merge") {
            let line = value.place.line;
            let maps = match value.content {
                Content::List(items) => items,
                _ => vec![value],
            };
            // Of several mappings the first wins.
            for map in maps.into_iter().rev() {
                match map.content {
                    Content::Map(entries) => merged.extend(flattened(entries)?),
                    _ => {
                        return Err(format!(
                            "`<<` that merges something other than a mapping, line {line}"
                        ));
                    }
                }
            }
        } else {
            if (is_implicit && text == "=") || tag == Some("value") {
                key.tag = Some(format!("{PREFIX}str"));
            }
            own.push((key, value));
        }
    }
    merged.extend(own);
    Ok(merged)
}

/// Resolves a plain scalar without a tag (resolver.py).
fn implicit(text: String) -> Result<Value, String> {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        "<<" | "=" => Err(format!("`{text}` as a value")),
        _ => {
            if let Some(value) = boolean(&text).filter(|_| is_spelt_as_boolean(&text)) {
                Ok(Value::Bool(value))
            } else if is_float(&text) {
                float(&text)
            } else if is_integer(&text) {
                integer(&text)
            } else if is_timestamp(&text) {
                timestamp(text)
            } else {
                Ok(Value::Text(text))
            }
        }
    }
}

/// Constructs a scalar with a tag (constructor.py).
fn explicit(tag: &str, text: String) -> Result<Value, String> {
    match short(tag) {
        "str" | "python/unicode" => Ok(Value::Text(text)),
        "null" => Ok(Value::Null),
        "bool" => boolean(&text.to_ascii_lowercase())
            .map(Value::Bool)
            .ok_or_else(|| "a wrong boolean".to_owned()),
        "int" => integer(&text),
        "float" => float(&text),
        "timestamp" if is_timestamp(&text) => timestamp(text),
        "binary" => {
            let bytes = decode::base64(text.as_bytes());
            bytes.map(Value::Bytes).ok_or_else(|| "binary data that is not base64".to_owned())
        }
        other => Err(format!("the unknown tag {other}")),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// `yes`, `Yes` and `YES` are booleans, `yEs` is text.
fn is_spelt_as_boolean(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let is_lower = rest.bytes().all(|byte| byte.is_ascii_lowercase());
    is_lower || text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Splits off a sign.
fn unsigned(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn all(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_one)
}

/// `[0-9][0-9_]*`
fn is_digits(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && all(text, |byte| byte.is_ascii_digit() || byte == b'_')
}

/// `(?::[0-5]?[0-9])+`, after its first colon.
fn is_sixties(text: &str) -> bool {
    text.split(':').all(|part| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => matches!(ten, b'0'..=b'5') && one.is_ascii_digit(),
        _ => false,
    })
}

fn is_integer(text: &str) -> bool {
    let (_, text) = unsigned(text);
    if let Some(bits) = text.strip_prefix("0b") {
        return all(bits, |byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, |byte| byte.is_ascii_hexdigit() || byte == b'_');
    }
    if let Some(digits) = text.strip_prefix('0') {
        return digits.is_empty() || all(digits, |byte| matches!(byte, b'0'..=b'7' | b'_'));
    }
    match text.split_once(':') {
        Some((first, rest)) => is_digits(first) && is_sixties(rest),
        None => is_digits(text),
    }
}

fn integer(text: &str) -> Result<Value, String> {
    let bad = || "a wrong number".to_owned();
    let bare = text.replace('_', "");
    let (is_negative, digits) = unsigned(&bare);
    let parse = |digits: &str, radix| i128::from_str_radix(digits, radix).ok();
    let number = if let Some(bits) = digits.strip_prefix("0b") {
        parse(bits, 2)
    } else if let Some(digits) = digits.strip_prefix("0x") {
        parse(digits, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        parse(digits, 8)
    } else {
        let parts = digits.split(':').map(|part| parse(part, 10));
        parts.reduce(|sum, part| sum?.checked_mul(60)?.checked_add(part?)).flatten()
    };
    let number = number.ok_or_else(bad)?;
    Ok(Value::Integer(if is_negative { -number } else { number }))
}

fn is_float(text: &str) -> bool {
    let (is_negative, rest) = unsigned(text);
    let has_sign = is_negative || text.starts_with('+');
    match rest {
        ".inf" | ".Inf" | ".INF" => return true,
        ".nan" | ".NaN" | ".NAN" => return !has_sign,
        _ => {}
    }
    let is_fraction = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let Some((whole, fraction)) = rest.split_once('.') else { return false };
    if let Some((first, sixties)) = whole.split_once(':') {
        return is_digits(first) && is_sixties(sixties) && is_fraction(fraction);
    }
    let (fraction, exponent) = match fraction.find(['e', 'E']) {
        Some(at) => (&fraction[..at], Some(&fraction[at + 1..])),
        None => (fraction, None),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent.starts_with(['+', '-']) && all(&exponent[1..], |byte| byte.is_ascii_digit())
    });
    let is_number = if whole.is_empty() {
        !has_sign && is_digits(fraction)
    } else {
        is_digits(whole) && is_fraction(fraction)
    };
    is_exponent && is_number
}

fn float(text: &str) -> Result<Value, String> {
    let bare = text.replace('_', "").to_ascii_lowercase();
    let (is_negative, number) = unsigned(&bare);
    let number = match number {
        ".inf" => Some(f64::INFINITY),
        ".nan" => Some(f64::NAN),
        number => {
            let parts = number.split(':').map(|part| part.parse::<f64>().ok());
            parts.reduce(|sum, part| Some(sum? * 60.0 + part?)).flatten()
        }
    };
    let number = number.ok_or_else(|| "a wrong number".to_owned())?;
    Ok(Value::Float(if is_negative { -number } else { number }))
}

/// Takes up to `most` digits from the beginning, at least `least`.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(count).filter(|_| count >= least)?;
    Some((digits.parse().ok()?, rest))
}

/// The year, month and day that a text begins with, and what follows.
fn date(text: &str, least: usize) -> Option<([u32; 3], &str)> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, least, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, least, 2)?;
    Some(([year, month, day], rest))
}

/// The hour, minute and second.
fn time(text: &str) -> Option<[u32; 3]> {
    let rest = text.strip_prefix(['T', 't']).or_else(|| {
        let rest = text.trim_start_matches([' ', '\t']);
        (rest.len() < text.len()).then_some(rest)
    })?;
    let (hour, rest) = digits(rest, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let zone = rest.trim_start_matches([' ', '\t']);
    let is_zone = |zone: &str| {
        let Some(rest) = zone.strip_prefix(['+', '-']) else { return false };
        let Some((_, rest)) = digits(rest, 1, 2) else { return false };
        let minutes = rest.strip_prefix(':').and_then(|rest| digits(rest, 2, 2));
        rest.is_empty() || minutes.is_some_and(|(_, rest)| rest.is_empty())
    };
    (rest.is_empty() || zone == "Z" || is_zone(zone)).then_some([hour, minute, second])
}

fn is_timestamp(text: &str) -> bool {
    date(text, 2).is_some_and(|(_, rest)| rest.is_empty())
        || date(text, 1).is_some_and(|(_, rest)| time(rest).is_some())
}

fn timestamp(text: String) -> Result<Value, String> {
    let Some(([year, month, day], rest)) = date(&text, 1) else {
        return Err("a wrong date".to_owned());
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let [hour, minute, second] = time(rest).unwrap_or_default();
    let is_date = year > 0 && (1..=12).contains(&month) && (1..=days).contains(&day);
    if is_date && hour < 24 && minute < 60 && second < 60 {
        Ok(Value::Date(text))
    } else {
        Err("a wrong date".to_owned())
    }
}
