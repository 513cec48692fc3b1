//! A value of cloud-init's configuration.

use std::fmt;

use super::pyyaml;

/// A value of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A boolean; `yes`, `on`, `off`, … are booleans to PyYAML.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A date, with a time or without, as it is written.
    Date(String),
    /// Bytes (`!!binary`).
    Bytes(Vec<u8>),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping, in its order. Its keys may be numbers or booleans: `on`, `yes`, `1`.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        pyyaml::parse(text)
    }

    /// Returns the value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(k, _)| *k == *key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Returns the value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Returns a text, or a number, boolean or date as Python's `str` writes it.
    pub fn text(&self) -> Option<String> {
        match self {
            Value::Text(text) | Value::Date(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(python_float(*number)),
            Value::Bool(value) => Some(if *value { "True" } else { "False" }.to_owned()),
            _ => None,
        }
    }

    /// Returns the elements of a list.
    pub fn list(&self) -> &[Value] {
        match self {
            Value::List(values) => values,
            _ => &[],
        }
    }

    /// Returns the entries of a mapping.
    pub fn entries(&self) -> &[(Value, Value)] {
        match self {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns whether cloud-init takes the value for true (`util.is_true`).
    pub fn is_true(&self) -> bool {
        match self {
            Value::Bool(value) => *value,
            other => other.text().is_some_and(|text| {
                matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "1" | "on" | "yes")
            }),
        }
    }

    /// Returns whether cloud-init takes the value for false (`util.is_false`).
    pub fn is_false(&self) -> bool {
        match self {
            Value::Bool(value) => !*value,
            other => other.text().is_some_and(|text| {
                matches!(text.trim().to_ascii_lowercase().as_str(), "false" | "0" | "off" | "no")
            }),
        }
    }

    /// Returns whether Python takes the value for true.
    pub fn is_truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Integer(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Date(_) => true,
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(values) => !values.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
        }
    }
}

impl Value {
    /// Returns what two keys have in common that Python takes for the same: `1`, `1.0` and `true`
    /// are.
    pub(super) fn identity(&self) -> String {
        match self {
            Value::Text(text) => format!("text {text}"),
            Value::Bool(value) => format!("number {}", f64::from(u8::from(*value))),
            #[expect(clippy::cast_precision_loss, reason = "keys of maps are small")]
            Value::Integer(number) => format!("number {}", *number as f64),
            Value::Float(number) => format!("number {number}"),
            other => other.to_string(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, text: &str) -> bool {
        matches!(self, Value::Text(own) if own == text)
    }
}

/// Writes the value on one line, as JSON, which is YAML too.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Integer(number) => number.fmt(f),
            Value::Float(number) if number.is_nan() => f.write_str(".nan"),
            Value::Float(number) if number.is_infinite() => {
                f.write_str(if *number > 0.0 { ".inf" } else { "-.inf" })
            }
            // With a point, so that it is not read as a whole number.
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Text(text) => write_text(text, f),
            Value::Date(text) => f.write_str(text),
            Value::Bytes(bytes) => {
                write!(f, "!!binary \"{}\"", data_encoding::BASE64.encode(bytes))
            }
            Value::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    write!(f, "{key}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Writes a text in double quotes. YAML allows less in it than JSON does.
fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                write!(f, "\\u{:04x}", u32::from(c))?;
            }
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// Writes a number as Python does: `1.0`, `1e+16`, `nan`.
fn python_float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    let size = number.abs();
    if size != 0.0 && size.is_finite() && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number:?}")
}
