//! The network of this computer, from which a profile's is proposed.

use std::{fs, net::Ipv4Addr};

/// This computer's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalNetwork {
    /// The default gateway.
    pub gateway: Ipv4Addr,
    /// The length of the network prefix in bits.
    pub prefix: u8,
    /// Name servers that other computers can ask too.
    pub dns: Vec<Ipv4Addr>,
}

impl LocalNetwork {
    /// Detects it from the kernel's routes and the resolver's configuration. `None` if there
    /// is no default route.
    pub fn detect() -> Option<Self> {
        let routes = fs::read_to_string("/proc/net/route").ok()?;
        // systemd-resolved's own file has the real servers; resolv.conf has its stub.
        let servers: String = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect();
        Self::of(&routes, &servers)
    }

    /// Reads /proc/net/route (proc(5): addresses are hexadecimal, in the byte order of the
    /// host) and lines of resolv.conf(5).
    fn of(routes: &str, servers: &str) -> Option<Self> {
        let routes: Vec<Route> = routes.lines().skip(1).filter_map(Route::read).collect();
        let defaults = routes
            .iter()
            .filter(|route| route.destination.is_unspecified() && route.mask.is_unspecified());
        let default = defaults.min_by_key(|route| route.metric)?;
        let gateway = default.gateway;
        let is_own = |route: &&Route| {
            route.interface == default.interface
                && route.gateway.is_unspecified()
                && !route.mask.is_unspecified()
                && gateway.to_bits() & route.mask.to_bits() == route.destination.to_bits()
        };
        let own = routes.iter().filter(is_own).max_by_key(|route| route.mask.to_bits())?;
        let prefix = u8::try_from(own.mask.to_bits().leading_ones()).ok()?;
        let mut dns: Vec<Ipv4Addr> = Vec::new();
        for line in servers.lines() {
            let mut words = line.split_ascii_whitespace();
            if words.next() == Some("nameserver")
                && let Some(Ok(server)) = words.next().map(str::parse::<Ipv4Addr>)
                && !server.is_loopback()
                && !dns.contains(&server)
            {
                dns.push(server);
            }
        }
        if dns.is_empty() {
            dns.push(gateway);
        }
        (1..=30).contains(&prefix).then_some(LocalNetwork { gateway, prefix, dns })
    }

    /// Returns the address in the network with this number of a host, if it has one.
    pub fn host(&self, number: u32) -> Option<Ipv4Addr> {
        let hosts = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        let address = Ipv4Addr::from_bits(self.gateway.to_bits() & !hosts | number & hosts);
        (number > 0 && number < hosts && address != self.gateway).then_some(address)
    }
}

struct Route {
    interface: String,
    destination: Ipv4Addr,
    gateway: Ipv4Addr,
    mask: Ipv4Addr,
    metric: u32,
}

impl Route {
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = |at: usize| {
            let bits = u32::from_str_radix(fields.get(at)?, 16).ok()?;
            Some(Ipv4Addr::from(bits.to_ne_bytes()))
        };
        Some(Route {
            interface: (*fields.first()?).to_owned(),
            destination: address(1)?,
            gateway: address(2)?,
            mask: address(7)?,
            metric: fields.get(6)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a laptop with Wi-Fi and a cable, in the byte order of this computer.
    fn routes() -> String {
        let hex = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let line = |interface, destination, gateway, metric, mask| {
            let (destination, gateway, mask) = (hex(destination), hex(gateway), hex(mask));
            format!(
                "{interface}\t{destination}\t{gateway}\t0003\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"
            )
        };
        let none = [0; 4];
        "Iface\tDestination\tGateway\n".to_owned()
            + &line("wlan0", none, [10, 0, 0, 1], 600, none)
            + &line("eth0", none, [192, 168, 1, 1], 100, none)
            + &line("wlan0", [10, 0, 0, 0], none, 600, [255, 0, 0, 0])
            + &line("eth0", [192, 168, 1, 0], none, 100, [255, 255, 255, 0])
            + &line("docker0", [172, 17, 0, 0], none, 0, [255, 255, 0, 0])
    }

    #[test]
    fn the_default_route_with_the_lowest_metric_decides() {
        let servers = "# x\nnameserver 127.0.0.53\nnameserver 192.168.1.1\nnameserver 9.9.9.9\n";
        let network = LocalNetwork::of(&routes(), servers).unwrap();
        let dns = vec![Ipv4Addr::new(192, 168, 1, 1), Ipv4Addr::new(9, 9, 9, 9)];
        assert_eq!(
            network,
            LocalNetwork { gateway: Ipv4Addr::new(192, 168, 1, 1), prefix: 24, dns }
        );
        assert_eq!(network.host(80), Some(Ipv4Addr::new(192, 168, 1, 80)));
        assert_eq!((network.host(1), network.host(255), network.host(0)), (None, None, None));
        let without = LocalNetwork::of(&routes(), "nameserver 127.0.0.53\n").unwrap();
        assert_eq!(without.dns, [Ipv4Addr::new(192, 168, 1, 1)]);
        assert_eq!(LocalNetwork::of("", ""), None);
        assert_eq!(LocalNetwork::of("Iface\nx\ty\n", "nameserver\n"), None);
    }
}
