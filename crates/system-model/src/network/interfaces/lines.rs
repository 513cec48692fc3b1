//! The lines of an interfaces file (`get_line` and `next_word` of ifupdown's config.c).

/// A line as ifupdown reads it: several lines of the file, if they end with a backslash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacesLine<'a> {
    /// The number of its first line in the file, from 1.
    pub number: usize,
    /// Its bytes in the file, with line ends. Those of all lines together are the file.
    pub raw: &'a str,
    /// What ifupdown makes of it; empty for a comment.
    pub text: String,
}

impl InterfacesLine<'_> {
    /// Returns the line's words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(is_space).filter(|word| !word.is_empty())
    }

    /// Returns the first word and what follows. The word is empty where a joined line begins
    /// with white space.
    pub(super) fn first(&self) -> (&str, &str) {
        match self.text.find(is_space) {
            Some(at) => {
                let (first, rest) = self.text.split_at(at);
                (first, rest.trim_start_matches(is_space))
            }
            None => (&self.text, ""),
        }
    }
}

/// Returns the lines of an interfaces file. A line that ends with a backslash is joined with the
/// next one, whatever that is; a comment never is.
pub fn interfaces_lines(file: &str) -> Vec<InterfacesLine<'_>> {
    let mut found = Vec::new();
    let mut pieces = file.split_inclusive('\n');
    let (mut start, mut end, mut number) = (0, 0, 0);
    while let Some(piece) = pieces.next() {
        number += 1;
        end += piece.len();
        let first = number;
        let mut text = body(piece).trim_start_matches(is_space).to_owned();
        let comment = text.starts_with('#');
        while !comment && text.ends_with('\\') {
            text.pop();
            let Some(next) = pieces.next() else { break };
            number += 1;
            end += next.len();
            text.push_str(body(next));
        }
        text.truncate(text.trim_end_matches(is_space).len());
        if comment {
            text.clear();
        }
        found.push(InterfacesLine {
            number: first,
            raw: file.get(start..end).unwrap_or_default(),
            text,
        });
        start = end;
    }
    found
}

/// Returns a line without its end. What follows a NUL is lost to fgets(3).
fn body(piece: &str) -> &str {
    let piece = piece.strip_suffix('\n').unwrap_or(piece);
    piece.split('\0').next().unwrap_or_default()
}

/// isspace(3) in the C locale.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_as_ifupdown_does() {
        let file = "auto lo \\\n  eth0\n# comment \\\nauto \\\neth1\\\neth2\nx\\ \n\\\n y\n\
                    a\0b\\\nlast\\";
        let lines = interfaces_lines(file);
        let read: Vec<_> = lines.iter().map(|line| (line.number, line.text.as_str())).collect();
        assert_eq!(
            read,
            [
                (1, "auto lo   eth0"),
                (3, ""),
                (4, "auto eth1eth2"),
                (7, "x\\"),
                (8, " y"),
                (10, "a"),
                (11, "last"),
            ]
        );
        assert_eq!(lines.iter().map(|line| line.raw).collect::<String>(), file);
        assert_eq!(lines[4].first(), ("", "y"));
        assert_eq!(lines[2].words().collect::<Vec<_>>(), ["auto", "eth1eth2"]);
    }
}
