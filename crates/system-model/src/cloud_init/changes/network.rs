//! The network, and the sizes of partitions and filesystems.

use super::{Finder, Module, Value};
use crate::{Effect, Location, SystemError};

impl Finder<'_> {
    /// stages.py `_find_networking_config`: the command line and the initramfs, then the system's
    /// configuration, then the data source; else DHCP on the first interface.
    pub(super) fn network(&mut self) -> Result<(), SystemError> {
        if self.files.exists("/var/lib/cloud/data/upgraded-network")? {
            return Ok(());
        }
        let model = self.model;
        if !model.state.configures_network(&model.system) {
            return Ok(());
        }
        let kernel = model.kernel_network.as_ref();
        let kernel = kernel.map(|(at, value)| (value, at.clone()));
        let system = model.system.get("network").map(|one| (one, model.location("network")));
        let seed = model.seed.as_ref().and_then(|seed| seed.network_config.as_ref());
        let seed = seed.map(|(value, path)| (value, Location::new(path, 1)));
        for (value, at) in kernel.into_iter().chain(system).chain(seed) {
            let value = value.get("network").unwrap_or(value);
            if matches!(value.get("config"), Some(Value::Text(text)) if text == "disabled") {
                return Ok(());
            }
            if value.is_truthy() {
                self.add(Effect::Address, "network", at, "writes this configuration");
                return Ok(());
            }
        }
        if let Some(seed) = &model.seed
            && seed.meta_data.get("network-interfaces").is_some()
        {
            let at = Location::new(&seed.meta_path, 0);
            self.add(Effect::Address, "network", at, "writes network-interfaces");
            return Ok(());
        }
        if !self.falls_back() {
            return Ok(());
        }
        let at = Location::new("/etc/cloud/cloud.cfg", 0);
        self.add(Effect::Address, "network", at, "configures DHCP, as no configuration is given");
        Ok(())
    }

    /// Returns whether cloud-init sets up DHCP where nothing configures the network. Two classes
    /// of distributions have a setting against it (distros/photon.py, raspberry_pi_os.py), which
    /// they read from `system_info` alone; the others do it whatever the configuration says.
    fn falls_back(&self) -> bool {
        let info = |key: &str| self.model.system.at(&["system_info", key]);
        let distro = info("distro").and_then(Value::text).unwrap_or_default().replace('_', "-");
        match distro.as_str() {
            "photon" | "raspberry-pi-os" => {
                info("disable_fallback_netcfg").is_some_and(|value| !value.is_truthy())
            }
            _ => true,
        }
    }

    pub(super) fn sizes(&mut self, run: &Module) -> Result<(), SystemError> {
        let module = run.name.as_str();
        match module {
            "growpart" => {
                let growpart = match self.get("growpart") {
                    Some(map @ Value::Map(_)) => map.clone(),
                    Some(_) => return Ok(()),
                    None => Value::Null,
                };
                // Of other modes cloud-init says that it does not know them.
                let mode = growpart.get("mode").map_or(Some("auto".to_owned()), Value::text);
                let known =
                    mode.is_some_and(|mode| ["auto", "growpart", "gpart"].contains(&&*mode));
                let none = match growpart.get("devices") {
                    Some(Value::List(list)) => list.is_empty(),
                    other => other == Some(&Value::Null),
                };
                let heeds = growpart.get("ignore_growroot_disabled").is_none_or(Value::is_false);
                if !known || none || (heeds && self.files.exists("/etc/growroot-disabled")?) {
                    return Ok(());
                }
                let text = "grows the root partition to the end of the device";
                self.by_key(Effect::Sizes, module, "growpart", text);
            }
            "resizefs" => {
                let wanted = run.arguments.first().or(self.get("resize_rootfs"));
                let noblock = |value: &Value| {
                    value.text().is_some_and(|text| text.trim().eq_ignore_ascii_case("noblock"))
                };
                if !wanted.is_none_or(|value| value.is_true() || noblock(value)) {
                    return Ok(());
                }
                let text = "grows the root filesystem to its partition";
                self.by_key(Effect::Sizes, module, "resize_rootfs", text);
            }
            _ => {
                for key in ["disk_setup", "fs_setup"] {
                    if self.get(key).is_some_and(Value::is_truthy) {
                        let text = "partitions disks or makes filesystems";
                        self.by_key(Effect::Sizes, module, key, text);
                    }
                }
            }
        }
        Ok(())
    }
}
