//! The parts of user-data and vendor-data.
//!
//! Sources: cloudinit/user_data.py (`UserDataProcessor`), handlers/, stages.py (`_do_handlers`),
//! templater.py.

use super::{
    Reader,
    decode::{self, Gzip},
    merge::Mergers,
    message::{self, Part},
    value::Value,
};
use crate::{Location, SystemError};

const UNPACKABLE: &str = "compressed data that cannot be unpacked";
/// Files that include others.
const MAX_DEPTH: usize = 8;
/// Parts of one file of user-data.
const MAX_PARTS: usize = 500;

/// When a script of user-data runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptKind {
    /// `#cloud-boothook`: at every boot, before all modules.
    BootHook,
    /// `#!`: once for each instance, by `scripts_user`.
    User,
    /// `#!` in vendor-data: once for each instance, by `scripts_vendor`.
    Vendor,
    /// At every boot, by `scripts_per_boot`.
    PerBoot,
    /// Once for each instance, by `scripts_per_instance`.
    PerInstance,
    /// Once, by `scripts_per_once`.
    PerOnce,
}

/// A part of user-data or vendor-data that runs as a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// When it runs.
    pub kind: ScriptKind,
    /// The file that it is in, and the line where it begins; 0 where it is encoded.
    pub location: Location,
    /// Its text.
    pub text: String,
}

/// User-data or vendor-data as it is given.
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) path: &'a str,
    pub(super) is_vendor: bool,
    /// Types that are left out.
    pub(super) excluded: &'a [String],
}

/// What user-data or vendor-data amounts to.
#[derive(Debug, Default)]
pub(super) struct Processed {
    /// The merged configuration of all parts.
    pub(super) config: Option<Value>,
    pub(super) scripts: Vec<Script>,
    /// The text, for finding lines in it; none of compressed data.
    pub(super) text: String,
}

/// Returns the type of a text by how it begins (`type_from_starts_with`).
fn type_of(text: &str) -> Option<&'static str> {
    // The longest first.
    const BEGINNINGS: [(&str, &str); 12] = [
        ("text/x-shellscript-per-instance", "text/x-shellscript-per-instance"),
        ("text/x-shellscript-per-boot", "text/x-shellscript-per-boot"),
        ("text/x-shellscript-per-once", "text/x-shellscript-per-once"),
        ("#cloud-config-archive", "text/cloud-config-archive"),
        ("#cloud-config-jsonp", "text/cloud-config-jsonp"),
        ("## template: jinja", "text/jinja2"),
        ("#cloud-boothook", "text/cloud-boothook"),
        ("#include-once", "text/x-include-once-url"),
        ("#cloud-config", "text/cloud-config"),
        ("#part-handler", "text/part-handler"),
        ("#include", "text/x-include-url"),
        ("#!", "text/x-shellscript"),
    ];
    let text = text.trim_start();
    let begins =
        |mark: &str| text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark));
    BEGINNINGS.iter().find(|(mark, _)| begins(mark)).map(|(_, kind)| *kind)
}

/// A part whose type is known.
struct Typed {
    kind: String,
    text: String,
    merge_type: String,
}

/// Reads all parts.
pub(super) fn process(reader: &mut Reader<'_>, raw: &Raw<'_>) -> Result<Processed, SystemError> {
    let mut parts = Vec::new();
    split(reader, raw, raw.bytes, 0, &mut parts)?;
    let mut processed = Processed::default();
    if !decode::is_gzip(raw.bytes) {
        processed.text = String::from_utf8_lossy(raw.bytes).into_owned();
    }
    for part in parts {
        if !raw.excluded.contains(&part.kind) {
            handle(reader, raw, part, &mut processed);
        }
    }
    Ok(processed)
}

/// Splits data into parts (`_process_msg`).
fn split(
    reader: &mut Reader<'_>,
    raw: &Raw<'_>,
    bytes: &[u8],
    depth: usize,
    found: &mut Vec<Typed>,
) -> Result<(), SystemError> {
    if depth > MAX_DEPTH {
        reader.unread(raw.path, "files that include each other");
        return Ok(());
    }
    let unpacked = match decode::gunzip(bytes) {
        Gzip::Text(text) => Some(text),
        Gzip::No => None,
        Gzip::Unreadable => {
            reader.unread(raw.path, UNPACKABLE);
            return Ok(());
        }
    };
    let bytes = unpacked.as_deref().unwrap_or(bytes);
    if !has_mime_header(bytes) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let kind = type_of(&text).unwrap_or("text/x-not-multipart").to_owned();
        return add(reader, raw, Typed { kind, text, merge_type: String::new() }, depth, found);
    }
    for part in message::parts(bytes) {
        let typed = typed(reader, raw, &part);
        add(reader, raw, typed, depth, found)?;
    }
    Ok(())
}

fn typed(reader: &mut Reader<'_>, raw: &Raw<'_>, part: &Part) -> Typed {
    const COMPRESSED: [&str; 8] = [
        "application/gzip",
        "application/gzip-compressed",
        "application/gzipped",
        "application/x-compress",
        "application/x-compressed",
        "application/x-gunzip",
        "application/x-gzip",
        "application/x-gzip-compressed",
    ];
    let mut kind = part.content_type();
    let mut body = part.body.clone();
    if COMPRESSED.contains(&kind.as_str()) {
        match decode::gunzip(&body).text() {
            Some(unpacked) => body = unpacked,
            None => reader.unread(raw.path, UNPACKABLE),
        }
        kind = "text/plain".to_owned();
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    if matches!(kind.as_str(), "text/plain" | "text/x-not-multipart" | "text/x-shellscript")
        && let Some(found) = type_of(&text)
    {
        kind = found.to_owned();
    }
    Typed { kind, text, merge_type: merge_header(|name| part.header_as_written(name)) }
}

/// Returns how a part is merged by its headers, in whose names case matters
/// (`_extract_mergers`).
fn merge_header<'a>(header: impl Fn(&str) -> Option<&'a str>) -> String {
    let given = ["Merge-Type", "X-Merge-Type"].into_iter().filter_map(header);
    given.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_owned()
}

/// Adds a part, or what it stands for.
fn add(
    reader: &mut Reader<'_>,
    raw: &Raw<'_>,
    part: Typed,
    depth: usize,
    found: &mut Vec<Typed>,
) -> Result<(), SystemError> {
    match part.kind.as_str() {
        "text/x-include-url" | "text/x-include-once-url" => {
            include(reader, raw, &part.text, depth, found)
        }
        "text/cloud-config-archive" => {
            archive(reader, raw, &part.text, found);
            Ok(())
        }
        _ => {
            keep(reader, raw, part, found);
            Ok(())
        }
    }
}

fn keep(reader: &mut Reader<'_>, raw: &Raw<'_>, part: Typed, found: &mut Vec<Typed>) {
    if found.len() < MAX_PARTS {
        found.push(part);
    } else {
        reader.unread(raw.path, "more parts than any user-data has");
    }
}

/// Follows a list of URLs (`_do_include`).
fn include(
    reader: &mut Reader<'_>,
    raw: &Raw<'_>,
    list: &str,
    depth: usize,
    found: &mut Vec<Typed>,
) -> Result<(), SystemError> {
    for line in list.lines() {
        let marked = ["#include-once", "#include"].iter().find_map(|mark| {
            let start = line.get(..mark.len())?;
            start.eq_ignore_ascii_case(mark).then(|| line[mark.len()..].trim_start())
        });
        let url = marked.unwrap_or(line).trim();
        if url.is_empty() || marked.unwrap_or(line).starts_with('#') {
            continue;
        }
        let is_file = url.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("file://"));
        let path = if is_file { &url[7..] } else { url };
        if !path.starts_with('/') {
            reader.unread(raw.path, &format!("a part that comes from the network, {url}"));
            continue;
        }
        match reader.files.read(path)? {
            Some(bytes) => split(reader, raw, &bytes, depth + 1, found)?,
            None => reader.unread(raw.path, &format!("an included file that is missing, {path}")),
        }
    }
    Ok(())
}

/// Adds the entries of an archive (`_explode_archive`).
fn archive(reader: &mut Reader<'_>, raw: &Raw<'_>, text: &str, found: &mut Vec<Typed>) {
    let document = reader.document(raw.path, text);
    for entry in document.list() {
        let content = match entry {
            Value::Text(_) => Some(entry),
            Value::Map(_) => entry.get("content"),
            _ => continue,
        };
        let (text, default) = match content {
            Some(Value::Bytes(bytes)) => {
                (String::from_utf8_lossy(bytes).into_owned(), "application/octet-stream")
            }
            other => (other.and_then(Value::text).unwrap_or_default(), "text/cloud-config"),
        };
        let kind = entry.get("type").filter(|kind| kind.is_truthy()).and_then(Value::text);
        let kind = kind.unwrap_or_else(|| type_of(&text).unwrap_or(default).to_owned());
        let merge_type = merge_header(|name| match entry.get(name) {
            Some(Value::Text(value)) => Some(value.as_str()),
            _ => None,
        });
        let kind = kind.to_ascii_lowercase();
        keep(reader, raw, Typed { kind, text, merge_type }, found);
    }
}

/// Does what the handler of a part does.
fn handle(reader: &mut Reader<'_>, raw: &Raw<'_>, part: Typed, to: &mut Processed) {
    let mut script = |kind| {
        let at = to.text.find(&part.text);
        let line = at.map_or(0, |at| to.text[..at].matches('\n').count() + 1);
        let location = Location::new(raw.path, line);
        to.scripts.push(Script { kind, location, text: part.text.clone() });
    };
    match part.kind.as_str() {
        "text/cloud-config" => merge(reader, raw, &part, to),
        "text/x-shellscript" => {
            script(if raw.is_vendor { ScriptKind::Vendor } else { ScriptKind::User });
        }
        "text/x-shellscript-per-boot" => script(ScriptKind::PerBoot),
        "text/x-shellscript-per-instance" => script(ScriptKind::PerInstance),
        "text/x-shellscript-per-once" => script(ScriptKind::PerOnce),
        "text/cloud-boothook" => script(ScriptKind::BootHook),
        "text/jinja2" => match rendered(&part.text) {
            Some(text) => {
                let kind = type_of(text).unwrap_or_default();
                // Boot hooks in newer versions only.
                let known = ["text/cloud-config", "text/x-shellscript", "text/cloud-boothook"];
                if known.contains(&kind) {
                    let (kind, text) = (kind.to_owned(), text.to_owned());
                    handle(reader, raw, Typed { kind, text, ..part }, to);
                }
            }
            None => reader.unread(raw.path, "a jinja template"),
        },
        "text/cloud-config-jsonp" => reader.unread(raw.path, "a JSON patch"),
        "text/part-handler" => reader.unread(raw.path, "a part handler"),
        // cloud-init warns of others and ignores them.
        _ => {}
    }
}

/// Returns a jinja template without its first line, if there is nothing to be filled in.
pub(super) fn rendered(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once('\n')?;
    let is_template = first.get(..2) == Some("##");
    (is_template && !["{{", "{%", "{#"].iter().any(|mark| rest.contains(mark))).then_some(rest)
}

/// Merges a part of cloud-config (`_merge_part`). One that cannot be merged is left out.
fn merge(reader: &mut Reader<'_>, raw: &Raw<'_>, part: &Typed, to: &mut Processed) {
    let mut value = reader.document(raw.path, &part.text);
    if !matches!(value, Value::Map(_)) {
        return;
    }
    let (own, header) = (Mergers::take(&mut value), Mergers::of_text(&part.merge_type));
    let (Ok(own), Ok(header)) = (own, header) else {
        reader.unread(raw.path, "a `merge_how` that cloud-init does not understand");
        return;
    };
    let mergers = own.or(header);
    let mergers = if mergers.is_empty() { Mergers::user_data() } else { mergers };
    let before = to.config.take().unwrap_or_else(|| Value::Map(Vec::new()));
    to.config = Some(mergers.merge(before, value));
}

/// Returns whether cloud-init takes data for a MIME message (`convert_string`).
fn has_mime_header(bytes: &[u8]) -> bool {
    const HEADER: &[u8] = b"mime-version:";
    let begin = bytes.get(..4096).unwrap_or(bytes);
    begin.windows(HEADER.len()).any(|window| window.eq_ignore_ascii_case(HEADER))
}
