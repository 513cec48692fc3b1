//! `nodecard devices`.

use std::process::ExitCode;

use nodecard::{Context, Device, DeviceKind, DeviceReport, HostSystem, devices};
use plain_text::{decimal_size, printable};
use serde_json::{Value, json};

use crate::{args::DevicesArgs, error::CommandError, hints, report};

pub fn run(args: &DevicesArgs) -> Result<ExitCode, CommandError> {
    let mut context = Context::default();
    if let Some(machine) = &args.machine {
        context.system = HostSystem::at(machine);
    }
    let devices = devices(&args.limits.limits(), &context)?;
    if args.json.json {
        let devices: Vec<Value> = devices.iter().map(to_json).collect();
        report::print_json(&json!({ "devices": devices }))?;
    } else {
        report::print_text(&to_text(&devices))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn to_text(devices: &[DeviceReport]) -> String {
    let (cards, others): (Vec<&DeviceReport>, Vec<_>) =
        devices.iter().partition(|device| device.is_candidate());
    let mut text = String::new();
    if cards.is_empty() {
        text += "No cards found: insert one into a reader, and run this again\n";
    } else {
        text += "Cards:\n";
    }
    for card in cards {
        text += &format!("  {}\n", line(&card.device));
    }
    if !others.is_empty() {
        text += "Rejected:\n";
    }
    for other in others {
        text += &format!("  {}\n", line(&other.device));
        for refusal in &other.refusals {
            text += &format!("      {refusal}\n");
            if let Some(fix) =
                hints::join(refusal.fix(), hints::for_refusal(&other.device.path(), refusal))
            {
                text += &format!("        fix: {fix}\n");
            }
        }
    }
    text
}

/// Returns a device's path, size, kind, model and serial number.
fn line(device: &Device) -> String {
    let path = device.path().display().to_string();
    let name = match (&device.backing_file, &device.model) {
        (Some(file), _) => file.display().to_string(),
        (None, Some(model)) => model.clone(),
        (None, None) => String::new(),
    };
    let serial = match &device.serial {
        Some(serial) => format!("serial {}", printable(serial)),
        None => String::new(),
    };
    let size = decimal_size(device.size);
    let (kind, name) = (kind(device.kind), printable(&name));
    format!("{path:14} {size:>10}  {kind:12} {name} {serial}").trim_end().to_owned()
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

fn to_json(report: &DeviceReport) -> Value {
    let DeviceReport { device, refusals, .. } = report;
    let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    json!({
        "device": device.path(),
        "kind": kind(device.kind),
        "size": device.size,
        "model": device.model,
        "serial": device.serial,
        "candidate": report.is_candidate(),
        "refusals": refusals,
    })
}
