//! What a word of `auto` or `allow-…` selects.

use super::Interfaces;
use crate::pattern::fnmatch;

/// `[VARIABLE]/VALUE[/[OPTIONS]][=LOGICAL]`, or a name with `=LOGICAL`.
pub(super) struct Selector<'a> {
    pub variable: &'a str,
    pub pattern: Option<&'a str>,
    numbered: bool,
    name: &'a str,
    pub logical: Option<&'a str>,
}

impl<'a> Selector<'a> {
    pub fn parse(text: &'a str) -> Self {
        let (name, logical) = match text.split_once('=') {
            Some((name, logical)) => (name, Some(logical)),
            None => (text, None),
        };
        let mut selector = Selector { variable: "", pattern: None, numbered: false, name, logical };
        if let Some((variable, rest)) = name.split_once('/').filter(|_| !name.starts_with("/dev/"))
        {
            let (value, options) = rest.split_once('/').unwrap_or((rest, ""));
            selector.variable = variable;
            selector.pattern = Some(value);
            selector.numbered = !options.is_empty();
        }
        selector
    }

    /// Returns the interfaces that are selected and whether that is sure.
    pub fn physical(
        &self,
        all: &'a Interfaces,
        interface: Option<&'a str>,
    ) -> Box<dyn Iterator<Item = (String, bool)> + 'a> {
        let (pattern, sure) = (self.pattern, self.variable.is_empty() && !self.numbered);
        let by_value = !self.variable.is_empty();
        match (pattern, interface) {
            (None, Some(wanted)) => {
                let base = self.name.split(':').next().unwrap_or_default();
                let fits = base == wanted;
                Box::new(fits.then(|| (self.name.to_owned(), true)).into_iter())
            }
            (None, None) => Box::new(std::iter::once((self.name.to_owned(), true))),
            (Some(pattern), Some(wanted)) => {
                let fits = by_value || fnmatch(pattern, wanted);
                Box::new(fits.then(|| (wanted.to_owned(), sure)).into_iter())
            }
            (Some(pattern), None) => {
                // Which interfaces exist is not known: any that has a stanza may.
                let mut names: Vec<String> = match self.logical {
                    Some(logical) => vec![logical.to_owned()],
                    None => all
                        .stanzas
                        .iter()
                        .filter(|stanza| by_value || fnmatch(pattern, &stanza.name))
                        .map(|stanza| stanza.name.clone())
                        .collect(),
                };
                names.dedup();
                Box::new(names.into_iter().map(|name| (name, false)))
            }
        }
    }
}
