//! `nodecard devices`.

use std::io::{Write as _, stdout};

use card_flash::device::{Device, DeviceKind, HostSystem, Refusal, TargetLimits};
use serde_json::{Value, json};

use crate::{args::DevicesArgs, failure::Failure, setup::gigabytes};

pub fn run(args: &DevicesArgs) -> Result<(), Failure> {
    let limits = TargetLimits::from(&args.limits);
    let devices = HostSystem::this().devices()?;
    let judged: Vec<(Device, Vec<Refusal>)> = devices
        .into_iter()
        // Loop devices that nothing is attached to, and the like.
        .filter(|device| device.size > 0 || matches!(device.kind, DeviceKind::Usb | DeviceKind::Sd))
        .map(|device| {
            let refusals = device.refusals(&limits);
            (device, refusals)
        })
        .collect();
    let mut out = stdout().lock();
    if args.json {
        let report: Vec<Value> = judged.iter().map(|(device, why)| json_of(device, why)).collect();
        writeln!(out, "{:#}", json!({ "devices": report }))?;
        return Ok(());
    }
    let (cards, others): (Vec<_>, Vec<_>) = judged.iter().partition(|(_, why)| why.is_empty());
    match cards.is_empty() {
        true => writeln!(out, "no cards found")?,
        false => writeln!(out, "cards:")?,
    }
    for (device, _) in &cards {
        writeln!(out, "  {}", line(device))?;
    }
    if !others.is_empty() {
        writeln!(out, "not taken for cards:")?;
    }
    for (device, why) in &others {
        writeln!(out, "  {}", line(device))?;
        for refusal in why {
            writeln!(out, "      {refusal}")?;
        }
    }
    Ok(())
}

fn line(device: &Device) -> String {
    let path = device.path().display().to_string();
    let what = match (&device.backing_file, &device.model) {
        (Some(file), _) => file.display().to_string(),
        (None, Some(model)) => model.clone(),
        (None, None) => String::new(),
    };
    let serial = device.serial.as_ref().map(|serial| format!("serial {serial}"));
    let size = gigabytes(device.size);
    let line = format!(
        "{path:14} {size:>10}  {:12} {what} {}",
        kind(device.kind),
        serial.unwrap_or_default()
    );
    line.trim_end().to_owned()
}

fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Usb => "USB",
        DeviceKind::Sd => "SD slot",
        DeviceKind::Emmc | DeviceKind::EmmcBoot => "eMMC",
        DeviceKind::Loop => "loop device",
        DeviceKind::Ram => "memory",
        DeviceKind::Mapped => "mapped",
        DeviceKind::Optical => "CD drive",
        DeviceKind::Network => "network",
        _ => "disk",
    }
}

fn json_of(device: &Device, refusals: &[Refusal]) -> Value {
    let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    json!({
        "device": device.path(),
        "kind": kind(device.kind),
        "size": device.size,
        "model": device.model,
        "serial": device.serial,
        "candidate": refusals.is_empty(),
        "refusals": refusals,
    })
}
