//! A static address becomes a question to DHCP, in the file that sets it.
//!
//! nodecard's own files stay, with DHCP in them: a card made from the image is rendered for the
//! same program then, and only one program asks for an address.

use super::Strip;
use crate::{
    NetworkBackEnd, Purpose, SystemError,
    render::{
        network::{self, StaticFile},
        text::lines,
    },
};

pub(super) fn to_dhcp(to: &mut Strip<'_>) -> Result<(), SystemError> {
    let interface = to.owner.map(|(cluster, _)| cluster.network.interface.as_str());
    let view = to.view(interface.unwrap_or_default());
    for StaticFile { end, path, text } in network::static_files(&view)? {
        let new = match end {
            NetworkBackEnd::Ifupdown => network::interfaces_to_dhcp(&text, interface),
            NetworkBackEnd::Netplan => {
                let dropped = ["addresses:", "routes:", "nameservers:", "search:"];
                replace(&text, &dropped, "dhcp4: false", "dhcp4: true")
            }
            NetworkBackEnd::Networkd => {
                let dropped = ["Address=", "Gateway=", "DNS=", "Domains="];
                replace(&text, &dropped, "DHCP=no", "DHCP=yes")
            }
            NetworkBackEnd::NetworkManager => {
                // Without one, NetworkManager derives a uuid from the file's name.
                let dropped = ["address1=", "dns=", "dns-search=", "uuid="];
                replace(&text, &dropped, "method=manual", "method=auto")
            }
        };
        to.rewrite(Purpose::Address(end), &path, &text, &new);
    }
    Ok(())
}

/// Returns a file that nodecard wrote without the lines of its address, and with DHCP.
fn replace(text: &str, dropped: &[&str], fixed: &str, dhcp: &str) -> String {
    if !text.contains(fixed) {
        return text.to_owned();
    }
    let kept =
        |line: &&str| !dropped.iter().any(|start| line.trim_ascii_start().starts_with(start));
    let lines = lines(text).into_iter().filter(kept);
    lines.map(|line| line.replace(fixed, dhcp)).collect()
}
