//! Owns where connections may go, judged by address: a name proves nothing, as whoever owns it may have it stand for
//! anything. Must not look names up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::url::{GitUrl, Scheme};

/// Where the connections of one fetch may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Egress {
    /// This machine: only where the source's own URL names it, so that neither a redirect nor a name leads here.
    loopback: bool,
}

impl Egress {
    /// Returns what a source at a host may reach. `allowed`: whether sources may be on this machine at all.
    pub(crate) fn of(host: &str, allowed: bool) -> Self {
        let address: Option<IpAddr> = host.parse().ok();
        let here = host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback());
        Self { loopback: allowed && here }
    }

    /// Returns why no connection to an address is made.
    pub(crate) fn objection(self, address: IpAddr) -> Option<&'static str> {
        let address = match address.to_canonical() {
            // Translated addresses reach what they embed.
            IpAddr::V6(address) => embedded(address).map_or(IpAddr::V6(address), IpAddr::V4),
            address => address,
        };
        if address.is_loopback() {
            return (!self.loopback).then_some("an address of this machine itself");
        }
        if address.is_unspecified() {
            return Some("no address of a machine");
        }
        if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Some("an address of many machines");
        }
        if is_metadata(address) {
            return Some("where clouds tell machines their secrets");
        }
        let link_local = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        link_local.then_some("a link-local address")
    }
}

/// Returns whether a Git repository's URL names this machine, by its disk or by its own address.
pub fn is_of_this_machine(url: &str) -> bool {
    GitUrl::parse(url).is_ok_and(|url| url.scheme() == Scheme::File || Egress::of(url.host(), true).loopback)
}

/// Returns the IPv4 address in one of NAT64 (RFC 6052) or 6to4 (RFC 3056), or one of IPv4's own in the old form.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(join(high, low)),
        _ => None,
    }
}

/// Returns whether clouds have their metadata there, beside `169.254.169.254`: AWS over IPv6, Alibaba, Oracle.
fn is_metadata(address: IpAddr) -> bool {
    const OF_V4: [Ipv4Addr; 3] = [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    const OF_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(address) => OF_V4.contains(&address),
        IpAddr::V6(address) => address == OF_V6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nothing_is_fetched_from() {
        let outside = Egress::of("charts.example.com", true);
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::",
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(outside.objection(address.parse().expect(address)).is_some(), "{address}");
        }
        for address in ["10.0.0.1", "192.168.1.1", "203.0.113.9", "2001:db8::1", "64:ff9b::cb00:7109", "fd00::1"] {
            assert_eq!(outside.objection(address.parse().expect(address)), None, "{address}");
        }
    }

    #[test]
    fn this_machine_is_reached_by_its_own_name_alone_and_only_where_that_is_allowed() {
        let here: IpAddr = "127.0.0.1".parse().expect("address");
        for (host, allowed, reached) in [
            ("127.0.0.1", true, true),
            ("localhost", true, true),
            ("::1", true, true),
            ("127.0.0.1", false, false),
            ("a.example", true, false),
        ] {
            assert_eq!(Egress::of(host, allowed).objection(here).is_none(), reached, "{host} {allowed}");
        }
        for (url, here) in
            [("http://127.0.0.1:3000/a", true), ("file:///a", true), ("git@localhost:a", true), ("https://a.example/a", false)]
        {
            assert_eq!(is_of_this_machine(url), here, "{url}");
        }
        assert!(Egress::of("127.0.0.1", true).objection("169.254.169.254".parse().expect("address")).is_some());
    }
}
