//! The tar format as POSIX has it (pax interchange format): headers only, the bytes of files go between them.

/// Everything comes in blocks of so many bytes.
pub(super) const BLOCK: usize = 512;
/// The largest numbers of the eleven and seven octal digits of a header.
const LONG_NUMBER: u64 = 0o77_777_777_777;
const SHORT_NUMBER: u32 = 0o7_777_777;
/// Longest name of a header; longer ones stand in a record before it.
const NAME_BYTES: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// So many bytes follow, filled up to whole blocks.
    File(u64),
    Folder,
    Link(&'a [u8]),
}

/// What a header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) path: &'a [u8],
    pub(super) kind: Kind<'a>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) modified_secs: u64,
}

/// The blocks that come before a member's bytes.
pub(super) fn header(member: &Member<'_>) -> Vec<u8> {
    let (size, target) = match member.kind {
        Kind::File(size) => (size, [].as_slice()),
        Kind::Folder => (0, [].as_slice()),
        Kind::Link(target) => (0, target),
    };
    let mut records = Vec::new();
    if member.path.len() > NAME_BYTES {
        record(&mut records, "path", member.path);
    }
    if target.len() > NAME_BYTES {
        record(&mut records, "linkpath", target);
    }
    for (name, number, largest) in
        [("size", size, LONG_NUMBER), ("uid", member.uid.into(), SHORT_NUMBER.into()), ("gid", member.gid.into(), SHORT_NUMBER.into())]
    {
        if number > largest {
            record(&mut records, name, number.to_string().as_bytes());
        }
    }
    let mut blocks = Vec::new();
    if !records.is_empty() {
        let about = Member { path: b"pax", kind: Kind::File(records.len() as u64), mode: 0o644, ..*member };
        blocks.extend(block(&about, b'x', records.len() as u64, &[]));
        blocks.extend(&records);
        blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    }
    let kind = match member.kind {
        Kind::File(_) => b'0',
        Kind::Folder => b'5',
        Kind::Link(_) => b'2',
    };
    blocks.extend(block(member, kind, size, target));
    blocks
}

/// The end of the archive.
pub(super) fn end() -> [u8; 2 * BLOCK] {
    [0; 2 * BLOCK]
}

/// `length name=value\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, name: &str, value: &[u8]) {
    let rest = name.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend(format!("{length} {name}=").as_bytes());
    records.extend(value);
    records.push(b'\n');
}

fn block(member: &Member<'_>, kind: u8, size: u64, target: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    text(&mut block[..100], member.path);
    octal(&mut block[100..108], u64::from(member.mode & 0o7777));
    octal(&mut block[108..116], member.uid.min(SHORT_NUMBER).into());
    octal(&mut block[116..124], member.gid.min(SHORT_NUMBER).into());
    octal(&mut block[124..136], size.min(LONG_NUMBER));
    octal(&mut block[136..148], member.modified_secs.min(LONG_NUMBER));
    block[148..156].fill(b' ');
    block[156] = kind;
    text(&mut block[157..257], target);
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut block[148..155], sum);
    block
}

fn text(field: &mut [u8], value: &[u8]) {
    let length = field.len().min(value.len());
    field[..length].copy_from_slice(&value[..length]);
}

/// Digits that fill the field but for a zero byte.
fn octal(field: &mut [u8], number: u64) {
    let digits = field.len() - 1;
    let written = format!("{number:0digits$o}");
    text(&mut field[..digits], written.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_their_own_length() {
        for length in [0, 1, 80, 88, 89, 90, 986, 987, 988, 4000] {
            let mut records = Vec::new();
            record(&mut records, "path", &vec![b'x'; length]);
            let said = records.split(|byte| *byte == b' ').next().expect("length");
            assert_eq!(std::str::from_utf8(said).expect("digits").parse::<usize>().expect("number"), records.len());
        }
    }

    #[test]
    fn large_numbers_and_long_names_stand_in_records() {
        let member = Member { path: &[b'n'; 101], kind: Kind::File(1 << 40), mode: 0o600, uid: 3_000_000, gid: 0, modified_secs: 5 };
        let blocks = header(&member);
        let text = String::from_utf8_lossy(&blocks);
        assert!(text.contains(" size=1099511627776\n") && text.contains(" uid=3000000\n") && text.contains(" path=nnn"));
        assert!(!text.contains(" gid="));
        assert_eq!(blocks.len() % BLOCK, 0);
    }
}
