//! Which addresses may be asked. URLs in certificates are other people's: whoever signs an artifact chooses
//! them, and must not choose what a verifier's own network hears.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AddressRules {
    /// Public ones, private ones and this machine: an enterprise's CA lives there. Never link-local ones, where
    /// clouds keep the credentials of machines.
    #[default]
    Private,
    /// Public ones only, for servers that verify what strangers send.
    PublicOnly,
    /// These hosts, by name or address, and no other.
    Hosts(Vec<String>),
}

/// Why an address is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A link-local address.
    #[error("{host} is at {address}, a link-local address, where clouds keep credentials")]
    LinkLocal {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// An address that stands for no single machine.
    #[error("{host} is at {address}, which is no address of one machine")]
    NotOneMachine {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// A private address, where only public ones may be asked.
    #[error("{host} is at {address}, which is not public")]
    NotPublic {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// A host that is not on the list.
    #[error("{host} is none of the hosts that may be asked")]
    NotListed {
        /// The host.
        host: String,
    },
}

impl AddressRules {
    /// Whether a host may be asked, whatever its address.
    ///
    /// # Errors
    /// [`AddressError::NotListed`].
    pub fn check_host(&self, host: &str) -> Result<(), AddressError> {
        match self {
            Self::Hosts(hosts) if !hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) => {
                Err(AddressError::NotListed { host: host.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Whether a host may be asked at that address.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), AddressError> {
        // An IPv4 address within an IPv6 one leads to the former.
        let address = embedded(address).unwrap_or_else(|| address.to_canonical());
        let told = || (host.to_owned(), address);
        if is_link_local(address) || locally_embedded(address).any(is_link_local) {
            let (host, address) = told();
            return Err(AddressError::LinkLocal { host, address });
        }
        if address.is_unspecified() || address.is_multicast() || is_broadcast(address) {
            let (host, address) = told();
            return Err(AddressError::NotOneMachine { host, address });
        }
        if *self == Self::PublicOnly && !is_public(address) {
            let (host, address) = told();
            return Err(AddressError::NotPublic { host, address });
        }
        Ok(())
    }
}

/// The IPv4 address that a translator makes of an IPv6 one (RFC 6052, section 2.1; RFC 3056, section 2).
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let octets = address.octets();
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            let [.., a, b, c, d] = octets;
            Some(IpAddr::from([a, b, c, d]))
        }
        [0x2002, ..] => {
            let [_, _, a, b, c, d, ..] = octets;
            Some(IpAddr::from([a, b, c, d]))
        }
        _ => None,
    }
}

/// The IPv4 addresses that a translator of this network may make of an IPv6 one: only its operator knows at which length
/// its prefix ends (RFC 8215; RFC 6052, section 2.2).
fn locally_embedded(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let octets = match address {
        IpAddr::V6(address) if address.segments().starts_with(&[0x64, 0xff9b, 1]) => {
            Some(address.octets())
        }
        _ => None,
    };
    octets.into_iter().flat_map(|octets| {
        let [_, _, _, _, _, _, a, b, _, c, d, e, f, g, h, i] = octets;
        [[a, b, c, d], [b, c, d, e], [c, d, e, f], [f, g, h, i]].map(IpAddr::from)
    })
}

/// With the addresses at which clouds serve credentials over IPv6, which are unique local ones.
fn is_link_local(address: IpAddr) -> bool {
    const AWS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    const AWS_PODS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
    const GOOGLE: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || [ALIBABA, AZURE].contains(&v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || [AWS, AWS_PODS, GOOGLE].contains(&v6),
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// Neither private nor reserved (RFC 6890; RFC 6598; RFC 4193; RFC 3849).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmarks = a == 198 && (18..20).contains(&b);
            let protocols = (a, b, c) == (192, 0, 0);
            let reserved = a == 0 || a >= 240;
            !(v4.is_private() || v4.is_loopback() || v4.is_documentation())
                && !(shared || benchmarks || protocols || reserved)
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            let documentation = (a, b) == (0x2001, 0xdb8);
            // Those that carry an IPv4 address are judged by nobody but their translator.
            let translated = (a, b) == (0x64, 0xff9b) || a == 0x2002 || (a, b) == (0x2001, 0);
            !(v6.is_loopback() || v6.is_unique_local() || documentation || translated)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(rules: &AddressRules, address: &str) -> bool {
        rules.check("ca.example", address.parse().unwrap()).is_ok()
    }

    #[test]
    fn link_local_and_metadata_addresses_are_never_asked() {
        let never = [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ];
        for address in never {
            assert!(!is_allowed(&AddressRules::Private, address), "{address}");
            assert!(!is_allowed(&AddressRules::PublicOnly, address), "{address}");
            let listed = AddressRules::Hosts(vec!["ca.example".to_owned()]);
            assert!(!is_allowed(&listed, address), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_asked_unless_only_public_ones_may_be() {
        let private = [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "0.1.2.3",
            "240.0.0.1",
            "fc00::1",
            "2001:db8::1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:a00:1::",
            "::ffff:10.0.0.1",
        ];
        for address in private {
            assert!(is_allowed(&AddressRules::Private, address), "{address}");
            assert!(!is_allowed(&AddressRules::PublicOnly, address), "{address}");
        }
        for address in ["93.184.216.34", "100.128.0.1", "2606:2800:220:1::1"] {
            assert!(is_allowed(&AddressRules::PublicOnly, address), "{address}");
        }
    }

    #[test]
    fn a_list_of_hosts_is_the_whole_of_them() {
        let listed = AddressRules::Hosts(vec!["ca.example".to_owned()]);
        assert!(listed.check_host("CA.example").is_ok());
        assert!(listed.check_host("other.example").is_err());
        assert!(AddressRules::Private.check_host("other.example").is_ok());
    }
}
