//! The text of checksum files.

/// What a checksum is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sha256,
    Md5,
}

/// A checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

/// Which bytes a checksum is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::base) enum Subject {
    /// The file as given.
    File,
    /// The image that is decoded from it.
    Image,
}

/// One line of a checksum file: the sum, if it is one, and the name.
type Line<'a> = (Option<Sum>, &'a str);

/// The sums that count for the base called `name`, as the module above says.
pub(super) fn find(
    text: &str,
    kind: Kind,
    name: &str,
    own: bool,
) -> Result<Vec<(Subject, Sum)>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<Line> = text.lines().filter_map(|line| parse(line, kind)).collect();
    // In a list of many files, the same name may occur in several directories.
    let names = |line: &str, wanted: &str| {
        let line = line.strip_prefix("./").unwrap_or(line);
        line == wanted || (own && line.rsplit(['/', '\\']).next() == Some(wanted))
    };
    let decoded = decoded_name(name);
    for (wanted, subject) in [(Some(name), Subject::File), (decoded, Subject::Image)] {
        let Some(wanted) = wanted else { continue };
        let found: Vec<_> = lines.iter().filter(|(_, line)| names(line, wanted)).collect();
        if !found.is_empty() {
            let usable = |(sum, _): &&Line| sum.map(|sum| (subject, sum));
            let sums: Option<Vec<_>> = found.iter().map(usable).collect();
            return sums.ok_or_else(|| format!("what it says of {wanted} is no {kind} sum"));
        }
    }
    if !own {
        return Ok(Vec::new());
    }
    let sums: Vec<Sum> = lines.iter().filter_map(|(sum, _)| *sum).collect();
    match sums[..] {
        [] => Err(format!("there is no {kind} sum in it")),
        [sum] => Ok(vec![(Subject::File, sum)]),
        _ => Err(format!("it has several sums, but none for {name}")),
    }
}

/// The name of what is inside, by the usual endings.
fn decoded_name(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    let known = ["xz", "gz", "zst", "bz2", "zip"].iter().any(|e| ending.eq_ignore_ascii_case(e));
    (known && !stem.is_empty()).then_some(stem)
}

/// `SUM  NAME`, `SUM *NAME`, `SHA256 (NAME) = SUM`, or `SUM` alone.
fn parse(line: &str, kind: Kind) -> Option<Line<'_>> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Some((tag, rest)) = line.split_once(" (")
        && let Some((name, sum)) = rest.rsplit_once(") = ")
    {
        // BSD's tagged lines may be of any algorithm.
        let ours = tag.replace('-', "").eq_ignore_ascii_case(match kind {
            Kind::Sha256 => "SHA256",
            Kind::Md5 => "MD5",
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

impl Kind {
    fn parse(self, text: &str) -> Option<Sum> {
        match self {
            Kind::Sha256 => parse_hex(text).map(Sum::Sha256),
            Kind::Md5 => parse_hex(text).map(Sum::Md5),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Sha256 => "SHA-256",
            Kind::Md5 => "MD5",
        })
    }
}

/// Exactly `N` bytes in hexadecimal digits of any case.
pub(in crate::base) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let bytes: Vec<u8> = match digits? {
        digits if digits.len() == 2 * N => {
            digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect()
        }
        _ => return None,
    };
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789ABCDEF";
    const B: &str = "ffffffffffffffffffffffffffffffff";

    fn sum(text: &str) -> Sum {
        Sum::Md5(parse_hex(text).unwrap())
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
            let found = find(&line, Kind::Md5, "x.img.xz", true);
            assert_eq!(found, Ok(vec![(Subject::File, sum(A))]), "{line:?}");
        }
    }

    #[test]
    fn knows_the_decoded_images_name() {
        let text = format!("{B}  other\n{A}  x.img\n");
        for own in [true, false] {
            let found = find(&text, Kind::Md5, "x.img.xz", own);
            assert_eq!(found, Ok(vec![(Subject::Image, sum(A))]));
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let short = &A[1..];
        for (text, word) in [
            (String::new(), "no MD5 sum"),
            ("<html>404</html>".to_owned(), "no MD5 sum"),
            (format!("{A}{A}"), "no MD5 sum"),
            (format!("{short}  x.img.xz"), "no MD5 sum"),
            (format!("{A}  a\n{B}  b"), "several"),
        ] {
            let error = find(&text, Kind::Md5, "x.img.xz", true).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        // Lists are about many files, but what they say of ours must be usable.
        assert_eq!(find(&format!("{A}  y\nnonsense"), Kind::Md5, "x", false), Ok(vec![]));
        assert_eq!(find(&format!("{A}  other/x"), Kind::Md5, "x", false), Ok(vec![]));
        assert!(find(&format!("{short}  x"), Kind::Md5, "x", false).is_err());
    }
}
