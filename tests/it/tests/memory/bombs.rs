//! Inputs that are meant to cost more than they weigh.

/// Every line of the corpus of messages, with what it is.
pub(crate) fn corpus() -> Vec<(String, Vec<u8>)> {
    let text = include_str!("../../../../pure/wire/corpus/messages.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(" # ").expect("each line says why")).map(|(rest, why)| (why.to_owned(), bytes(rest))).collect()
}

/// `SIDE VERDICT PIECES`: bytes in hex, repeated where `*COUNT` follows.
fn bytes(line: &str) -> Vec<u8> {
    let piece = |word: &str| {
        let (hex, count) = word.split_once('*').unwrap_or((word, "1"));
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.trim_matches('-').as_bytes()).expect("hex");
        bytes.repeat(count.parse().expect("a count"))
    };
    line.split(' ').skip(2).flat_map(piece).collect()
}

/// Of each kind the one that just fits into so many bytes.
pub(crate) fn bombs(room: usize) -> Vec<(String, Vec<u8>)> {
    let mut all = json(room);
    all.extend(in_json(room));
    all.extend(protobuf(room));
    all.extend(cbor(room));
    all.extend([
        ("zeros", vec![0; room]),
        ("ones", vec![0xff; room]),
        ("control characters", vec![1; room]),
        ("dots", vec![b'.'; room]),
        ("commas", vec![b','; room]),
        ("base64", vec![b'A'; room]),
        ("a token", token(room)),
    ]);
    all.retain(|(_, bytes)| bytes.len() <= room);
    all.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

fn json(room: usize) -> Vec<(&'static str, Vec<u8>)> {
    let values = [("numbers", "0"), ("texts", "\"\""), ("lists", "[]"), ("objects", "{}"), ("lists in lists", "[[[]]]"), ("nulls", "null")];
    let mut all: Vec<_> = values.map(|(name, value)| (name, listed("[", value, "]", room))).into();
    all.push(("an object of many keys", keys(room)));
    all.push(("one key many times", listed("{", "\"a\":0", "}", room)));
    all.push(("nesting without end", vec![b'['; room]));
    all.push(("nested objects without end", b"{\"a\":".repeat(room / 5)));
    all.push(("one long text", [&b"\""[..], &vec![b'x'; room.saturating_sub(2)], b"\""].concat()));
    all.push(("one text of escapes", [&b"\""[..], &b"\\u0001".repeat(room.saturating_sub(2) / 6), b"\""].concat()));
    all
}

/// Lists within the objects that people send.
fn in_json(room: usize) -> Vec<(&'static str, Vec<u8>)> {
    const FIELDS: [(&str, &str, &str); 19] = [
        ("devices", "devices", "\"\""),
        ("arguments", "arguments", "\"\""),
        ("environment", "environment", r#"{"name":"","value":""}"#),
        ("secrets", "secrets", r#"{"name":"","value":""}"#),
        ("networks", "networks", "\"\""),
        ("tags", "tags", "\"\""),
        ("roles", "roles", "\"\""),
        ("capabilities", "capabilities", "\"\""),
        ("scopes", "scopes", "\"devices.read\""),
        ("events", "events", "\"device.offline\""),
        ("users", "users", "\"\""),
        ("transports", "transports", "\"\""),
        ("parameters", "parameters", r#"{"name":"","secret":false}"#),
        ("trusted", "trusted", r#"{"name":"","ranges":[]}"#),
        ("required", "required", r#"{"role":"","network":""}"#),
        ("allows", "allows", r#"{"method":"GET","path":"/"}"#),
        ("signatures", "signatures", r#"{"kind":"server","key":"","sig":""}"#),
        ("rows of an object", "headers", "\"\""),
        ("names", "names", "\"\""),
    ];
    FIELDS.map(|(name, field, value)| (name, listed(&format!("{{\"{field}\":["), value, "]}", room))).into()
}

/// `OPEN value,value,... CLOSE`
fn listed(open: &str, value: &str, close: &str, room: usize) -> Vec<u8> {
    let count = room.saturating_sub(open.len() + close.len()).saturating_add(1) / (value.len() + 1);
    format!("{open}{}{close}", vec![value; count].join(",")).into_bytes()
}

fn keys(room: usize) -> Vec<u8> {
    let (mut text, mut number) = (String::from("{"), 0u32);
    while text.len() + 16 < room {
        text += &format!("{}\"{number:x}\":0", if number == 0 { "" } else { "," });
        number += 1;
    }
    (text + "}").into_bytes()
}

/// Lists of empty items in every field of an inventory and of an offer, alone and all together.
fn protobuf(room: usize) -> Vec<(&'static str, Vec<u8>)> {
    let empty = |fields: &[u8], count: usize| fields.iter().flat_map(|number| [number << 3 | 2, 0].repeat(count)).collect::<Vec<u8>>();
    let lists = [4, 5, 6, 7, 8, 9, 10, 12];
    let fits = room.saturating_sub(16) / 2;
    // Texts as long as the room: what is copied is dear here, and not how many there are.
    let each = (room.saturating_sub(32) / 2500).clamp(1, 1000);
    let software = vec![field(8, &field(1, &vec![b'x'; each])); room.saturating_sub(64) / (each + 8)].concat();
    let controls = vec![field(9, &field(5, &vec![1; each])); (room.saturating_sub(64) / (each + 8)).min(5_000)].concat();
    let addresses = field(5, &empty(&[3], 64));
    vec![
        ("as many items as all lists may have", field(2, &empty(&lists, (fits / lists.len()).min(5_000)))),
        ("more items than a list may have", field(2, &empty(&[9], fits))),
        ("interfaces with addresses", field(2, &addresses.repeat((room.saturating_sub(16) / addresses.len()).min(5_000)))),
        ("long names", field(2, &software)),
        ("control characters in command lines", field(2, &controls)),
        ("one long chunk", field(5, &field(4, &vec![0; room.saturating_sub(32)]))),
        ("an offer of a long script", field(3, &field(5, &vec![0; room.saturating_sub(32)]))),
        ("an offer of many secrets", field(3, &empty(&[6], fits))),
        ("an offer of many hashes", field(3, &field(2, &empty(&[2], fits)))),
        ("many unknown fields", [0xf8, 0x7f, 0].repeat(room / 3)),
    ]
}

/// One field of bytes, by its number below 16.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut all = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        all.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    all.push(u8::try_from(length).expect("seven bits"));
    all.extend_from_slice(bytes);
    all
}

/// Arrays and maps of authenticators: as wide and as deep as they may be, and wider in what they say of themselves.
fn cbor(room: usize) -> Vec<(&'static str, Vec<u8>)> {
    let wide = |inner: &[u8]| [&[0x98, 64][..], &inner.repeat(64)].concat();
    let mut deep = wide(&[0]);
    while deep.len() * 64 < room {
        deep = wide(&deep);
    }
    let claims = |head: u8| [&[head, 0xff, 0xff, 0xff, 0xff][..], &vec![0; room.saturating_sub(5)]].concat();
    let fill = room.saturating_sub(3) / deep.len().max(1);
    vec![
        ("arrays in arrays", [&[0x98, u8::try_from(fill.clamp(24, 64)).expect("a byte")][..], &deep.repeat(fill.clamp(24, 64))].concat()),
        ("an array that says four billion", claims(0x9a)),
        ("a map that says four billion", claims(0xba)),
        ("bytes that say four billion", claims(0x5a)),
        ("text that says four billion", claims(0x7a)),
    ]
}

/// Three parts of base64, the second of which is a list of numbers.
fn token(room: usize) -> Vec<u8> {
    let part = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let head = part(br#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}"#);
    let claims = part(&listed("[", "0", "]", room.saturating_sub(head.len() + 100) * 3 / 4));
    format!("{head}.{claims}.AAAA").into_bytes()
}
