use super::*;

/// Proxies of the table: one IPv4 network, one IPv6 network, one single address.
fn proxies(method: Method) -> Proxies {
    let trusted = ["10.0.0.0/8", "2001:db8:ff::/48", "192.0.2.10"].map(|text| text.parse().unwrap()).to_vec();
    Proxies { trusted, method }
}

fn client(proxies: &Proxies, peer: &str, headers: &[&str]) -> String {
    let headers: Vec<&[u8]> = headers.iter().map(|value| value.as_bytes()).collect();
    proxies.client(peer.parse().unwrap(), &headers).to_string()
}

const A: &str = "203.0.113.7";
const P: &str = "10.0.0.1";

/// Peer, headers, client: `X-Forwarded-For`.
const X_FORWARDED_FOR: &[(&str, &[&str], &str)] = &[
    // A peer that is not listed is the client, whatever it says.
    (A, &[], A),
    (A, &["198.51.100.1"], A),
    (A, &["10.0.0.1"], A),
    (A, &["127.0.0.1, 10.0.0.2"], A),
    ("192.0.2.11", &["198.51.100.1"], "192.0.2.11"),
    ("2001:db8:fe::1", &["198.51.100.1"], "2001:db8:fe::1"),
    ("11.0.0.1", &["198.51.100.1"], "11.0.0.1"),
    ("127.0.0.1", &["198.51.100.1"], "127.0.0.1"),
    // A listed peer says whom it passes on.
    (P, &[], P),
    (P, &[A], A),
    ("192.0.2.10", &[A], A),
    ("2001:db8:ff::9", &[A], A),
    ("::ffff:10.0.0.1", &[A], A),
    ("::ffff:203.0.113.7", &["198.51.100.1"], A),
    // From the right, over listed hops, to the first that is not.
    (P, &["203.0.113.7, 10.0.0.2"], A),
    (P, &["203.0.113.7, 10.0.0.3, 10.0.0.2"], A),
    (P, &["198.51.100.1, 203.0.113.7"], A),
    (P, &["198.51.100.1, 203.0.113.7, 10.0.0.2"], A),
    (P, &["127.0.0.1, 203.0.113.7"], A),
    (P, &["10.0.0.9, 203.0.113.7"], A),
    (P, &["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
    (P, &["10.0.0.9, 203.0.113.7, 192.0.2.10, 2001:db8:ff::1"], A),
    // Several headers are one list.
    (P, &["198.51.100.1", "203.0.113.7"], A),
    (P, &["198.51.100.1, 203.0.113.7", "10.0.0.2"], A),
    (P, &["203.0.113.7", "10.0.0.3", "10.0.0.2"], A),
    (P, &["", "203.0.113.7"], A),
    // Ports, brackets, zones, white space, IPv6.
    (P, &["203.0.113.7:4711"], A),
    (P, &["  203.0.113.7  "], A),
    (P, &["203.0.113.7,10.0.0.2"], A),
    (P, &["\t203.0.113.7 ,\t10.0.0.2"], A),
    (P, &["2001:db8::7"], "2001:db8::7"),
    (P, &["[2001:db8::7]"], "2001:db8::7"),
    (P, &["[2001:db8::7]:443"], "2001:db8::7"),
    (P, &["2001:DB8::7"], "2001:db8::7"),
    (P, &["fe80::1%eth0"], "fe80::1"),
    (P, &["[fe80::1%eth0]"], "fe80::1"),
    (P, &["::ffff:203.0.113.7"], A),
    (P, &["203.0.113.7, ::ffff:10.0.0.2"], A),
    (P, &["[::ffff:203.0.113.7]:80"], A),
    // What cannot be read ends the walk at the proxy that passed it on.
    (P, &["unknown"], P),
    (P, &["_hidden"], P),
    (P, &[""], P),
    (P, &[","], P),
    (P, &["203.0.113.7,"], P),
    (P, &["203.0.113.7, unknown"], P),
    (P, &["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
    (P, &["203.0.113.7, , 10.0.0.2"], "10.0.0.2"),
    (P, &["for=203.0.113.7"], P),
    (P, &["203.0.113.256"], P),
    (P, &["203.0.113"], P),
    (P, &["0x7f000001"], P),
    (P, &["203.0.113.07"], P),
    (P, &["203.0.113.7:99999"], P),
    (P, &["[2001:db8::7"], P),
    (P, &["2001:db8::7]"], P),
    (P, &["fe80::1%"], P),
    (P, &["fe80::1%a b"], P),
    (P, &["203.0.113.7%eth0"], P),
    (P, &["\"203.0.113.7\""], P),
    (P, &["203.0.113.7 10.0.0.2"], P),
    (P, &["localhost"], P),
    (P, &["203.0.113.7\u{a0}"], A),
];

/// The same for `Forwarded`.
const FORWARDED: &[(&str, &[&str], &str)] = &[
    (A, &["for=198.51.100.1"], A),
    (P, &[], P),
    (P, &["for=203.0.113.7"], A),
    (P, &["For=203.0.113.7"], A),
    (P, &["for=203.0.113.7;proto=https;by=10.0.0.1"], A),
    (P, &["proto=https; for=203.0.113.7"], A),
    (P, &["for=\"203.0.113.7:4711\""], A),
    (P, &["for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
    (P, &["for=198.51.100.1, for=203.0.113.7, for=10.0.0.2"], A),
    (P, &["for=198.51.100.1", "for=203.0.113.7"], A),
    (P, &["for=\"198.51.100.1, for=192.0.2.9\", for=203.0.113.7"], A),
    (P, &["for=unknown"], P),
    (P, &["for=_secret"], P),
    (P, &["proto=https"], P),
    (P, &["203.0.113.7"], P),
    (P, &["for=203.0.113.7;for=198.51.100.1"], P),
    (P, &["for=203.0.113.7, for=\"198.51.100.1"], P),
    (P, &["for=203.0.113.7, proto=https"], P),
    (P, &["for=203.0.113.7, for=unknown, for=10.0.0.2"], "10.0.0.2"),
];

#[test]
fn net_01_net_02_a19_the_table_holds() {
    assert!(X_FORWARDED_FOR.len() >= 60);
    for (method, table) in [(Method::XForwardedFor, X_FORWARDED_FOR), (Method::Forwarded, FORWARDED)] {
        for (peer, headers, wanted) in table {
            assert_eq!(client(&proxies(method), peer, headers), *wanted, "{method:?} from {peer}: {headers:?}");
        }
    }
}

#[test]
fn a19_without_listed_proxies_nobody_is_believed() {
    let none = Proxies { trusted: Vec::new(), method: Method::XForwardedFor };
    for (peer, headers, _) in X_FORWARDED_FOR {
        let peer_itself = peer.parse::<IpAddr>().unwrap().to_canonical().to_string();
        assert_eq!(client(&none, peer, headers), peer_itself, "{headers:?}");
    }
}

/// A small generator: the same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn entry(&mut self) -> String {
        let kinds = ["10.0.0.5", "127.0.0.1", "unknown", "", "::1", "2001:db8:ff::2", "\"", "for=1.2.3.4", "192.0.2.10", "[::", "%"];
        match self.below(kinds.len() + 1) {
            at if at < kinds.len() => kinds[at].to_owned(),
            _ => format!("198.51.{}.{}", self.below(256), self.below(256)),
        }
    }
}

#[test]
fn a19_what_a_client_writes_on_the_left_never_changes_the_result() {
    let (proxies, mut numbers) = (proxies(Method::XForwardedFor), Numbers(7));
    for _ in 0..5_000 {
        let trusted = ["10.0.0.2", "2001:db8:ff::2", "192.0.2.10"];
        let ours: Vec<String> = (0..numbers.below(4)).map(|_| trusted[numbers.below(3)].to_owned()).collect();
        let chain = [vec![A.to_owned()], ours].concat().join(", ");
        let left: Vec<String> = (0..numbers.below(100)).map(|_| numbers.entry()).collect();
        let with_left = format!("{}, {chain}", left.join(","));
        assert_eq!(client(&proxies, P, &[&chain]), A);
        assert_eq!(client(&proxies, P, &[&with_left]), A, "{with_left}");
        assert_eq!(client(&proxies, P, &[&left.join(","), &chain]), A, "in a header of its own: {with_left}");
    }
}

#[test]
fn net_02_a_chain_of_a_hundred_listed_hops_is_not_walked_to_its_end() {
    let chain = [vec![A.to_owned()], vec!["10.0.0.2".to_owned(); 100]].concat().join(", ");
    assert_eq!(client(&proxies(Method::XForwardedFor), P, &[&chain]), "10.0.0.2");
}

#[test]
fn net_03_with_the_proxy_protocol_headers_say_nothing() {
    assert_eq!(client(&proxies(Method::ProxyV2), P, &[A]), P);
}
