//! The distinct colours of a rectangle, where they are few.

/// Most colours that both encodings can index.
pub(crate) const COLOURS: usize = 256;
const PLACES: usize = 1024;

/// Colours in the order in which they appeared.
pub(crate) struct Palette {
    colours: Vec<u32>,
    places: Box<[u16; PLACES]>,
}

impl Default for Palette {
    fn default() -> Self {
        Self { colours: Vec::with_capacity(COLOURS), places: Box::new([u16::MAX; PLACES]) }
    }
}

impl Palette {
    /// Gathers the colours of `pixels` and their indices; `None` where they are more than `most`.
    pub(crate) fn index(&mut self, pixels: &[u32], most: usize, indices: &mut Vec<u8>) -> Option<&[u32]> {
        self.colours.clear();
        self.places.fill(u16::MAX);
        indices.clear();
        indices.reserve(pixels.len());
        let mut last = (u32::MAX, 0);
        for pixel in pixels {
            if *pixel != last.0 {
                last = (*pixel, self.find(*pixel, most.min(COLOURS))?);
            }
            indices.push(last.1);
        }
        Some(&self.colours)
    }

    fn find(&mut self, colour: u32, most: usize) -> Option<u8> {
        let mut at = (colour.wrapping_mul(0x9E37_79B1) >> 22) as usize;
        loop {
            let index = usize::from(self.places[at]);
            match self.colours.get(index) {
                Some(known) if *known == colour => return Some(index as u8),
                Some(_) => at = (at + 1) % PLACES,
                None if self.colours.len() == most => return None,
                None => {
                    self.places[at] = self.colours.len() as u16;
                    self.colours.push(colour);
                    return Some((self.colours.len() - 1) as u8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_lead_back_to_the_pixels() {
        let pixels: Vec<u32> = (0..4096u32).map(|at| ((at * at) % 251 * 0x0001_0203) & 0x00ff_ffff).collect();
        let (mut palette, mut indices) = (Palette::default(), Vec::new());
        let colours = palette.index(&pixels, COLOURS, &mut indices).expect("few colours").to_vec();
        let back: Vec<u32> = indices.iter().map(|index| colours[usize::from(*index)]).collect();
        assert_eq!(back, pixels);
        assert!(palette.index(&pixels, 4, &mut indices).is_none());
        let many: Vec<u32> = (0..257).collect();
        assert!(palette.index(&many, 1000, &mut indices).is_none());
    }
}
