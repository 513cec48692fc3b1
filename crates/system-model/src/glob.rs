//! File name patterns (glob(7)), with braces as systemd allows them.

use crate::{SystemError, SystemFiles};

/// Directories and names that one pattern may make us look at.
const MAX_STEPS: usize = 20_000;

/// Returns whether a name matches a pattern of `*`, `?` and `[…]`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => match class(&pattern[p..], name[n]) {
                Some((true, length)) => Some(p + length),
                Some((false, _)) => None,
                None => (name[n] == '[').then_some(p + 1),
            },
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == name[n]).then_some(p + 2),
            Some(c) => (*c == name[n]).then_some(p + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                p = after;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Returns whether the bracket at the start holds `c`, and the bracket's length.
fn class(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = if negated { 2 } else { 1 };
    let end = (first + 1..pattern.len()).find(|at| pattern[*at] == ']')?;
    let (mut at, mut inside) = (first, false);
    while at < end {
        if at + 2 < end && pattern[at + 1] == '-' {
            inside |= (pattern[at]..=pattern[at + 2]).contains(&c);
            at += 3;
        } else {
            inside |= pattern[at] == c;
            at += 1;
        }
    }
    Some((inside != negated, end + 1))
}

/// Returns the patterns that the braces of one stand for, 64 at most.
fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut ahead = vec![pattern.to_owned()];
    while let Some(one) = ahead.pop() {
        let close = one.find('}');
        let open = close.and_then(|close| one[..close].rfind('{'));
        match (open, close) {
            (Some(open), Some(close)) if done.len() + ahead.len() < 64 => {
                for part in one[open + 1..close].split(',') {
                    ahead.push(format!("{}{part}{}", &one[..open], &one[close + 1..]));
                }
            }
            _ => done.push(one),
        }
    }
    done
}

/// Returns whether any file matches an absolute pattern.
pub(crate) fn exists(files: &dyn SystemFiles, pattern: &str) -> Result<bool, SystemError> {
    let mut steps = 0;
    for one in braces(pattern) {
        if !expanded(files, &one, &mut steps)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the files that match an absolute pattern, in which braces have no meaning.
pub(crate) fn expand(files: &dyn SystemFiles, pattern: &str) -> Result<Vec<String>, SystemError> {
    expanded(files, pattern, &mut 0)
}

fn expanded(
    files: &dyn SystemFiles,
    pattern: &str,
    steps: &mut usize,
) -> Result<Vec<String>, SystemError> {
    let mut paths = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for path in paths {
            *steps += 1;
            if *steps > MAX_STEPS {
                return Ok(Vec::new());
            }
            if !part.contains(['*', '?', '[']) {
                next.push(format!("{path}/{part}"));
                continue;
            }
            let directory = if path.is_empty() { "/" } else { &path };
            for name in files.list(directory)?.unwrap_or_default() {
                if matches(part, &name) && (part.starts_with('.') || !name.starts_with('.')) {
                    next.push(format!("{path}/{name}"));
                }
            }
        }
        paths = next;
    }
    let mut found = Vec::new();
    for path in paths {
        if !path.is_empty() && files.exists(&path)? {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn patterns() {
        assert!(matches("ssh*.service", "sshd.service"));
        assert!(matches("[a-c]?d", "bxd") && !matches("[!a-c]?d", "bxd"));
        assert!(!matches("*a*b*c*d*e*", &"a".repeat(200)));
        let mut files = MemoryFiles::new();
        files.write("/boot/ssh.txt", "");
        assert!(exists(&files, "/boot/ssh{,.txt}").unwrap());
        assert!(exists(&files, "/bo*/ssh.t?t").unwrap());
        assert!(!exists(&files, "/boot/ssh").unwrap());
        files.write("/boot/ssi.txt", "");
        assert_eq!(expand(&files, "/b*/ss?.txt").unwrap(), ["/boot/ssh.txt", "/boot/ssi.txt"]);
        assert_eq!(expand(&files, "/boot/ssh.txt").unwrap(), ["/boot/ssh.txt"]);
        assert!(expand(&files, "/boot/ssh{,.txt}").unwrap().is_empty());
    }
}
