//! Signing in: passwords, codes, recovery codes, sessions and the keys that they are bound to.
