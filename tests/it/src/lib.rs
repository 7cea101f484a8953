//! Integration tests: one binary, a module for each area.

#[cfg(test)]
mod accounts;
