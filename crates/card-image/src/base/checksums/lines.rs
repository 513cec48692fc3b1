//! The text of checksum files.

use plain_text::from_hex;

/// An algorithm for checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SumKind {
    Sha256,
    Md5,
}

/// A checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

/// The bytes that a checksum covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::base) enum SumSubject {
    /// The file as given.
    File,
    /// The image that is decoded from it.
    Image,
}

/// One line of a checksum file: the sum, if it is valid, and the name.
type Line<'a> = (Option<Checksum>, &'a str);

/// Returns the sums that count for the base called `name`, by the rules of the module above.
pub(super) fn find(
    text: &str,
    kind: SumKind,
    name: &str,
    own: bool,
) -> Result<Vec<(SumSubject, Checksum)>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<Line> = text.lines().filter_map(|line| parse(line, kind)).collect();
    // In a list of many files, the same name may occur in several directories.
    let names = |line: &str, wanted: &str| {
        let line = line.strip_prefix("./").unwrap_or(line);
        line == wanted || (own && line.rsplit(['/', '\\']).next() == Some(wanted))
    };
    let decoded = decoded_name(name);
    for (wanted, subject) in [(Some(name), SumSubject::File), (decoded, SumSubject::Image)] {
        let Some(wanted) = wanted else { continue };
        let found: Vec<_> = lines.iter().filter(|(_, line)| names(line, wanted)).collect();
        if !found.is_empty() {
            let usable = |(sum, _): &&Line| sum.map(|sum| (subject, sum));
            let sums: Option<Vec<_>> = found.iter().map(usable).collect();
            return sums.ok_or_else(|| format!("its entry for {wanted} is not a valid {kind} sum"));
        }
    }
    if !own {
        return Ok(Vec::new());
    }
    let sums: Vec<Checksum> = lines.iter().filter_map(|(sum, _)| *sum).collect();
    match sums[..] {
        [] => Err(format!("it holds no {kind} sum")),
        [sum] => Ok(vec![(SumSubject::File, sum)]),
        _ => Err(format!("it holds several sums, but none for {name}")),
    }
}

/// Returns the name of the decoded image, by the usual endings.
fn decoded_name(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    let known = ["xz", "gz", "zst", "bz2", "zip"].iter().any(|e| ending.eq_ignore_ascii_case(e));
    (known && !stem.is_empty()).then_some(stem)
}

/// Reads a line: `SUM  NAME`, `SUM *NAME`, `SHA256 (NAME) = SUM`, or `SUM` alone.
fn parse(line: &str, kind: SumKind) -> Option<Line<'_>> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Some((tag, rest)) = line.split_once(" (")
        && let Some((name, sum)) = rest.rsplit_once(") = ")
    {
        // BSD's tagged lines may be of any algorithm.
        let ours = tag.replace('-', "").eq_ignore_ascii_case(match kind {
            SumKind::Sha256 => "SHA256",
            SumKind::Md5 => "MD5",
        });
        return ours.then(|| (kind.parse(sum), name));
    }
    match line.split_once(char::is_whitespace) {
        Some((sum, name)) => {
            let name = name.trim_start();
            Some((kind.parse(sum), name.strip_prefix('*').unwrap_or(name)))
        }
        None => Some((kind.parse(line), "")),
    }
}

impl SumKind {
    fn parse(self, text: &str) -> Option<Checksum> {
        match self {
            SumKind::Sha256 => from_hex(text).map(Checksum::Sha256),
            SumKind::Md5 => from_hex(text).map(Checksum::Md5),
        }
    }
}

impl std::fmt::Display for SumKind {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            SumKind::Sha256 => "SHA-256",
            SumKind::Md5 => "MD5",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789ABCDEF";
    const B: &str = "ffffffffffffffffffffffffffffffff";

    fn sum(text: &str) -> Checksum {
        Checksum::Md5(from_hex(text).unwrap())
    }

    #[test]
    fn reads_all_kinds_of_lines() {
        for line in [
            A.to_owned(),
            format!("{A}  x.img.xz\n"),
            format!("{A} *x.img.xz\r\n"),
            format!("\u{feff}{A}  ./x.img.xz"),
            format!("MD5 (x.img.xz) = {A}"),
            format!("{A}  /home/build/out/x.img.xz"),
            format!("{A}  renamed-since.img.xz"),
            format!("{B}  other\n{A}  x.img.xz\n{B}  x.img\n"),
            format!("SHA256 (x.img.xz) = {B}{B}\nMD5 (x.img.xz) = {A}\n"),
        ] {
            let found = find(&line, SumKind::Md5, "x.img.xz", true);
            assert_eq!(found, Ok(vec![(SumSubject::File, sum(A))]), "{line:?}");
        }
    }

    #[test]
    fn knows_the_decoded_images_name() {
        let text = format!("{B}  other\n{A}  x.img\n");
        for own in [true, false] {
            let found = find(&text, SumKind::Md5, "x.img.xz", own);
            assert_eq!(found, Ok(vec![(SumSubject::Image, sum(A))]));
        }
    }

    #[test]
    fn rejects_unusable_files() {
        let short = &A[1..];
        for (text, word) in [
            (String::new(), "no MD5 sum"),
            ("<html>404</html>".to_owned(), "no MD5 sum"),
            (format!("{A}{A}"), "no MD5 sum"),
            (format!("{short}  x.img.xz"), "not a valid MD5 sum"),
            (format!("{A}  a\n{B}  b"), "several"),
        ] {
            let error = find(&text, SumKind::Md5, "x.img.xz", true).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        // Lists are about many files, but the entry for this one must be usable.
        assert_eq!(find(&format!("{A}  y\nnonsense"), SumKind::Md5, "x", false), Ok(vec![]));
        assert_eq!(find(&format!("{A}  other/x"), SumKind::Md5, "x", false), Ok(vec![]));
        assert!(find(&format!("{short}  x"), SumKind::Md5, "x", false).is_err());
    }
}
