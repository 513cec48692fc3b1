//! The data source that cloud-init finds without a network.
//!
//! Sources: cloudinit/sources/DataSourceNoCloud.py, DataSourceNone.py, DataSourceConfigDrive.py;
//! tools/ds-identify.

use super::{
    Layer, Reader,
    merge::Mergers,
    user_data::{self, Raw, Script},
    value::Value,
};
use crate::{Location, SystemError, command_line::CommandLines};

/// What a seed holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// The directories and settings that it was found by.
    pub found: Vec<String>,
    /// Its meta-data.
    pub meta_data: Value,
    /// Its network configuration, and the file.
    pub network_config: Option<(Value, String)>,
    pub(super) user: Option<Data>,
    pub(super) vendor: Option<Data>,
    pub(super) meta_path: String,
}

/// User-data or vendor-data of a seed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Data {
    bytes: Vec<u8>,
    path: String,
    /// Whether the path is that of the data, not of a configuration that it is in.
    is_file: bool,
}

impl Data {
    /// Reads all parts. `excluded` are types that are left out.
    pub(super) fn process(
        &self,
        reader: &mut Reader<'_>,
        is_vendor: bool,
        excluded: &[String],
    ) -> Result<(Option<Layer>, Vec<Script>), SystemError> {
        let raw = Raw { bytes: &self.bytes, path: &self.path, is_vendor, excluded };
        let processed = user_data::process(reader, &raw)?;
        let path = self.path.clone();
        let text = processed.text;
        let layer = processed.config.map(|value| Layer { path, value, text });
        Ok((layer, processed.scripts))
    }

    /// Returns the file, if it is one with something in it.
    pub(super) fn file(&self) -> Option<&str> {
        (self.is_file && !self.bytes.trim_ascii().is_empty()).then_some(self.path.as_str())
    }
}

impl Seed {
    fn new() -> Self {
        Seed {
            found: Vec::new(),
            meta_data: Value::Map(Vec::new()),
            network_config: None,
            user: None,
            vendor: None,
            meta_path: String::new(),
        }
    }

    /// Returns what identifies the instance; cloud-init does what it does once for each.
    pub(super) fn instance_id(&self) -> String {
        let given = self.meta_data.get("instance-id").filter(|id| **id != Value::Null);
        given.and_then(Value::text).unwrap_or_else(|| "nocloud".to_owned())
    }

    /// What was there before wins over the seed's.
    fn merge_meta(&mut self, new: Value) {
        let old = std::mem::replace(&mut self.meta_data, Value::Null);
        self.meta_data = Mergers::system().merge(old, new);
    }
}

/// Finds the seed that NoCloud would use, `config` being the system's configuration.
pub(super) fn find(
    reader: &mut Reader<'_>,
    config: &Value,
    lines: &CommandLines,
) -> Result<Option<Seed>, SystemError> {
    let sources = Sources::read(reader, config, lines)?;
    if let Some((at, name)) = &sources.foreign {
        let why = format!("the data source {name}");
        reader.unreadable.push((at.clone(), why));
    }
    if sources.lists("ConfigDrive") {
        config_drive(reader)?;
    }
    if !sources.lists("NoCloud") {
        return Ok(None);
    }
    let mut seed = Seed::new();
    let mut seed_from = from_command_line(&mut seed, lines);
    for name in ["nocloud", "nocloud-net"] {
        if take(reader, &mut seed, &format!("/var/lib/cloud/seed/{name}/"))? {
            break;
        }
    }
    let own = config.at(&["datasource", "NoCloud"]).cloned().unwrap_or(Value::Null);
    if let Some(from) = own.get("seedfrom").filter(|from| from.is_truthy()).and_then(Value::text) {
        seed_from = Some(from);
    }
    if let (Some(user), Some(meta)) = (own.get("user-data"), own.get("meta-data")) {
        seed.found.push("datasource.NoCloud".to_owned());
        let path = reader.path_of_config.clone();
        let meta = match meta {
            Value::Map(_) => meta.clone(),
            text => reader.document(&path, &text.text().unwrap_or_default()),
        };
        seed.merge_meta(meta);
        let data = |value: &Value| Data::of_value(value, &path);
        seed.user = Some(data(user));
        if let Some(vendor) = own.get("vendor-data") {
            seed.vendor = Some(data(vendor));
        }
        if let Some(network) = own.get("network-config").filter(|value| value.is_truthy()) {
            let network = match network {
                Value::Text(text) => reader.document(&path, text),
                other => other.clone(),
            };
            seed.network_config = Some((network, path));
        }
    }
    // The label of a partition is not at hand: every boot partition with a seed counts, so that
    // none is overlooked.
    if own.get("fs_label") != Some(&Value::Null) {
        for partition in reader.files.boot_partitions() {
            if take(reader, &mut seed, &format!("{}/", partition.prefix))? {
                break;
            }
        }
    }
    if seed.found.is_empty() && seed_from.is_none() {
        return Ok(None);
    }
    if seed_from.is_none() {
        seed_from = seed.meta_data.get("seedfrom").and_then(Value::text);
    }
    if let Some(from) = seed_from {
        let path = from.strip_prefix("file://").unwrap_or(&from).to_owned();
        if !path.starts_with('/') {
            let at = Location::new(&from, 0);
            reader.unreadable.push((at, "a seed that comes from the network".to_owned()));
        } else if take(reader, &mut seed, &format!("{}/", path.trim_end_matches('/')))? {
            seed.found.push(format!("seedfrom {from}"));
        } else {
            // NoCloud fails without one of the files.
            return Ok(None);
        }
    }
    let mode = seed.meta_data.get("dsmode").and_then(Value::text);
    Ok((mode.as_deref() != Some("disabled")).then_some(seed))
}

/// Returns what the data source `None` gives, which is used where there is no other.
pub(super) fn fallback(reader: &Reader<'_>, config: &Value) -> Seed {
    let own = config.at(&["datasource", "None"]).cloned().unwrap_or(Value::Null);
    let path = reader.path_of_config.clone();
    let user = own.get("userdata_raw").map(|value| Data::of_value(value, &path));
    let meta = own.get("metadata").cloned().unwrap_or(Value::Map(Vec::new()));
    Seed { user, meta_data: meta, meta_path: path, ..Seed::new() }
}

impl Data {
    fn of_value(value: &Value, path: &str) -> Self {
        let bytes = match value {
            Value::Bytes(bytes) => bytes.clone(),
            other => other.text().unwrap_or_default().into_bytes(),
        };
        Data { bytes, path: path.to_owned(), is_file: false }
    }
}

/// The data sources that are tried.
struct Sources {
    /// The names; none for all.
    names: Vec<String>,
    /// One that is asked for, and that this model does not know.
    foreign: Option<(Location, String)>,
}

impl Sources {
    /// Reads what names data sources: the command line, ds-identify's settings, the configuration.
    fn read(
        reader: &Reader<'_>,
        config: &Value,
        lines: &CommandLines,
    ) -> Result<Self, SystemError> {
        const SETTINGS: &str = "/etc/cloud/ds-identify.cfg";
        let mut asked = None;
        let settings = reader.text(SETTINGS)?.unwrap_or_default();
        for (index, line) in settings.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            if let Some((key, value)) = line.split_once(':')
                && key.trim() == "datasource"
            {
                let name = value.trim().trim_matches(['"', '\'']).to_owned();
                asked = Some((Location::new(SETTINGS, index + 1), name));
            }
        }
        for line in lines.counting() {
            for argument in &line.arguments {
                if matches!(argument.key.as_str(), "ds" | "ci.ds" | "ci.datasource") {
                    let value = argument.value.as_deref().unwrap_or_default();
                    let name = value.split(';').next().unwrap_or_default().to_owned();
                    asked = Some((Location::new(&line.path, line.line), name));
                }
            }
        }
        let mut names: Vec<String> = match config.get("datasource_list") {
            Some(Value::List(list)) => list.iter().filter_map(Value::text).collect(),
            _ => Vec::new(),
        };
        for name in &mut names {
            *name = name.strip_prefix("DataSource").unwrap_or(name).to_owned();
        }
        let mut foreign = None;
        match asked {
            Some((at, name)) if !name.is_empty() => match name.to_ascii_lowercase().as_str() {
                "nocloud" | "nocloud-net" => names = vec!["NoCloud".to_owned()],
                "none" => names = vec!["None".to_owned()],
                "configdrive" => names = vec!["ConfigDrive".to_owned()],
                // Before 24.1, `ds=` of others had no effect, so that the seed still counts.
                _ => foreign = Some((at, name)),
            },
            _ => {}
        }
        Ok(Sources { names, foreign })
    }

    fn lists(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|one| one.eq_ignore_ascii_case(name))
    }
}

/// Names a config drive, which this model does not read.
fn config_drive(reader: &mut Reader<'_>) -> Result<(), SystemError> {
    let mut places =
        vec!["/config-drive".to_owned(), "/var/lib/cloud/seed/config_drive".to_owned()];
    places.extend(reader.files.boot_partitions().into_iter().map(|one| one.prefix));
    for place in places {
        let path = format!("{place}/openstack");
        if reader.files.list(&path)?.is_some() {
            reader.unread(&path, "a config drive");
        }
    }
    Ok(())
}

/// Takes what `ds=nocloud;…` gives, and returns where it says that the seed is.
fn from_command_line(seed: &mut Seed, lines: &CommandLines) -> Option<String> {
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
    seed_from
}

/// Takes the files of a seed directory, if user-data and meta-data are both there.
fn take(reader: &mut Reader<'_>, seed: &mut Seed, directory: &str) -> Result<bool, SystemError> {
    let path = |name: &str| format!("{directory}{name}");
    let data = |path: String, bytes| Data { bytes, path, is_file: true };
    let Some(user) = reader.files.read(&path("user-data"))? else { return Ok(false) };
    let Some(meta) = reader.text(&path("meta-data"))? else { return Ok(false) };
    if seed.found.iter().any(|found| found == directory) {
        return Ok(true);
    }
    seed.found.push(directory.to_owned());
    let meta_path = path("meta-data");
    let meta = reader.document(&meta_path, &meta);
    if meta.get("local-hostname").is_some() || seed.meta_path.is_empty() {
        seed.meta_path = meta_path;
    }
    seed.merge_meta(meta);
    seed.user = Some(data(path("user-data"), user));
    if let Some(vendor) = reader.files.read(&path("vendor-data"))? {
        seed.vendor = Some(data(path("vendor-data"), vendor));
    }
    let network_path = path("network-config");
    if let Some(text) = reader.text(&network_path)? {
        let value = reader.document(&network_path, &text);
        if value != Value::Null {
            seed.network_config = Some((value, network_path));
        }
    }
    Ok(true)
}
