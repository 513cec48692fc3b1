//! Where cloud-init's NoCloud data source finds user-data (sources/DataSourceNoCloud.py).

use super::{Reader, merge::Mergers, value::Value};
use crate::{Location, SystemError, SystemFiles, command_line::CommandLines};

/// A part of user-data or vendor-data that runs as a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Where its text begins.
    pub location: Location,
    /// Its text.
    pub text: String,
}

/// What a seed holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// The directories and settings that it was found by.
    pub found: Vec<String>,
    /// Its meta-data.
    pub meta_data: Value,
    /// Its network configuration, and the file.
    pub network_config: Option<(Value, String)>,
    pub(super) user: Option<(Value, String)>,
    pub(super) vendor: Option<(Value, String)>,
    pub(super) scripts: Vec<Script>,
    pub(super) meta_path: String,
}

/// Finds the seed that NoCloud would use, `config` being the system's configuration.
pub(super) fn find(
    reader: &mut Reader<'_>,
    config: &Value,
    lines: &CommandLines,
) -> Result<Option<Seed>, SystemError> {
    // cloud-init tries every data source where there is no list.
    if let Some(list) = config.get("datasource_list") {
        let named = list.list().iter().filter_map(Value::text);
        if !named.into_iter().any(|name| name == "NoCloud") && !list.list().is_empty() {
            return Ok(None);
        }
    }
    let mut seed = Seed {
        found: Vec::new(),
        meta_data: Value::Map(Vec::new()),
        network_config: None,
        user: None,
        vendor: None,
        scripts: Vec::new(),
        meta_path: String::new(),
    };
    let mut seed_from = None;
    for argument in lines.arguments().filter(|argument| argument.key == "ds") {
        let value = argument.value.as_deref().unwrap_or_default();
        let mut parts = value.split(';');
        if !matches!(parts.next(), Some("nocloud" | "nocloud-net")) {
            continue;
        }
        seed.found.push(argument.text.clone());
        let mut meta = Vec::new();
        for part in parts.filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let key = match key {
                "h" => "local-hostname",
                "i" => "instance-id",
                "s" => "seedfrom",
                other => other,
            };
            if key == "seedfrom" {
                seed_from = Some(value.to_owned());
            }
            meta.push((Value::from(key), Value::from(value)));
        }
        seed.meta_path = lines.find("ds").map_or_else(String::new, |(line, _)| line.path.clone());
        seed.meta_data = Value::Map(meta);
    }
    for name in ["nocloud", "nocloud-net"] {
        let directory = format!("/var/lib/cloud/seed/{name}/");
        if take(reader, &mut seed, &directory, true)? {
            break;
        }
    }
    let own = config.at(&["datasource", "NoCloud"]).cloned().unwrap_or(Value::Null);
    if let Some(from) = own.get("seedfrom").and_then(Value::text) {
        seed_from = Some(from);
    }
    if let (Some(user), Some(meta)) = (own.get("user-data"), own.get("meta-data")) {
        seed.found.push("datasource.NoCloud".to_owned());
        merge_meta(&mut seed, meta.clone());
        let (text, path) = (user.text().unwrap_or_default(), "/etc/cloud/cloud.cfg".to_owned());
        seed.user = None;
        user_data(reader, &mut seed, &text, &path, false);
    }
    // The label of a partition is not at hand: every boot partition with a seed counts, so that
    // none is overlooked.
    let has_label = own.get("fs_label") != Some(&Value::Null);
    for partition in reader.files.boot_partitions() {
        let directory = format!("{}/", partition.prefix);
        if has_label && take(reader, &mut seed, &directory, false)? {
            break;
        }
    }
    if seed_from.is_none() {
        seed_from = seed.meta_data.get("seedfrom").and_then(Value::text);
    }
    if let Some(from) = seed_from {
        let path = from.strip_prefix("file://").unwrap_or(&from).to_owned();
        if path.starts_with('/') {
            let directory = format!("{}/", path.trim_end_matches('/'));
            if take(reader, &mut seed, &directory, false)? {
                seed.found.push(format!("seedfrom {from}"));
            }
        } else {
            let at = Location::new(&from, 0);
            reader.unreadable.push((at, "a seed that comes from the network".to_owned()));
        }
    }
    let mode = seed.meta_data.get("dsmode").and_then(Value::text);
    let claims = mode.as_deref() != Some("disabled");
    Ok((claims && !seed.found.is_empty()).then_some(seed))
}

/// Takes the files of a seed directory. `whole` asks for user-data and meta-data both.
fn take(
    reader: &mut Reader<'_>,
    seed: &mut Seed,
    directory: &str,
    whole: bool,
) -> Result<bool, SystemError> {
    let user_path = format!("{directory}user-data");
    let meta_path = format!("{directory}meta-data");
    let user = reader.text(&user_path)?;
    let meta = reader.text(&meta_path)?;
    if (whole && (user.is_none() || meta.is_none())) || (user.is_none() && meta.is_none()) {
        return Ok(false);
    }
    if seed.found.iter().any(|found| found == directory) {
        return Ok(true);
    }
    seed.found.push(directory.to_owned());
    if let Some(text) = meta {
        let meta = reader.document(&meta_path, &text);
        if meta.get("local-hostname").is_some() || seed.meta_path.is_empty() {
            seed.meta_path = meta_path;
        }
        merge_meta(seed, meta);
    }
    seed.scripts.clear();
    if let Some(text) = user {
        seed.user = None;
        user_data(reader, seed, &text, &user_path, false);
    }
    let vendor_path = format!("{directory}vendor-data");
    if let Some(text) = reader.text(&vendor_path)? {
        user_data(reader, seed, &text, &vendor_path, true);
    }
    let network_path = format!("{directory}network-config");
    if let Some(text) = reader.text(&network_path)? {
        let value = reader.document(&network_path, &text);
        if value != Value::Null {
            seed.network_config = Some((value, network_path));
        }
    }
    Ok(true)
}

/// What the command line says of meta-data wins over the seed's.
fn merge_meta(seed: &mut Seed, new: Value) {
    let old = std::mem::replace(&mut seed.meta_data, Value::Null);
    seed.meta_data = Mergers::system().merge(old, new);
}

/// Sorts user-data or vendor-data by how it begins (handlers.type_from_starts_with).
fn user_data(reader: &mut Reader<'_>, seed: &mut Seed, text: &str, path: &str, vendor: bool) {
    let begins = text.trim_start().to_ascii_lowercase();
    let at = Location::new(path, 1);
    let starts = |prefix: &str| begins.starts_with(prefix);
    let why = if starts("#cloud-config-archive") {
        "a cloud-config-archive"
    } else if starts("#cloud-config-jsonp") {
        "a JSON patch"
    } else if starts("#include") {
        "a list of URLs"
    } else if starts("#part-handler") {
        "a part handler"
    } else if starts("## template: jinja") || starts("## template:jinja") {
        "a jinja template"
    } else if starts("content-type:") || has_mime_header(text) {
        "a MIME message of several parts"
    } else if text.starts_with('\u{1f}') {
        "compressed"
    } else if starts("#!") || starts("#cloud-boothook") {
        seed.scripts.push(Script { location: at, text: text.to_owned() });
        return;
    } else if starts("#cloud-config") {
        let mut value = reader.document(path, text);
        // One part: merged into nothing.
        let mergers = Mergers::take(&mut value).unwrap_or_else(Mergers::user_data);
        if let Value::Map(_) = value {
            let value = mergers.merge(Value::Map(Vec::new()), value);
            let place = if vendor { &mut seed.vendor } else { &mut seed.user };
            *place = Some((value, path.to_owned()));
        }
        return;
    } else {
        // cloud-init warns of other text and ignores it.
        return;
    };
    reader.unreadable.push((at, why.to_owned()));
}

/// Returns whether cloud-init takes a text for a MIME message (user_data.py `convert_string`).
fn has_mime_header(text: &str) -> bool {
    const HEADER: &[u8] = b"mime-version:";
    let begin = text.as_bytes().get(..4096).unwrap_or(text.as_bytes());
    begin.windows(HEADER.len()).any(|window| window.eq_ignore_ascii_case(HEADER))
}

/// Returns a text file, if it is there.
impl Reader<'_> {
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, SystemError> {
        let files: &dyn SystemFiles = self.files;
        files.read_text(path)
    }
}
