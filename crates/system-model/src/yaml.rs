//! YAML as a tree that keeps the line of every key.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value of YAML.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yaml {
    Null,
    /// A scalar, booleans and numbers in their shortest form.
    Scalar(String),
    List(Vec<(Yaml, usize)>),
    /// Keys, their lines, and values.
    Map(Vec<(String, usize, Yaml)>),
}

impl Yaml {
    /// Returns the value of a key of a mapping, and its line.
    pub fn get(&self, key: &str) -> Option<(&Yaml, usize)> {
        let Yaml::Map(entries) = self else { return None };
        entries.iter().find(|(name, ..)| name == key).map(|(_, line, value)| (value, *line))
    }

    pub fn scalar(&self) -> Option<&str> {
        match self {
            Yaml::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub fn entries(&self) -> &[(String, usize, Yaml)] {
        match self {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[(Yaml, usize)] {
        match self {
            Yaml::List(items) => items,
            _ => &[],
        }
    }
}

/// Reads one YAML document. Returns the line of the error if it is none.
pub(crate) fn parse(text: &str) -> Result<Yaml, usize> {
    match serde_saphyr::from_str::<Spanned<Raw>>(text) {
        Ok(raw) => Ok(convert(raw.value)),
        Err(error) => {
            let line = error.without_snippet().location().map_or(1, |location| location.line());
            Err(usize::try_from(line).unwrap_or(1).max(1))
        }
    }
}

fn convert(raw: Raw) -> Yaml {
    match raw {
        Raw::Null => Yaml::Null,
        Raw::Scalar(text) => Yaml::Scalar(text),
        Raw::List(items) => Yaml::List(
            items
                .into_iter()
                .map(|item| {
                    let at = line(&item);
                    (convert(item.value), at)
                })
                .collect(),
        ),
        Raw::Map(entries) => Yaml::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let at = line(&key);
                    (key.value, at, convert(value.value))
                })
                .collect(),
        ),
    }
}

fn line<T>(spanned: &Spanned<T>) -> usize {
    usize::try_from(spanned.defined.line()).unwrap_or(1).max(1)
}

enum Raw {
    Null,
    Scalar(String),
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
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("a binary value"))
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
        while let Some(entry) = access.next_entry::<Spanned<String>, Spanned<Raw>>()? {
            if entries.iter().any(|(key, _)| key.value == entry.0.value) {
                return Err(A::Error::custom("a key is there twice"));
            }
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
