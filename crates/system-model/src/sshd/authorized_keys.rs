//! Files of authorized keys, line by line (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").

use data_encoding::BASE64_NOPAD;

/// A line of an authorized_keys file that has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedKey {
    /// The line, counted from 1.
    pub line: usize,
    /// The options, as (name in lower case, value), in order.
    pub options: Vec<(String, Option<String>)>,
    /// The algorithm, `ssh-ed25519` for example.
    pub algorithm: String,
    /// The key in base64.
    pub key: String,
    /// The rest of the line.
    pub comment: String,
}

impl AuthorizedKey {
    /// Returns whether an option is set.
    pub fn has_option(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| option == name)
    }

    /// Returns the value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(option, _)| option == name)?.1.as_deref()
    }

    /// Returns whether the line holds this key, whatever its options and comment.
    pub fn is_key(&self, base64: &str) -> bool {
        self.key == base64
    }
}

/// Returns the keys of an authorized_keys file. Lines that sshd skips are left out: empty
/// ones, comments, and those without a key that can be read.
pub fn parse(text: &str) -> Vec<AuthorizedKey> {
    let lines = text.split('\n').enumerate();
    lines.filter_map(|(number, line)| entry(number + 1, line)).collect()
}

fn entry(number: usize, line: &str) -> Option<AuthorizedKey> {
    let line = line.trim_start_matches([' ', '\t']).trim_end_matches(['\r', ' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Some((algorithm, key, comment)) = key(line) {
        return Some(AuthorizedKey { line: number, options: Vec::new(), algorithm, key, comment });
    }
    let (options, rest) = options(line);
    let (algorithm, key, comment) = key(rest.trim_start_matches([' ', '\t']))?;
    Some(AuthorizedKey { line: number, options, algorithm, key, comment })
}

/// `ALGORITHM BASE64 COMMENT`
fn key(text: &str) -> Option<(String, String, String)> {
    let (algorithm, rest) = text.split_once([' ', '\t'])?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    if !is_algorithm(algorithm) || blob_algorithm(base64)? != plain(algorithm) {
        return None;
    }
    Some((algorithm.to_owned(), base64.to_owned(), comment.trim_ascii().to_owned()))
}

/// A line may name an RSA key by its signature's algorithm.
fn plain(algorithm: &str) -> &str {
    match algorithm {
        "rsa-sha2-256" | "rsa-sha2-512" => "ssh-rsa",
        other => other,
    }
}

fn is_algorithm(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-", "rsa-sha2-", "webauthn-"].iter().any(|p| word.starts_with(p))
}

/// Returns the name of the algorithm that the encoded key begins with.
fn blob_algorithm(base64: &str) -> Option<String> {
    let blob = decode(base64)?;
    let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?);
    let end = usize::try_from(length).ok()?.checked_add(4)?;
    (end < blob.len()).then_some(())?;
    String::from_utf8(blob.get(4..end)?.to_vec()).ok()
}

/// Returns the bytes of a key in base64.
pub(super) fn decode(base64: &str) -> Option<Vec<u8>> {
    BASE64_NOPAD.decode(base64.trim_end_matches('=').as_bytes()).ok()
}

/// The options at the start of a line, which end at white space outside quotation marks.
fn options(line: &str) -> (Vec<(String, Option<String>)>, &str) {
    let mut options = Vec::new();
    let (mut word, mut quoted, mut escaped) = (String::new(), false, false);
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => {
                if c != '"' {
                    word.push('\\');
                }
                word.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                end = at;
                break;
            }
            ',' if !quoted => options.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    options.push(word);
    let options =
        options.into_iter().filter(|option| !option.is_empty()).map(|option| {
            match option.split_once('=') {
                Some((name, value)) => (name.to_ascii_lowercase(), Some(value.to_owned())),
                None => (option.to_ascii_lowercase(), None),
            }
        });
    (options.collect(), line.get(end..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJmv0Xq0E1TY1sDPyzS0DaF9Pp4rbTMaIxFzqPAsVdoq";

    #[test]
    fn lines_are_taken_apart() {
        let text = format!(
            "# one\n\nssh-ed25519 {KEY} a comment\n\
             no-pty,command=\"echo \\\"a b\\\",c\",from=\"10.*\" ssh-ed25519 {KEY}\r\n\
             ssh-ed25519 nonsense\nssh-rsa {KEY} wrong kind\n  ssh-ed25519\t{KEY}"
        );
        let keys = parse(&text);
        let lines: Vec<usize> = keys.iter().map(|key| key.line).collect();
        assert_eq!(lines, [3, 4, 7]);
        let [plain, restricted, _] = keys.as_slice() else { panic!("three keys") };
        assert_eq!((plain.comment.as_str(), plain.options.len()), ("a comment", 0));
        assert!(plain.is_key(KEY) && restricted.is_key(KEY) && restricted.has_option("no-pty"));
        assert_eq!(restricted.option("command"), Some("echo \"a b\",c"));
        assert_eq!(restricted.option("from"), Some("10.*"));
    }
}
