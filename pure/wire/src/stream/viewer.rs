//! Control messages of viewers. Channel 0 carries the remote frame buffer protocol (RFB 3.8): the device is its server, with
//! security type "none", because the stream around it is encrypted and belongs to one grant.

use serde::{Deserialize, Serialize};

use super::ByeReason;

/// From the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromClient {
    /// Show another display; one that does not exist means all of them together.
    Display {
        /// As the device named it.
        name: String,
    },
}

/// From the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromDevice {
    /// What can be shown; told at the beginning and whenever it changes.
    Displays {
        /// All monitors together first, which is called `all`.
        displays: Vec<Display>,
        /// The name of the one that is shown.
        shown: String,
    },
    /// Something was refused, and the attachment ends.
    Error {
        /// The request that it answers: none of a viewer's has a number.
        id: Option<u32>,
        /// A stable code: `view_only`, `wayland_no_capture`, `no_display`, `no_display_of_account`, `virtual_display_failed`,
        /// `screen_lost`, `bad_request`.
        code: String,
        /// For people.
        detail: String,
    },
    /// The attachment ends.
    Bye {
        /// Why.
        reason: ByeReason,
    },
}

/// A monitor, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Display {
    /// The output's name: `HDMI-1`.
    pub name: String,
    /// Left edge within the whole screen, in pixels.
    pub x: u16,
    /// Top edge within the whole screen, in pixels.
    pub y: u16,
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// Whether panels and new windows appear there.
    pub primary: Primary,
}

/// Whether a monitor is the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Primary {
    /// It is.
    Yes,
    /// It is not.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_shape_that_clients_expect() {
        let display = Display { name: "HDMI-1".into(), x: 0, y: 0, width: 1920, height: 1080, primary: Primary::Yes };
        let told = FromDevice::Displays { displays: vec![display], shown: "all".into() };
        assert_eq!(
            serde_json::to_string(&told).expect("plain data"),
            r#"{"t":"displays","displays":[{"name":"HDMI-1","x":0,"y":0,"width":1920,"height":1080,"primary":"yes"}],"shown":"all"}"#
        );
        let chosen = serde_json::from_str::<FromClient>(r#"{"t":"display","name":"all"}"#).expect("known");
        assert_eq!(chosen, FromClient::Display { name: "all".into() });
        assert!(serde_json::from_str::<FromClient>(r#"{"t":"display","name":"all","more":1}"#).is_err());
    }
}
