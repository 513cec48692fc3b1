//! cloud-init's merging (cloudinit/mergers, util.mergemanydict).

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

impl Mergers {
    /// `list()+dict()+str()`, which configuration files are merged by.
    pub(super) fn system() -> Self {
        Mergers::parse("list()+dict()+str()")
    }

    /// `dict(replace)+list()+str()`, which parts of user-data are merged by.
    pub(super) fn user_data() -> Self {
        Mergers::parse("dict(replace)+list()+str()")
    }

    fn parse(text: &str) -> Self {
        let mut mergers = Mergers::default();
        for one in text.split('+') {
            let one = one.trim().to_ascii_lowercase().replace('-', "_");
            let Some((name, rest)) = one.split_once('(') else { continue };
            let options = rest.trim_end_matches(')').split(',');
            let options = options.map(str::trim).filter(|o| !o.is_empty()).map(str::to_owned);
            mergers.set(name, options.collect());
        }
        mergers
    }

    fn set(&mut self, name: &str, options: Vec<String>) {
        match name.strip_prefix("m_").unwrap_or(name) {
            "dict" => self.dict = Some(options),
            "list" => self.list = Some(options),
            "str" => self.text = Some(options),
            _ => {}
        }
    }

    /// Takes `merge_how` or `merge_type` out of a document.
    pub(super) fn take(document: &mut Value) -> Option<Self> {
        let Value::Map(entries) = document else { return None };
        let at = ["merge_how", "merge_type"]
            .iter()
            .find_map(|key| entries.iter().position(|(k, _)| *k == **key))?;
        let (_, value) = entries.remove(at);
        match value {
            Value::Text(text) => Some(Mergers::parse(&text)),
            Value::List(list) if !list.is_empty() => {
                let mut mergers = Mergers::default();
                for one in &list {
                    let (name, options) = match one {
                        Value::Map(_) => (one.get("name"), one.get("settings").map(Value::list)),
                        Value::List(values) => (values.first(), values.get(1..)),
                        _ => continue,
                    };
                    let name = name.and_then(Value::text).unwrap_or_default().replace('-', "_");
                    let options = options.unwrap_or_default().iter().filter_map(Value::text);
                    mergers.set(name.trim(), options.collect());
                }
                Some(mergers)
            }
            _ => None,
        }
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
        for (key, value) in new {
            let Some(at) = old.iter().position(|(k, _)| k.is_same_key(&key)) else {
                old.push((key, value));
                continue;
            };
            if value == Value::Null && deletes {
                old.remove(at);
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
            let mergers = Mergers::take(&mut document).unwrap_or_else(Mergers::system);
            merged = mergers.merge(merged, document);
        }
    }
    merged
}
