//! MIME messages as Python's email package reads them, which is all that cloud-init needs of them.

use super::decode;

/// Messages within messages.
const MAX_DEPTH: usize = 16;

/// A part of a message that is not a container of others.
#[derive(Debug, Clone)]
pub(super) struct Part {
    headers: Vec<(String, String)>,
    /// The contents, decoded.
    pub(super) body: Vec<u8>,
}

impl Part {
    /// Returns a header's value; case does not matter in its name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Returns the value of a header that is spelt exactly so.
    pub(super) fn header_as_written(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.trim())
    }

    /// Returns the type in lower case; `text/plain` where there is none.
    pub(super) fn content_type(&self) -> String {
        let given = self.header("content-type").unwrap_or("text/plain");
        let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if given.matches('/').count() == 1 { given } else { "text/plain".to_owned() }
    }

    fn boundary(&self) -> Option<String> {
        let given = self.header("content-type")?;
        let (_, parameters) = given.split_once(';')?;
        parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|rest| rest.split('"').next());
            name.trim().eq_ignore_ascii_case("boundary").then(|| bare.unwrap_or(value).to_owned())
        })
    }
}

/// Returns the parts of a message, containers left out.
pub(super) fn parts(text: &[u8]) -> Vec<Part> {
    let mut found = Vec::new();
    collect(text, 0, &mut found);
    found
}

fn collect(text: &[u8], depth: usize, found: &mut Vec<Part>) {
    let (headers, body) = split_headers(text);
    let mut part = Part { headers, body: Vec::new() };
    let kind = part.content_type();
    if !kind.starts_with("multipart/") {
        part.body = decoded(&part, body);
        found.push(part);
        return;
    }
    let Some(boundary) = part.boundary().filter(|_| depth < MAX_DEPTH) else { return };
    for inner in between(body, &boundary) {
        collect(inner, depth + 1, found);
    }
}

/// Splits a message at the empty line behind its headers.
fn split_headers(text: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return (headers, after);
        }
        let name = line.split_once(':').map(|(name, _)| name);
        let is_name = |name: &str| name.bytes().all(|byte| (33..127).contains(&byte));
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim_start());
            }
        } else if let Some(name) = name.filter(|name| is_name(name)) {
            headers.push((name.to_owned(), line[name.len() + 1..].to_owned()));
        } else if !(headers.is_empty() && line.starts_with("From ")) {
            // The body begins without an empty line.
            return (headers, rest);
        }
        rest = after;
    }
    (headers, rest)
}

/// Returns what lies between the lines of a boundary.
fn between<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let mut found = Vec::new();
    let mut begins = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(mark.as_bytes()).map(|rest| rest.trim_ascii_end());
        if let Some(rest @ (b"" | b"--")) = rest {
            if let Some(begin) = begins {
                let inner = body.get(begin..at).unwrap_or_default();
                let inner = inner.strip_suffix(b"\n").unwrap_or(inner);
                found.push(inner.strip_suffix(b"\r").unwrap_or(inner));
            }
            begins = Some(at + line.len());
            if rest == b"--" {
                return found;
            }
        }
        at += line.len();
    }
    found.extend(begins.and_then(|begin| body.get(begin..)));
    found
}

fn decoded(part: &Part, body: &[u8]) -> Vec<u8> {
    match part.header("content-transfer-encoding").map(str::to_ascii_lowercase).as_deref() {
        Some("base64") => {
            let end = body.iter().position(|byte| *byte == b'=').unwrap_or(body.len());
            let padded = [&body[..end], b"==="].concat();
            decode::base64(&padded).unwrap_or_else(|| body.to_vec())
        }
        Some("quoted-printable") => decode::quoted_printable(body),
        _ => body.to_vec(),
    }
}
