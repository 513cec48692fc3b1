//! The profile's `cloud_init:` and `user_data:`.

use system_model::CloudValue;

use super::{
    fields::{Fields, Spanned},
    inputs::Inputs,
};
use crate::cluster::{CloudInitChoice, UserData};

/// The largest file of user-data, in bytes. Data sources of clouds allow less.
const LARGEST: u64 = 256 << 10;

pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> CloudInitChoice {
    let problems = fields.problems;
    let choice = fields.scalar("cloud_init");
    let file = fields.scalar("user_data");
    let keep = match &choice {
        None => false,
        Some(Spanned { value, place }) => match value.as_str() {
            "off" => false,
            "keep" => true,
            other => {
                let message = format!("`cloud_init` cannot be {other:?}");
                problems.add(place, message, "write `cloud_init: off` or `cloud_init: keep`");
                false
            }
        },
    };
    if let (false, Some(file)) = (keep, &file) {
        let help = "add `cloud_init: keep`, or remove `user_data`";
        problems.add(&file.place, "`user_data` has no effect while cloud-init is off", help);
        return CloudInitChoice::Off;
    }
    if !keep {
        return CloudInitChoice::Off;
    }
    let user_data = file.and_then(|file| {
        let bytes = inputs.read(&file, LARGEST, problems)?;
        // Messages must not quote the file, which may hold passwords.
        let parsed = String::from_utf8(bytes)
            .map_err(|_| "it is not UTF-8 text".to_owned())
            .and_then(|text| cloud_config(&text).map(|config| (text, config)));
        match parsed {
            Ok((text, config)) => Some(UserData { path: file.value, text, config }),
            Err(reason) => {
                let message = format!("{} cannot be merged: {reason}", file.value);
                let help = "write a mapping of cloud-init's keys below the line `#cloud-config`";
                problems.add(&file.place, message, help);
                None
            }
        }
    });
    CloudInitChoice::Keep { user_data }
}

/// Returns the mapping that a text of user-data holds.
fn cloud_config(text: &str) -> Result<CloudValue, String> {
    let first = text.lines().next().unwrap_or_default().trim_end();
    if first != "#cloud-config" {
        return Err("its first line is not `#cloud-config`".to_owned());
    }
    match CloudValue::parse(text) {
        Ok(CloudValue::Null) => Ok(CloudValue::Map(Vec::new())),
        Ok(value @ CloudValue::Map(_)) => Ok(value),
        Ok(_) => Err("it is not a mapping".to_owned()),
        Err(reason) => Err(format!("it cannot be read as YAML ({reason})")),
    }
}
