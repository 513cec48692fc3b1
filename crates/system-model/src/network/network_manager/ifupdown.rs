//! The plug-in by which NetworkManager leaves ifupdown's interfaces alone, or takes them over. It
//! reads less of /etc/network/interfaces than ifupdown, and goes on where ifupdown stops.
//!
//! Source: NetworkManager's src/core/settings/plugins/ifupdown/nms-ifupdown-interface-parser.c,
//! nms-ifupdown-plugin.c (`load_eni_ifaces`) and nms-ifupdown-parser.c.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use super::{Connection, NetworkManager, settings};
use crate::{
    FileLine, SystemError, SystemFiles,
    network::{interfaces::INTERFACES, source::AddressKind},
    pattern,
};

/// Longer lines are skipped, and no configuration has more files or lines.
const MAX_LINE: usize = 254;
const MAX_LINES: usize = 100_000;
const MAX_DEPTH: usize = 8;
const LINES_OF_A_SEARCH: usize = 100;

/// A line that begins something, with the lines that belong to it.
#[derive(Debug)]
struct Block {
    /// `iface`, `auto`, `mapping` …
    kind: String,
    name: String,
    at: FileLine,
    options: Vec<(String, String, FileLine)>,
}

impl Block {
    fn option(&self, name: &str) -> Option<(&str, &FileLine)> {
        let found = self.options.iter().find(|(key, ..)| key == name);
        found.map(|(_, value, at)| (value.as_str(), at))
    }
}

impl NetworkManager {
    /// Reads ifupdown's interfaces.
    pub(super) fn read_interfaces(&mut self, files: &dyn SystemFiles) -> Result<(), SystemError> {
        let mut reader = Reader { files, blocks: Vec::new(), lines: 0 };
        reader.file(INTERFACES, 0)?;
        let blocks = reader.blocks;
        let managed = self.settings.section("ifupdown").and_then(|one| one.get("managed"));
        let managed = managed.and_then(|one| settings::boolean(&one.value)).unwrap_or(false);
        if !managed {
            for (name, at) in names(&blocks) {
                let value = format!("interface-name:={name}");
                self.unmanaged.push(settings::Setting { value, at });
            }
            return Ok(());
        }
        let of_kind = |kinds: &'static [&str]| {
            blocks.iter().filter(|block| kinds.contains(&block.kind.as_str()))
        };
        let auto: BTreeSet<&str> =
            of_kind(&["auto", "allow-hotplug"]).map(|block| block.name.as_str()).collect();
        // The last of a name counts.
        let stanzas: BTreeMap<&str, &Block> =
            of_kind(&["iface"]).map(|block| (block.name.as_str(), block)).collect();
        for (name, stanza) in stanzas {
            if name == "lo" || name.starts_with("br") {
                continue;
            }
            if let Some(mut connection) = connection(stanza) {
                connection.autoconnect = auto.contains(name);
                self.connections.push(connection);
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    files: &'a dyn SystemFiles,
    blocks: Vec<Block>,
    lines: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: usize) -> Result<(), SystemError> {
        let Some(text) = self.files.read_text(path)? else { return Ok(()) };
        let mut open = false;
        let mut joined = String::new();
        for (index, line) in text.lines().enumerate() {
            self.lines += 1;
            if self.lines > MAX_LINES || depth > MAX_DEPTH {
                return Ok(());
            }
            if let Some(head) = line.strip_suffix('\\') {
                joined.push_str(head);
                continue;
            }
            joined.push_str(line);
            let line = std::mem::take(&mut joined);
            if line.len() <= MAX_LINE {
                self.line(&line, FileLine::new(path, index + 1), &mut open, depth)?;
            }
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: &str,
        at: FileLine,
        open: &mut bool,
        depth: usize,
    ) -> Result<(), SystemError> {
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let Some((&first, rest)) = words.split_first() else { return Ok(()) };
        if first.starts_with('#') {
            return Ok(());
        }
        if rest.is_empty() {
            *open = false;
            return Ok(());
        }
        let block = |kind: &str, name: String| Block {
            kind: kind.to_owned(),
            name,
            at: at.clone(),
            options: Vec::new(),
        };
        match first {
            "iface" => {
                let [name, family, method @ ..] = rest else { return Ok(()) };
                if method.is_empty() {
                    return Ok(());
                }
                let mut new = block(first, (*name).to_owned());
                new.options.push(((*family).to_owned(), method.join(" "), at.clone()));
                self.blocks.push(new);
            }
            "auto" | "allow-auto" => {
                self.blocks.extend(rest.iter().map(|name| block("auto", (*name).to_owned())));
            }
            "mapping" => self.blocks.push(block(first, rest.join(" "))),
            _ if first.starts_with("allow-") => {
                self.blocks.extend(rest.iter().map(|name| block(first, (*name).to_owned())));
            }
            "source" | "source-directory" => {
                *open = true;
                for path in rest {
                    self.source(path, &at.path, first == "source-directory", depth)?;
                }
                return Ok(());
            }
            _ => {
                if let Some(last) = self.blocks.last_mut().filter(|_| *open) {
                    last.options.push((first.replace('_', "-"), rest.join(" "), at));
                }
                return Ok(());
            }
        }
        *open = true;
        Ok(())
    }

    fn source(
        &mut self,
        path: &str,
        from: &str,
        is_directory: bool,
        depth: usize,
    ) -> Result<(), SystemError> {
        let above = from.rsplit_once('/').map_or("", |(above, _)| above);
        let whole = if path.starts_with('/') { path.to_owned() } else { format!("{above}/{path}") };
        // What is looked for counts too: thousands of lines may include large directories.
        self.lines += LINES_OF_A_SEARCH;
        for found in pattern::glob(self.files, &whole)? {
            if !is_directory {
                self.file(&found, depth + 1)?;
                continue;
            }
            for name in self.files.list(&found)?.unwrap_or_default() {
                self.file(&format!("{found}/{name}"), depth + 1)?;
            }
        }
        Ok(())
    }
}

/// Returns the interfaces that are left alone.
fn names(blocks: &[Block]) -> Vec<(String, FileLine)> {
    let mut found = Vec::new();
    for block in blocks {
        match block.kind.as_str() {
            // A bridge itself is not left alone, but what it joins.
            "iface" if block.name.starts_with("br") => {
                let Some((ports, at)) = block.option("bridge-ports") else { continue };
                found.extend(bridged(ports).into_iter().map(|name| (name.to_owned(), at.clone())));
            }
            "iface" | "mapping" if block.name != "lo" => {
                found.push((block.name.clone(), block.at.clone()));
            }
            _ => {}
        }
    }
    found
}

/// Returns the names in a list of ports; patterns are left out.
fn bridged(ports: &str) -> Vec<&str> {
    let mut patterns = 0;
    let mut found = Vec::new();
    for word in ports.split(' ') {
        match word {
            "regex" => patterns += 1,
            "noregex" => patterns -= 1,
            "all" | "none" => {}
            name if patterns == 0 => found.push(name),
            _ => {}
        }
    }
    found
}

/// Returns what a stanza is taken over as.
fn connection(stanza: &Block) -> Option<Connection> {
    let is_wireless = stanza
        .options
        .iter()
        .any(|(name, ..)| name.starts_with("wireless-") || name.starts_with("wpa-"));
    let sources = if stanza.option("inet6").is_some() {
        Vec::new()
    } else if stanza.option("inet").is_some_and(|(method, _)| method == "static") {
        let (address, at) = stanza.option("address")?;
        let address: Ipv4Addr = address.parse().ok()?;
        let prefix = match stanza.option("netmask").map(|(mask, _)| mask) {
            None => 32,
            Some(short) if short.len() < 7 => short.parse().ok()?,
            Some(mask) => u32::from(mask.parse::<Ipv4Addr>().ok()?).leading_ones(),
        };
        vec![(AddressKind::Static(format!("{address}/{prefix}")), at.clone())]
    } else {
        vec![(AddressKind::Dhcp4, stanza.at.clone())]
    };
    Some(Connection {
        path: stanza.at.path.clone(),
        id: format!("Ifupdown ({})", stanza.name),
        uuid: None,
        kind: if is_wireless { "wifi" } else { "ethernet" }.to_owned(),
        interface: Some(stanza.name.clone()),
        patterns: Vec::new(),
        autoconnect: true,
        priority: 0,
        conditional: false,
        sources,
    })
}
