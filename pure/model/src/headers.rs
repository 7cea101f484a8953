//! Headers that are passed on: by the bridge between a caller and a vendor, and by the door between a command and the server.

/// A caller's headers that go on. No other does: neither who they are here, nor what belongs to their connection, nor `Range`, by which an
/// answer could be had in pieces.
pub const OF_CALLERS: [&str; 10] = [
    "accept",
    "accept-language",
    "content-type",
    "content-language",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "idempotency-key",
    "prefer",
];

/// A vendor's headers that go back: no cookie, nothing of the connection, nothing that a proxy in front of a server obeys.
pub const OF_VENDORS: [&str; 15] = [
    "content-type",
    "content-language",
    "content-disposition",
    "etag",
    "last-modified",
    "link",
    "retry-after",
    "deprecation",
    "sunset",
    "x-total-count",
    "x-total-pages",
    "x-next-page",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];
