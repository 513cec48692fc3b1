//! What a word of `auto`, `allow-…` or `rename` selects.

use crate::pattern::{fnmatch_extended, is_pattern};

/// `[VARIABLE]/VALUE[/[OPTIONS]][=LOGICAL]`, or a name with `=LOGICAL`.
pub(super) struct Selector<'a> {
    pub variable: &'a str,
    pub pattern: Option<&'a str>,
    /// Which of the interfaces that match; 0 for all.
    number: u32,
    pub name: &'a str,
    pub logical: Option<&'a str>,
}

impl<'a> Selector<'a> {
    pub fn parse(text: &'a str) -> Self {
        let (name, logical) = match text.split_once('=') {
            Some((name, logical)) => (name, Some(logical)),
            None => (text, None),
        };
        let mut selector = Selector { variable: "", pattern: None, number: 0, name, logical };
        if let Some((variable, rest)) = name.split_once('/') {
            let (value, options) = rest.split_once('/').unwrap_or((rest, ""));
            selector.variable = variable;
            selector.pattern = Some(value);
            // As atoi(3) reads it.
            let digits = options.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            selector.number = digits.split_at(end).0.parse().unwrap_or(0);
        }
        selector
    }

    /// Returns whether an interface, or an alias of it, is surely selected; `None` if it is not.
    pub fn selects(&self, interface: &str) -> Option<bool> {
        let Some(pattern) = self.pattern else {
            return (self.name.split(':').next() == Some(interface)).then_some(true);
        };
        // A hardware address or another property decides.
        if !self.variable.is_empty() {
            return Some(false);
        }
        let fits = fnmatch_extended(pattern, interface);
        match self.number {
            0 => fits.then_some(true),
            // Without wildcards there is only one.
            1 if !is_pattern(pattern) && !pattern.contains('(') => fits.then_some(true),
            _ if !is_pattern(pattern) && !pattern.contains('(') => None,
            _ => fits.then_some(false),
        }
    }
}

/// Returns whether a word of `auto` or `rename` that begins with a slash, such as `/eth*` or
/// `/@(eth0|eth1)=home`, means an interface of this name.
pub fn selects_by_pattern(word: &str, interface: &str) -> bool {
    let selector = Selector::parse(word);
    let is_pattern = selector.pattern.is_some() && selector.variable.is_empty();
    is_pattern && selector.selects(interface).is_some()
}
