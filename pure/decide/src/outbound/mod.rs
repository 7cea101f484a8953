//! Where the server may send requests that people configured: addresses as they are written, and the networks that they may lie in.

mod networks;
mod target;

pub use networks::{Networks, PlainHttp, Reach, Unreachable};
pub use target::{Scheme, Target, TargetError};
