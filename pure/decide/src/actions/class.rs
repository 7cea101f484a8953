//! The class of an action: its own, raised by the number of targets and by the sum of the hour.

use std::collections::BTreeSet;

use sallyport_grant::body::Class;
use sallyport_model::{DeviceId, limits};

use super::Action;
use super::sentence::devices;

/// What a person did within the last hour, over all sessions and routes.
#[derive(Debug, Clone, Default)]
pub struct Hour {
    /// Distinct devices that their actions reached.
    pub touched: BTreeSet<DeviceId>,
}

/// A class with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// The class.
    pub class: Class,
    /// Why, for people.
    pub reason: String,
    /// Distinct devices of the hour, this action's included.
    pub hour_devices: usize,
}

/// Decides the class. Sums never lower it.
pub fn classify(action: &Action, hour: &Hour) -> Classified {
    let targets = action.targets().len();
    let hour_devices = match action.kind().touches_devices() {
        true => hour.touched.iter().copied().chain(action.targets().iter().map(|target| target.device)).collect::<BTreeSet<_>>().len(),
        false => hour.touched.len(),
    };
    let (class, reason) = match action.kind().touches_devices() {
        true => summed(action.kind().class(), targets, hour_devices),
        false => (action.class(), "this kind of action always is".to_owned()),
    };
    Classified { class, reason, hour_devices }
}

fn summed(own: Class, targets: usize, hour_devices: usize) -> (Class, String) {
    let several = targets > 1 || hour_devices > limits::CLASS1_DEVICES_PER_HOUR || own >= Class::Fleet;
    if several && hour_devices > limits::CLASS2_DEVICES_PER_HOUR {
        let limit = limits::CLASS2_DEVICES_PER_HOUR;
        return (Class::Mass, format!("{hour_devices} devices by you within an hour, more than {limit}"));
    }
    if targets > 1 {
        return (own.max(Class::Fleet), format!("it reaches {}", devices(targets)));
    }
    if several && own < Class::Fleet {
        let limit = limits::CLASS1_DEVICES_PER_HOUR;
        return (Class::Fleet, format!("{hour_devices} devices by you within an hour, more than {limit}"));
    }
    (own, if own == Class::OneDevice { "it reaches one device".to_owned() } else { "this kind of action always is".to_owned() })
}

#[cfg(test)]
mod tests {
    use sallyport_grant::KeyId;
    use sallyport_model::Digest;

    use super::super::Target;
    use super::*;

    fn device(n: u8) -> DeviceId {
        DeviceId::from_bytes([n; 16])
    }

    fn remove(count: u8) -> Action {
        let target = |n| Target { device: device(n), name: format!("d{n}"), thumbprint: KeyId(Digest::from_bytes([n; 32])) };
        Action::RemoveDevices((0..count).map(target).collect())
    }

    #[test]
    fn removal_is_fleet_and_mass_above_the_radius() {
        assert_eq!(classify(&remove(1), &Hour::default()).class, Class::Fleet);
        assert_eq!(classify(&remove(25), &Hour::default()).class, Class::Fleet);
        assert_eq!(classify(&remove(26), &Hour::default()).class, Class::Mass);
    }

    #[test]
    fn the_hours_sum_raises_the_class() {
        let hour = Hour { touched: (100..125).map(device).collect() };
        let one = classify(&remove(1), &hour);
        assert_eq!((one.class, one.hour_devices), (Class::Mass, 26));
    }

    #[test]
    fn sums_raise_single_device_runs() {
        assert_eq!(summed(Class::OneDevice, 1, 5).0, Class::OneDevice);
        assert_eq!(summed(Class::OneDevice, 1, 6).0, Class::Fleet);
        assert_eq!(summed(Class::OneDevice, 2, 2).0, Class::Fleet);
        assert_eq!(summed(Class::OneDevice, 1, 26).0, Class::Mass);
    }

    #[test]
    fn approving_in_bulk_stays_class_one() {
        let Action::RemoveDevices(targets) = remove(200) else { unreachable!() };
        let many = classify(&Action::ApproveDevices(targets), &Hour::default());
        assert_eq!((many.class, many.hour_devices), (Class::OneDevice, 0));
    }
}
