use std::collections::BTreeSet;

use sallyport_decide::client_address::Method;
use sallyport_decide::outbound::PlainHttp;

use super::*;

fn wrong(raw: Raw) -> String {
    raw.check().unwrap_err().to_string()
}

#[test]
fn defaults_are_good_and_on_loopback() {
    let config = Raw::default().check().unwrap();
    assert!(config.listen.ip().is_loopback());
    assert_eq!(config.origin(), "http://localhost:8800");
}

#[test]
fn errors_name_the_key_and_the_fix() {
    assert!(wrong(Raw { listen: Some("0.0.0.0:80".into()), ..Raw::default() }).contains("Set tls_certificate"));
    assert!(wrong(Raw { listen: Some("here".into()), ..Raw::default() }).starts_with("listen: "));
    assert!(wrong(Raw { tls_key: Some("k".into()), ..Raw::default() }).starts_with("tls_certificate: missing"));
    assert!(wrong(Raw { public_url: Some("http://rmm.example.test".into()), ..Raw::default() }).contains("plain HTTP"));
    assert!(wrong(Raw { public_url: Some("https://a/b".into()), ..Raw::default() }).starts_with("public_url"));
    assert!(toml::from_str::<Raw>("lisen = \"x\"").is_err(), "unknown keys are refused");
}

#[test]
fn net_03_proxies_are_listed_and_say_it_in_one_way() {
    let raw = |trusted: &[&str], header: Option<&str>, protocol: Option<&str>| Raw {
        trusted_proxies: Some(trusted.iter().map(|text| (*text).to_owned()).collect()),
        forwarded_header: header.map(str::to_owned),
        proxy_protocol: protocol.map(str::to_owned),
        ..Raw::default()
    };
    assert_eq!(raw(&["192.0.2.1"], None, None).check().unwrap().proxies.method, Method::XForwardedFor);
    assert_eq!(raw(&["192.0.2.1"], Some("forwarded"), None).check().unwrap().proxies.method, Method::Forwarded);
    assert_eq!(raw(&["2001:db8::/64"], None, Some("v2")).check().unwrap().proxies.method, Method::ProxyV2);
    assert!(wrong(raw(&["192.0.2.1"], Some("forwarded"), Some("v2"))).starts_with("proxy_protocol"));
    assert!(wrong(raw(&[], None, Some("v2"))).starts_with("trusted_proxies"));
    assert!(wrong(raw(&["proxy.example"], None, None)).starts_with("trusted_proxies"));
    assert!(wrong(raw(&["192.0.2.1"], Some("x-real-ip"), None)).starts_with("forwarded_header"));
    assert!(wrong(raw(&["192.0.2.1"], None, Some("v1"))).starts_with("proxy_protocol"));
}

#[test]
fn networks_behind_the_server_are_reached_where_they_are_listed() {
    let raw = |listed: &[&str], http: Option<&str>| Raw {
        outbound_networks: Some(listed.iter().map(|text| (*text).to_owned()).collect()),
        outbound_http: http.map(str::to_owned),
        ..Raw::default()
    };
    assert_eq!(Raw::default().check().unwrap().outbound, Networks::default());
    assert_eq!(raw(&["10.0.0.0/8"], None).check().unwrap().outbound.plain_http, PlainHttp::Refused);
    assert_eq!(raw(&["10.0.0.0/8"], Some("listed")).check().unwrap().outbound.plain_http, PlainHttp::Listed);
    assert!(wrong(raw(&[], Some("listed"))).starts_with("outbound_networks"));
    assert!(wrong(raw(&["psa.example"], None)).starts_with("outbound_networks"));
    assert!(wrong(raw(&["10.0.0.0/8"], Some("yes"))).starts_with("outbound_http"));
}

#[test]
fn mail_goes_by_tls_or_stays_on_this_machine() {
    let raw = |smtp: &str| Raw {
        mail: Some(RawMail { smtp: Some(smtp.into()), from: Some("Sallyport <rmm@example.test>".into()) }),
        ..Raw::default()
    };
    for good in ["smtps://u:p@mail.example.test", "smtp://mail.example.test:587?tls=required", "smtp://127.0.0.1:2525", "smtp://localhost"]
    {
        assert!(raw(good).check().is_ok(), "{good}");
    }
    for bad in ["smtp://mail.example.test", "smtp://u:localhost@mail.example.test", "mail.example.test", "smtp://"] {
        assert!(wrong(raw(bad)).starts_with("mail.smtp"), "{bad}");
    }
    assert!(toml::from_str::<Raw>("[mail]\nsmtp = \"smtps://m.test\"\nfrom = \"a@m.test\"").unwrap().check().is_ok());
    assert!(!format!("{:?}", raw("smtps://u:secret@m.test").check().unwrap()).contains("secret"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let raw = Raw { listen: Some("127.0.0.1:1".into()), ..Raw::default() };
    let raw = raw.with_environment(|key| (key == "SALLYPORT_LISTEN").then(|| "127.0.0.1:2".to_owned()));
    assert_eq!(raw.check().unwrap().listen.port(), 2);
}

/// The keys that the guide has a row for.
fn in_the_guide() -> BTreeSet<String> {
    let guide = include_str!("../../../../docs/guide/configuration.md");
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    rows.flat_map(|row| row.split(", ").map(|key| key.trim_matches('`').to_owned())).collect()
}

#[test]
fn every_key_of_the_guide_is_one_of_the_environment_and_of_the_file_and_there_are_no_others() {
    let asked = std::cell::RefCell::new(BTreeSet::new());
    let everything = Raw::default().with_environment(|key| {
        asked.borrow_mut().insert(key.strip_prefix("SALLYPORT_").expect("our prefix").to_lowercase());
        Some("from-the-environment".to_owned())
    });
    let shown = format!("{everything:?}");
    assert!(!shown.contains("None"), "the environment sets every one: {shown}");
    let keys = in_the_guide();
    assert!(keys.len() > 20, "{keys:?}");
    assert_eq!(asked.into_inner(), keys.iter().map(|key| key.replace('.', "_")).collect());
    let listed = ["trusted_proxies", "outbound_networks"];
    for key in keys {
        let value = if listed.contains(&key.as_str()) { "[\"x\"]" } else { "\"x\"" };
        let read: Raw = toml::from_str(&format!("{key} = {value}")).unwrap_or_else(|error| panic!("{key}: {error}"));
        let over = format!("{:?}", read.with_environment(|_| Some("from-the-environment".to_owned())));
        assert_eq!(over, shown, "{key} of the file gives way");
    }
}
