//! Claims about the encodings: what is packed is unpacked to the same pixels by a reader that shares no code with the writer.

use proptest::prelude::*;

use super::*;
use crate::remote::screen::picture::frame::COLOUR;
use crate::remote::screen::testing::client::{ClientPicture, decode_rects};

/// Pictures of every sort: few colours, many, runs, noise.
fn frame(size: (u16, u16), sort: u8, seed: u32) -> Frame {
    let mut frame = Frame::black(size);
    let whole = frame.whole();
    let mut state = seed | 1;
    for y in 0..size.1 {
        for (x, pixel) in frame.row_mut(whole, y).iter_mut().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = COLOUR
                & match sort {
                    0 => seed,
                    1 => {
                        if state >> 31 == 0 {
                            0x00ff_ffff
                        } else {
                            seed
                        }
                    }
                    2 => (state >> 29) * 0x0010_2030,
                    3 => (state >> 25) * 0x0001_0203,
                    4 => (x as u32 / 20) * 0x0003_0507 + u32::from(y) * 0x0101,
                    _ => state,
                };
        }
    }
    frame
}

fn shown(coding: Coding, frame: &Frame, rects: &[Rect], fidelity: Fidelity, quality: Option<u8>) -> ClientPicture {
    let mut encoder = Encoder { wanted: Wanted { picture: coding, quality, ..Wanted::default() }, ..Encoder::default() };
    let mut picture = ClientPicture::black(frame.size());
    for rect in rects {
        let mut bytes = Vec::new();
        let count = encoder.encode(frame, *rect, Look::Photo, fidelity, &mut bytes);
        assert_eq!(decode_rects(&mut picture, usize::from(count), &bytes), bytes.len(), "all bytes are used");
    }
    picture
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_encoding_gives_the_same_pixels(
        coding in prop::sample::select(vec![Coding::Raw, Coding::Tight, Coding::Zrle]),
        size in (1u16..150, 1u16..150), sort in 0u8..6, seed: u32, at in (0u16..40, 0u16..40),
    ) {
        let frame = frame(size, sort, seed);
        let part = Rect { x: at.0, y: at.1, width: 70, height: 70 }.intersect(frame.whole());
        // Twice, since streams remember; the part first, so that borders of tiles fall everywhere.
        let picture = shown(coding, &frame, &[part, frame.whole(), part], Fidelity::Exact, None);
        let mut pixels = Vec::new();
        frame.copy_out(frame.whole(), &mut pixels);
        prop_assert_eq!(picture.pixels, pixels);
    }
}

#[test]
fn wide_pictures_are_cut_where_the_encoding_ends() {
    let frame = frame((3000, 90), 5, 3);
    for coding in [Coding::Raw, Coding::Tight, Coding::Zrle] {
        let mut pixels = Vec::new();
        frame.copy_out(frame.whole(), &mut pixels);
        assert_eq!(shown(coding, &frame, &[frame.whole()], Fidelity::Exact, None).pixels, pixels, "{coding:?}");
    }
}

#[test]
fn photographs_are_jpeg_and_close_to_the_truth() {
    let frame = frame((128, 128), 4, 1);
    let mut encoder = Encoder { wanted: Wanted { picture: Coding::Tight, quality: Some(8), ..Wanted::default() }, ..Encoder::default() };
    assert!(encoder.loses(Look::Photo, Fidelity::Quality(8)) && !encoder.loses(Look::Text, Fidelity::Quality(8)));
    let mut bytes = Vec::new();
    encoder.encode(&frame, frame.whole(), Look::Photo, Fidelity::Quality(8), &mut bytes);
    // Past the rectangle's head and Tight's own: a JPEG file begins and ends like this.
    assert_eq!((bytes[12], &bytes[15..17], &bytes[bytes.len() - 2..]), (0x90, &[0xff, 0xd8][..], &[0xff, 0xd9][..]));
    let exact = shown(Coding::Tight, &frame, &[frame.whole()], Fidelity::Exact, Some(8));
    let mut pixels = Vec::new();
    frame.copy_out(frame.whole(), &mut pixels);
    assert_eq!(exact.pixels, pixels);
}
