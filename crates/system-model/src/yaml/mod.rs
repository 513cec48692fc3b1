//! YAML as a tree that keeps the place of every key and value.

mod node;

use std::{collections::HashSet, ops::Range};

use granit_parser::{ErrorKind, Marker, ScanError, Span};
pub(crate) use node::{Content, Node, documents, options};

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bytes of the text.
    pub span: Range<usize>,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The column of the first byte in characters, from 1.
    pub column: usize,
}

impl Place {
    /// Returns the place of the character that begins at a byte of the text.
    pub fn of_character(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or_default();
        let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Place {
            span: at..at + length,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub place: Place,
}

/// A key and its place.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it is.
    pub place: Place,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing, `null` or `~`.
    Null,
    /// A scalar as it is written: what 0644, 8e3 and yes mean depends on the reader.
    Scalar(String),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping, in its order. A key that is repeated is here more than once.
    Map(Vec<(Key, Value)>),
}

/// A text that is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What the parser says, without the place.
    pub message: String,
    /// Where the parser could not go on.
    pub place: Place,
    /// Whether a tab ended the value that begins there.
    pub is_tab: bool,
}

impl Kind {
    /// Returns what messages call it.
    pub fn describe(&self) -> &'static str {
        match self {
            Kind::Null => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

impl Value {
    /// Reads one document. `<<` merges mappings; a key of the mapping itself wins.
    ///
    /// # Errors
    /// [`SyntaxError`] if the text is not one YAML document.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Value::read(text, true)
    }

    /// Reads one document the way programs read it that use libyaml without a schema: `<<` is a
    /// key like any other.
    ///
    /// # Errors
    /// [`SyntaxError`] if the text is not one YAML document.
    pub fn parse_without_merging(text: &str) -> Result<Self, SyntaxError> {
        Value::read(text, false)
    }

    fn read(text: &str, merges: bool) -> Result<Self, SyntaxError> {
        let mut documents = documents(text)?.into_iter();
        let root = documents.next();
        if let Some(second) = documents.next() {
            let message = "only one YAML document is expected, but there are several";
            return Err(SyntaxError::new(message, second.place));
        }
        match root {
            Some(root) => convert(root, merges),
            None => Ok(Value { kind: Kind::Null, place: Place::of_character(text, 0) }),
        }
    }

    /// Returns the value of a key of a mapping.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// Returns the text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of a list; none if it is not a list.
    pub fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the entries of a mapping; none if it is not a mapping.
    pub fn entries(&self) -> &[(Key, Value)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the first key, from the top, that its mapping has already.
    pub fn repeated_key(&self) -> Option<&Key> {
        let mut known = HashSet::new();
        let own = self.entries().iter().find_map(|(key, value)| {
            if known.insert(&key.name) { value.repeated_key() } else { Some(key) }
        });
        own.or_else(|| self.items().iter().find_map(Value::repeated_key))
    }
}

impl SyntaxError {
    pub(crate) fn new(message: &str, place: Place) -> Self {
        SyntaxError { message: message.to_owned(), place, is_tab: false }
    }

    fn of_parser(text: &str, error: &ScanError) -> Self {
        let is_tab = *error.kind() == ErrorKind::TabInPlainScalar;
        let message = error.info();
        let message = message.lines().next().unwrap_or_default().to_owned();
        SyntaxError { message, place: Place::of_marker(text, error.marker()), is_tab }
    }
}

impl Place {
    fn of_span(text: &str, span: &Span) -> Self {
        let place = Place::of_marker(text, &span.start);
        let known = span.byte_range().filter(|range| text.get(range.clone()).is_some());
        Place { span: known.unwrap_or(place.span), ..place }
    }

    /// Returns the place of the character at a marker of the parser. Where the parser does not
    /// know the byte, it follows from line and column.
    fn of_marker(text: &str, marker: &Marker) -> Self {
        let (line, column) = (marker.line().max(1), marker.col() + 1);
        let known = marker.byte_offset().filter(|at| text.is_char_boundary(*at));
        let at = known.unwrap_or_else(|| {
            let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
            let rest = text.get(start..).unwrap_or_default();
            let inside = rest.char_indices().nth(column - 1);
            start.min(text.len()) + inside.map_or(rest.len(), |(at, _)| at)
        });
        let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        Place { span: at..at + length, line, column }
    }
}

fn convert(node: Node, merges: bool) -> Result<Value, SyntaxError> {
    const BINARY: &str = "tag:yaml.org,2002:binary";
    let place = node.place;
    let kind = match node.content {
        Content::Scalar { .. } if node.tag.as_deref() == Some(BINARY) => {
            return Err(SyntaxError::new("binary values are not supported", place));
        }
        Content::Scalar { text, is_plain } => {
            let is_text = !is_plain || node.tag.is_some_and(|tag| tag != NULL);
            match text.as_str() {
                "" | "~" | "null" | "Null" | "NULL" if !is_text => Kind::Null,
                _ => Kind::Scalar(text),
            }
        }
        Content::List(items) => {
            let items = items.into_iter().map(|item| convert(item, merges));
            Kind::List(items.collect::<Result<_, _>>()?)
        }
        Content::Map(entries) => Kind::Map(convert_map(entries, merges)?),
    };
    Ok(Value { kind, place })
}

const NULL: &str = "tag:yaml.org,2002:null";

fn convert_map(entries: Vec<(Node, Node)>, merges: bool) -> Result<Vec<(Key, Value)>, SyntaxError> {
    let mut own = Vec::new();
    let mut merged = Vec::new();
    for (key, value) in entries {
        let Content::Scalar { text, is_plain } = key.content else {
            return Err(SyntaxError::new("a key has to be a single value", key.place));
        };
        let value = convert(value, merges)?;
        if merges && is_plain && text == "<<" {
            let wrong = SyntaxError::new("`<<` merges mappings only", value.place.clone());
            let maps = match value.kind {
                Kind::List(items) => items,
                _ => vec![value],
            };
            for map in maps {
                match map.kind {
                    Kind::Map(entries) => merged.extend(entries),
                    _ => return Err(wrong),
                }
            }
        } else {
            own.push((Key { name: text, place: key.place }, value));
        }
    }
    // The first of several mappings wins, and the mapping itself over all.
    for (key, value) in merged {
        if own.iter().all(|(known, _): &(Key, Value)| known.name != key.name) {
            own.push((key, value));
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_kept_as_written_and_places_point_at_them() {
        let text = "# é\nmode: 0644\nq: \"0o644\"\né: {y: no, v: 1.50}\n";
        let Kind::Map(entries) = Value::parse(text).expect("it parses").kind else {
            panic!("not a mapping")
        };
        let scalar = |i: usize| match &entries[i].1.kind {
            Kind::Scalar(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((scalar(0), scalar(1)), ("0644".into(), "0o644".into()));
        assert_eq!(&text[entries[0].1.place.span.clone()], "0644");
        assert_eq!((entries[0].1.place.line, entries[0].1.place.column), (2, 7));
        let Kind::Map(inner) = &entries[2].1.kind else { panic!("not a mapping") };
        assert!(matches!(&inner[0].1.kind, Kind::Scalar(s) if s == "no"));
        assert!(matches!(&inner[1].1.kind, Kind::Scalar(s) if s == "1.50"));
        assert_eq!(&text[inner[0].0.place.span.clone()], "y");
    }

    #[test]
    fn repeated_keys_are_kept_and_explicit_ones_win_over_merged_ones() {
        let keys = |text: &str| {
            let Kind::Map(entries) = Value::parse(text).expect(text).kind else {
                panic!("not a mapping")
            };
            let entries = entries.into_iter().map(|(key, value)| match value.kind {
                Kind::Scalar(value) => format!("{}={value}", key.name),
                _ => key.name,
            });
            entries.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys("é: 1\né: 2\n"), "é=1 é=2");
        assert_eq!(keys("{<<: {a: 1, b: 2}, a: 3}"), "a=3 b=2");
        assert_eq!(keys("{<<: [{a: 1}, {a: 2, b: 2}]}"), "a=1 b=2");
        let written = Value::parse_without_merging("{<<: {a: 1}}").expect("it parses");
        assert_eq!(written.entries()[0].0.name, "<<");
    }

    #[test]
    fn a_repeated_key_is_found_at_any_depth() {
        let repeated = |text: &str| {
            let value = Value::parse(text).expect(text);
            value.repeated_key().map(|key| (key.name.clone(), key.place.line))
        };
        assert_eq!(repeated("a: [{b: 1, c: 2}]\nb: 1\n"), None);
        assert_eq!(repeated("a:\n- b: 1\n  c: 2\n  b: 3\na: 1\n"), Some(("b".into(), 4)));
        assert_eq!(repeated("a: {b: 1}\na: {b: 2}\n"), Some(("a".into(), 2)));
    }

    #[test]
    fn exponential_aliases_and_deep_nesting_are_rejected() {
        let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
        for (from, to) in ('a'..'k').zip('b'..'l') {
            bomb += &format!("{to}: &{to} [*{from},*{from},*{from},*{from},*{from},*{from}]\n");
        }
        assert!(Value::parse(&bomb).is_err());
        assert!(Value::parse(&"[".repeat(100_000)).is_err());
        assert!(Value::parse("a: &a [*a]\n").is_err());
        let mut deep = format!("a: &a {}{}\n", "[".repeat(200), "]".repeat(200));
        deep += &format!("b: {}*a{}\n", "[".repeat(200), "]".repeat(200));
        assert!(Value::parse(&deep).is_err());
    }
}
