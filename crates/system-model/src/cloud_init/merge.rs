//! cloud-init's merging (cloudinit/mergers, util.mergemanydict).

use std::collections::HashMap;

use super::value::Value;

/// Deeper documents are cut off; YAML itself is limited before.
const MAX_DEPTH: usize = 64;

/// What `merge_how` says for each type.
#[derive(Debug, Clone, Default)]
pub(super) struct Mergers {
    dict: Option<Vec<String>>,
    list: Option<Vec<String>>,
    text: Option<Vec<String>>,
}

/// What cloud-init does not take for a way to merge, at which it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct BadMergers;

/// All options of all mergers.
const OPTIONS: [&str; 9] = [
    "replace",
    "no_replace",
    "append",
    "prepend",
    "allow_delete",
    "recurse_str",
    "recurse_dict",
    "recurse_array",
    "recurse_list",
];

impl Mergers {
    /// `list()+dict()+str()`, which configuration files are merged by.
    pub(super) fn system() -> Self {
        Mergers { dict: Some(Vec::new()), list: Some(Vec::new()), text: Some(Vec::new()) }
    }

    /// `dict(replace)+list()+str()`, which parts of user-data are merged by.
    pub(super) fn user_data() -> Self {
        Mergers { dict: Some(vec!["replace".to_owned()]), ..Mergers::system() }
    }

    /// Returns whether nothing says how to merge.
    pub(super) fn is_empty(&self) -> bool {
        self.dict.is_none() && self.list.is_none() && self.text.is_none()
    }

    /// Returns these, with those of `other` that are missing.
    pub(super) fn or(self, other: Self) -> Self {
        Mergers {
            dict: self.dict.or(other.dict),
            list: self.list.or(other.list),
            text: self.text.or(other.text),
        }
    }

    /// Reads `list(append)+dict(recurse_array)` (`string_extract_mergers`).
    pub(super) fn of_text(text: &str) -> Result<Self, BadMergers> {
        let mut mergers = Mergers::default();
        for one in text.split('+') {
            let one = one.to_lowercase().trim().replace('-', "_");
            if one.is_empty() {
                continue;
            }
            let (name, rest) = one.split_once('(').ok_or(BadMergers)?;
            let options = rest.strip_suffix(')').ok_or(BadMergers)?.split(',');
            let options = options.map(str::trim).filter(|o| !o.is_empty()).map(str::to_owned);
            mergers.set(name, options.collect())?;
        }
        Ok(mergers)
    }

    fn set(&mut self, name: &str, options: Vec<String>) -> Result<(), BadMergers> {
        let place = match name.strip_prefix("m_").unwrap_or(name) {
            "dict" => &mut self.dict,
            "list" => &mut self.list,
            "str" => &mut self.text,
            _ => return Err(BadMergers),
        };
        // The first that can merge a type does.
        place.get_or_insert(options);
        Ok(())
    }

    /// Takes `merge_how` or `merge_type` out of a document (`dict_extract_mergers`).
    pub(super) fn take(document: &mut Value) -> Result<Self, BadMergers> {
        let Value::Map(entries) = document else { return Ok(Mergers::default()) };
        let mut given = Value::Null;
        for name in ["merge_how", "merge_type"] {
            if given == Value::Null
                && let Some(at) = entries.iter().position(|(key, _)| *key == *name)
            {
                given = entries.remove(at).1;
            }
        }
        let list = match given {
            Value::Null => return Ok(Mergers::default()),
            Value::Text(text) => return Mergers::of_text(&text),
            Value::List(list) => list,
            _ => return Err(BadMergers),
        };
        let mut mergers = Mergers::default();
        for one in &list {
            let (name, options) = match one {
                Value::Map(_) => {
                    let options = match one.get("settings").ok_or(BadMergers)? {
                        // An option counts if it is a part of the text.
                        Value::Text(text) => OPTIONS
                            .iter()
                            .filter(|o| text.contains(**o))
                            .map(ToString::to_string)
                            .collect(),
                        options => options.list().iter().filter_map(Value::text).collect(),
                    };
                    (one.get("name"), options)
                }
                Value::List(values) => {
                    let options = values.iter().skip(1).filter_map(Value::text).collect();
                    (values.first(), options)
                }
                _ => return Err(BadMergers),
            };
            let Some(Value::Text(name)) = name else { return Err(BadMergers) };
            let name = match one {
                Value::Map(_) => name.replace('-', "_").trim().to_owned(),
                _ => name.clone(),
            };
            if !name.is_empty() {
                mergers.set(&name, options)?;
            }
        }
        Ok(mergers)
    }

    fn has(options: &Option<Vec<String>>, wanted: &[&str]) -> bool {
        options.iter().flatten().any(|option| wanted.contains(&option.as_str()))
    }

    /// Merges `new` into `old`, of which `old` wins unless options say otherwise.
    pub(super) fn merge(&self, old: Value, new: Value) -> Value {
        self.merge_at(old, new, 0)
    }

    fn merge_at(&self, old: Value, new: Value, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return old;
        }
        match (old, new) {
            (Value::Map(old), new) if self.dict.is_some() => match new {
                Value::Map(new) => self.merge_maps(old, new, depth),
                _ => Value::Map(old),
            },
            (Value::List(old), new) if self.list.is_some() => self.merge_lists(old, new, depth),
            (Value::Text(old), new) if self.text.is_some() => match new {
                Value::Text(new) if Mergers::has(&self.text, &["append"]) => {
                    Value::Text(format!("{old}{new}"))
                }
                new => new,
            },
            (old, _) => old,
        }
    }

    fn merge_maps(
        &self,
        mut old: Vec<(Value, Value)>,
        new: Vec<(Value, Value)>,
        depth: usize,
    ) -> Value {
        let options = &self.dict;
        let replace = Mergers::has(options, &["replace"]);
        let arrays = Mergers::has(options, &["recurse_array", "recurse_list"]);
        let texts = Mergers::has(options, &["recurse_str"]);
        let deletes = Mergers::has(options, &["allow_delete"]);
        let places = |entries: &[(Value, Value)]| -> HashMap<String, usize> {
            let keys = entries.iter().enumerate();
            keys.map(|(at, (key, _))| (key.identity(), at)).collect()
        };
        let mut known = places(&old);
        for (key, value) in new {
            let identity = key.identity();
            let Some(at) = known.get(&identity).copied() else {
                known.insert(identity, old.len());
                old.push((key, value));
                continue;
            };
            if value == Value::Null && deletes {
                old.remove(at);
                known = places(&old);
                continue;
            }
            let merges = match &value {
                Value::List(_) => arrays,
                Value::Text(_) => texts,
                Value::Map(_) => true,
                _ => false,
            };
            if replace {
                old[at].1 = value;
            } else if merges {
                let before = std::mem::replace(&mut old[at].1, Value::Null);
                old[at].1 = self.merge_at(before, value, depth + 1);
            }
        }
        Value::Map(old)
    }

    fn merge_lists(&self, old: Vec<Value>, new: Value, depth: usize) -> Value {
        let options = &self.list;
        // The first of these that is given, in this order (m_list.py MERGE_TYPES).
        let method = ["append", "prepend", "replace", "no_replace"]
            .into_iter()
            .find(|method| Mergers::has(options, &[method]))
            .unwrap_or("replace");
        let new = match new {
            Value::List(new) => new,
            other if method == "replace" => return other,
            // Python extends a list by the letters of a text and by the keys of a mapping.
            Value::Text(text) => text.chars().map(|c| Value::Text(c.to_string())).collect(),
            Value::Map(entries) => entries.into_iter().map(|(key, _)| key).collect(),
            _ => return Value::List(old),
        };
        let mut merged = old;
        match method {
            "prepend" => {
                let mut all = new;
                all.append(&mut merged);
                return Value::List(all);
            }
            "append" => merged.extend(new),
            "replace" => {
                for (at, value) in new.into_iter().enumerate().take(merged.len()) {
                    let merges = match &value {
                        Value::List(_) => Mergers::has(options, &["recurse_array", "recurse_list"]),
                        Value::Text(_) => Mergers::has(options, &["recurse_str"]),
                        Value::Map(_) => Mergers::has(options, &["recurse_dict"]),
                        _ => false,
                    };
                    let before = std::mem::replace(&mut merged[at], Value::Null);
                    merged[at] =
                        if merges { self.merge_at(before, value, depth + 1) } else { value };
                }
            }
            _ => {}
        }
        Value::List(merged)
    }
}

/// Merges documents of which the first wins (util.mergemanydict).
pub(super) fn merge_many(documents: impl IntoIterator<Item = Value>) -> Value {
    let mut merged = Value::Map(Vec::new());
    for mut document in documents {
        if matches!(&document, Value::Map(entries) if !entries.is_empty()) {
            // Where cloud-init fails, nothing is merged otherwise either.
            let mergers = Mergers::take(&mut document).unwrap_or_default();
            let mergers = if mergers.is_empty() { Mergers::system() } else { mergers };
            merged = mergers.merge(merged, document);
        }
    }
    merged
}
