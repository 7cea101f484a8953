//! The systemd unit of the agent.
//!
//! Scripts run as children of the agent and may do whatever an administrator does, so the unit closes only what neither
//! agent nor scripts need. `NoNewPrivileges` would break `sudo` in scripts that run as another account, and anything that
//! hides directories would hide them from scripts too.

/// Where the unit file goes.
pub const UNIT_PATH: &str = "/etc/systemd/system/sallyport-agent.service";
/// The unit's name.
pub const UNIT_NAME: &str = "sallyport-agent.service";
/// Where the agent's binary goes.
pub const BINARY_PATH: &str = "/usr/local/bin/sallyport-agent";
/// Where an installed agent keeps what it must not forget.
pub const STATE_DIR: &str = "/var/lib/sallyport-agent";

/// The text of the unit file.
pub const UNIT: &str = include_str!("../sallyport-agent.service");
