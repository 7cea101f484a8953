use super::*;

fn read(text: &str) -> Result<BackgroundRequest, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn requests_are_read_exactly() {
    let signal = read(r#"{"t":"signal","id":3,"pid":77,"started":123456,"signal":"kill","tree":"tree"}"#).expect("signal");
    let wanted = BackgroundRequest::Signal { id: 3, pid: 77, started: 123_456, signal: ProcessSignal::Kill, tree: Extent::Tree };
    assert_eq!(signal, wanted);
    let logs = read(r#"{"t":"logs","id":4,"unit":null,"priority":3,"since":null,"grep":"fail.*","follow":"yes"}"#).expect("logs");
    assert!(matches!(logs, BackgroundRequest::Logs { id: 4, unit: None, priority: Some(3), follow: YesNo::Yes, .. }));
}

#[test]
fn what_is_not_exactly_a_request_is_refused() {
    for text in [
        "",
        "[]",
        r#"{"t":"processes"}"#,
        r#"{"t":"processes","id":-1}"#,
        r#"{"t":"processes","id":1,"more":1}"#,
        r#"{"t":"processes","id":1,"id":2}"#,
        r#"{"t":"reboot","id":1}"#,
        r#"{"t":"signal","id":1,"pid":1.5,"started":1,"signal":"kill","tree":"one"}"#,
        r#"{"t":"signal","id":1,"pid":1,"started":1,"signal":"hup","tree":"one"}"#,
        r#"{"t":"signal","id":1,"pid":1,"started":1,"signal":"kill","tree":true}"#,
        r#"{"t":"service_do","id":1,"name":"--version","what":"start"}"#,
        r#"{"t":"service_do","id":1,"name":"ssh.service","what":"mask"}"#,
        r#"{"t":"logs","id":1,"unit":null,"priority":null,"since":"yesterday","grep":null,"follow":"no"}"#,
        r#"{"t":"logs","id":1,"unit":null,"priority":null,"since":null,"grep":"","follow":"no"}"#,
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn a_unit_name_is_neither_a_pattern_nor_an_option() {
    for good in ["ssh.service", "getty@tty1.service", "dev-disk-by\\x2duuid.swap", "a.b.service"] {
        assert!(UnitName::parse(good).is_some(), "{good}");
    }
    for bad in
        ["*.service", "ssh", "", ".service", "--now.service", "-.mount", "a b.service", "a/b.service", "é.service", "a.service\n", "x.exe"]
    {
        assert_eq!(UnitName::parse(bad), None, "{bad:?}");
    }
    assert_eq!(UnitName::parse(&format!("{}.service", "a".repeat(255))), None);
}

#[test]
fn answers_are_written_as_documented() {
    let part = BackgroundAnswer::Part(Part { id: 1, items: Items::Packages(Vec::new()) });
    assert_eq!(serde_json::to_string(&part).expect("json"), r#"{"t":"part","id":1,"packages":[]}"#);
    let done = BackgroundAnswer::Ok(Done { id: 2, ..Done::default() });
    assert_eq!(serde_json::to_string(&done).expect("json"), r#"{"t":"ok","id":2}"#);
    assert_eq!(serde_json::from_str::<BackgroundAnswer>(r#"{"t":"part","id":1,"packages":[]}"#).expect("read"), part);
}
