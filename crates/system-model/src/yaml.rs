//! YAML as a tree that keeps the place of every key and value.

use std::{collections::HashSet, fmt, ops::Range};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    Location, Spanned, UserMessageFormatter, granit_parser::ErrorKind,
    localizer::ExternalMessageSource, options::DuplicateKeyPolicy,
};

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
    /// Reads one document.
    ///
    /// # Errors
    /// [`SyntaxError`] if the text is not one YAML document.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
        let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| syntax_error(text, &error))?;
        Ok(convert(text, raw))
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

fn syntax_error(text: &str, error: &serde_saphyr::Error) -> SyntaxError {
    let error = error.without_snippet();
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let mut message = error.render_with_formatter(&UserMessageFormatter);
    // The place is shown with the message, not in it.
    if let Some((_, rest)) = message.split_once(": ").filter(|(head, _)| head.contains("line ")) {
        message = rest.to_owned();
    }
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    let message = message.lines().next().unwrap_or_default().to_owned();
    let is_tab = match error {
        serde_saphyr::Error::ExternalMessage { source, .. } => match &**source {
            ExternalMessageSource::Parser(error) => *error.kind() == ErrorKind::TabInPlainScalar,
            _ => false,
        },
        _ => false,
    };
    SyntaxError { message, place: place(text, &location), is_tab }
}

/// Returns a location of the parser as a place. Where the parser does not know the bytes,
/// they follow from line and column.
fn place(text: &str, location: &Location) -> Place {
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let span = location.span();
    let known = span.byte_offset().zip(span.byte_len()).and_then(|(offset, length)| {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        text.get(start..end).map(|_| start..end)
    });
    let span = known.unwrap_or_else(|| {
        let line_start =
            text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>().min(text.len());
        let rest = text.get(line_start..).unwrap_or_default();
        let inside = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
        let length = rest.get(inside..).and_then(|r| r.chars().next()).map_or(0, char::len_utf8);
        line_start + inside..line_start + inside + length
    });
    Place { span, line, column }
}

fn convert(text: &str, raw: Spanned<Raw>) -> Value {
    let place = place(text, &raw.defined);
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Text(text) => Kind::Scalar(text),
        // As it is written.
        Raw::Typed(shown) => {
            let written = text.get(place.span.clone()).filter(|written| !written.is_empty());
            Kind::Scalar(written.map_or(shown, str::to_owned))
        }
        Raw::List(items) => Kind::List(items.into_iter().map(|i| convert(text, i)).collect()),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let place = self::place(text, &key.defined);
                    (Key { name: key.value, place }, convert(text, value))
                })
                .collect(),
        ),
    };
    Value { kind, place }
}

/// A value as the deserializer returns it, before its place is known in bytes.
enum Raw {
    Null,
    Text(String),
    Typed(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values are not supported"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(Spanned<String>, Spanned<Raw>)> = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
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
    }
}
