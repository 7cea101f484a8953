//! Which key, with which modifiers, makes a character on the layout that is in use. Decides only.

use xkeysym::Keysym;

/// A keyboard layout as XKB describes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keymap {
    pub(crate) keys: Vec<Key>,
    pub(crate) types: Vec<KeyType>,
}

/// One key: its symbols by group and level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key {
    pub(crate) code: u8,
    /// Modifiers that it sets while it is held.
    pub(crate) modifiers: u8,
    pub(crate) groups: u8,
    /// The type of each group.
    pub(crate) types: [u8; 4],
    /// Symbols of one group.
    pub(crate) width: u8,
    pub(crate) symbols: Vec<u32>,
}

/// How modifiers choose the level.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyType {
    /// Those that count.
    pub(crate) modifiers: u8,
    /// What each combination chooses; others choose level 0.
    pub(crate) levels: Vec<(u8, u8)>,
}

/// A key to press, and the modifiers that must be set at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stroke {
    pub(crate) code: u8,
    pub(crate) modifiers: u8,
}

pub(crate) const SHIFT: u8 = 1;
const MOD3: u8 = 1 << 5;
const MOD5: u8 = 1 << 7;
/// What may be pressed or released for a moment: it chooses levels and nothing else. Control, Alt, NumLock and CapsLock mean
/// something to programs or stay on.
const TWEAKABLE: [u8; 3] = [SHIFT, MOD3, MOD5];

impl Keymap {
    /// The stroke for a symbol that is nearest to the modifiers that are set now.
    pub(crate) fn find(&self, symbol: u32, group: u8, modifiers: u8) -> Option<Stroke> {
        let strokes = self.keys.iter().filter_map(|key| self.stroke(key, symbol, group, modifiers));
        strokes.min_by_key(|stroke| (stroke.modifiers ^ modifiers).count_ones())
    }

    fn stroke(&self, key: &Key, symbol: u32, group: u8, modifiers: u8) -> Option<Stroke> {
        let group = group.checked_rem(key.groups)?;
        let width = usize::from(key.width);
        let symbols = key.symbols.get(usize::from(group) * width..(usize::from(group) + 1) * width)?;
        if !symbols.iter().any(|other| same(*other, symbol)) {
            return None;
        }
        if is_function(symbol) {
            // Shift and Tab is what people mean, not Tab without Shift.
            return Some(Stroke { code: key.code, modifiers });
        }
        let kind = self.types.get(usize::from(*key.types.get(usize::from(group))?))?;
        let chooses = |wanted: &u8| symbols.get(usize::from(kind.level(*wanted))).is_some_and(|other| same(*other, symbol));
        let wanted = combinations(modifiers).filter(chooses).min_by_key(|wanted| (wanted ^ modifiers).count_ones())?;
        Some(Stroke { code: key.code, modifiers: wanted })
    }

    /// The key that sets a modifier while it is held, best one that sets nothing else.
    pub(crate) fn key_for(&self, modifier: u8) -> Option<u8> {
        self.keys.iter().filter(|key| key.modifiers == modifier && !key.symbols.is_empty()).find(|key| key.holds()).map(|key| key.code)
    }

    /// Modifiers that a key sets.
    pub(crate) fn modifiers_of(&self, code: u8) -> u8 {
        self.keys.iter().find(|key| key.code == code).map_or(0, |key| key.modifiers)
    }

    /// Keys without any symbol, the highest first: they can be lent to symbols that the layout lacks.
    pub(crate) fn spare(&self) -> impl Iterator<Item = u8> {
        let blank = |key: &&Key| key.modifiers == 0 && key.symbols.iter().all(|symbol| *symbol == 0);
        self.keys.iter().rev().filter(blank).map(|key| key.code)
    }
}

impl Key {
    /// Whether its first symbol is one that works while it is held, rather than one that stays on.
    fn holds(&self) -> bool {
        const LEVEL_SHIFTS: [u32; 4] = [0xfe03, 0xfe11, 0xff7e, 0xffe1];
        self.symbols.iter().any(|symbol| LEVEL_SHIFTS.contains(symbol))
    }
}

impl KeyType {
    fn level(&self, modifiers: u8) -> u8 {
        let active = modifiers & self.modifiers;
        self.levels.iter().find(|(mask, _)| *mask == active).map_or(0, |(_, level)| *level)
    }
}

fn combinations(modifiers: u8) -> impl Iterator<Item = u8> {
    let fixed = modifiers & !TWEAKABLE.iter().fold(0, |all, bit| all | bit);
    (0..8u8).map(move |choice| {
        let chosen = TWEAKABLE.iter().enumerate().filter(|(at, _)| choice & (1 << at) != 0);
        chosen.fold(fixed, |all, (_, bit)| all | bit)
    })
}

/// Function, cursor and modifier keys; those of the keypad choose by level like characters.
pub(crate) fn is_function(symbol: u32) -> bool {
    let keypad = 0xff80..=0xffbd;
    (0xfe00..=0xffff).contains(&symbol) && !keypad.contains(&symbol)
}

/// Layouts and clients name one character in several ways.
fn same(one: u32, other: u32) -> bool {
    one == other || (one != 0 && character(one).is_some_and(|a| character(other) == Some(a)))
}

fn character(symbol: u32) -> Option<char> {
    if is_function(symbol) || (0xff80..=0xffbd).contains(&symbol) { None } else { Keysym::new(symbol).key_char() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u32 = 0x61;
    const UPPER_A: u32 = 0x41;
    const Q: u32 = 0x71;
    const AT: u32 = 0x40;
    const LOCK: u8 = 2;
    const LEVEL_THREE: u8 = MOD5;

    /// A piece of the German layout: `@` stands on Q with AltGr, the euro sign on E.
    fn german() -> Keymap {
        let alphabetic = KeyType { modifiers: SHIFT | LOCK, levels: vec![(SHIFT, 1), (LOCK, 1)] };
        let four = KeyType { modifiers: SHIFT | LEVEL_THREE, levels: vec![(SHIFT, 1), (LEVEL_THREE, 2), (SHIFT | LEVEL_THREE, 3)] };
        let key = |code, types, symbols: &[u32]| Key {
            code,
            modifiers: 0,
            groups: 1,
            types: [types; 4],
            width: symbols.len() as u8,
            symbols: symbols.to_vec(),
        };
        let shift = Key { modifiers: SHIFT, ..key(50, 0, &[0xffe1, 0xffe1]) };
        let alt_gr = Key { modifiers: LEVEL_THREE, ..key(108, 0, &[0xfe03]) };
        let keys = vec![
            key(38, 0, &[A, UPPER_A]),
            key(24, 1, &[Q, 0x51, AT, 0x07d9]),
            key(26, 1, &[0x65, 0x45, 0x20ac, 0x20ac]),
            key(23, 1, &[0xff09, 0xfe20, 0, 0]),
            shift,
            alt_gr,
            key(250, 0, &[]),
        ];
        Keymap { keys, types: vec![alphabetic, four] }
    }

    #[test]
    fn the_level_is_chosen_by_the_modifiers_that_are_missing() {
        let map = german();
        assert_eq!(map.find(A, 0, 0), Some(Stroke { code: 38, modifiers: 0 }));
        assert_eq!(map.find(UPPER_A, 0, 0), Some(Stroke { code: 38, modifiers: SHIFT }));
        assert_eq!(map.find(AT, 0, 0), Some(Stroke { code: 24, modifiers: LEVEL_THREE }));
        // An American keyboard holds Shift for it, which the German one must not.
        assert_eq!(map.find(AT, 0, SHIFT), Some(Stroke { code: 24, modifiers: LEVEL_THREE }));
        // Control stays what it is.
        assert_eq!(map.find(UPPER_A, 0, 4), Some(Stroke { code: 38, modifiers: 4 | SHIFT }));
    }

    #[test]
    fn capitals_are_right_while_caps_lock_is_on() {
        let map = german();
        assert_eq!(map.find(UPPER_A, 0, LOCK), Some(Stroke { code: 38, modifiers: LOCK }));
        assert_eq!(map.find(A, 0, LOCK), Some(Stroke { code: 38, modifiers: LOCK | SHIFT }));
    }

    #[test]
    fn one_character_has_several_names() {
        assert_eq!(german().find(0x0100_20ac, 0, 0), Some(Stroke { code: 26, modifiers: LEVEL_THREE }));
        assert_eq!(german().find(0x0100_65e5, 0, 0), None);
    }

    #[test]
    fn function_keys_keep_the_modifiers_that_are_held() {
        assert_eq!(german().find(0xff09, 0, SHIFT), Some(Stroke { code: 23, modifiers: SHIFT }));
        assert_eq!((german().key_for(SHIFT), german().key_for(LEVEL_THREE), german().key_for(4)), (Some(50), Some(108), None));
        assert_eq!(german().spare().collect::<Vec<_>>(), [250]);
    }
}
