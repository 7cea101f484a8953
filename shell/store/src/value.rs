//! What goes into a statement: three kinds of values, the same on both engines.

use sallyport_model as model;

/// An argument of a statement. `None` is NULL of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// BIGINT: numbers, flags as 0 and 1, times as microseconds since 1970.
    Int(Option<i64>),
    /// BYTEA: ids, digests, blobs.
    Bytes(Option<Vec<u8>>),
    /// TEXT.
    Text(Option<String>),
}

/// What can be an argument of a statement.
pub trait ToValue {
    /// NULL of this kind.
    const NULL: Value;
    /// The argument.
    fn to_value(&self) -> Value;
}

/// Makes a slice of [`Value`]s from things of many types, without moving them.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::ToValue::to_value(&$value)),*] as &[$crate::Value]
    };
}

impl<T: ToValue> ToValue for Option<T> {
    const NULL: Value = T::NULL;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(T::NULL, T::to_value)
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    const NULL: Value = T::NULL;
    fn to_value(&self) -> Value {
        T::to_value(self)
    }
}

impl ToValue for Value {
    const NULL: Value = Value::Int(None);
    fn to_value(&self) -> Value {
        self.clone()
    }
}

macro_rules! to_value {
    ($($kind:ident, $type:ty, $of:expr;)*) => {$(
        impl ToValue for $type {
            const NULL: Value = Value::$kind(None);
            fn to_value(&self) -> Value {
                let of: fn(&$type) -> _ = $of;
                Value::$kind(Some(of(self)))
            }
        }
    )*};
}

to_value! {
    Int, i64, |n| *n;
    Int, i32, |n| i64::from(*n);
    Int, u32, |n| i64::from(*n);
    Int, u16, |n| i64::from(*n);
    Int, u8, |n| i64::from(*n);
    // Sizes and counters: more than i64::MAX bytes or rows do not exist.
    Int, u64, |n| i64::try_from(*n).unwrap_or(i64::MAX);
    Int, usize, |n| i64::try_from(*n).unwrap_or(i64::MAX);
    Int, bool, |flag| i64::from(*flag);
    Int, model::Timestamp, |at| at.micros();
    Bytes, model::Digest, |digest| digest.as_bytes().to_vec();
    Bytes, [u8], <[u8]>::to_vec;
    Bytes, Vec<u8>, Vec::clone;
    Text, str, str::to_owned;
    Text, String, String::clone;
    Text, model::Name, |text| text.as_str().to_owned();
    Text, model::Email, |text| text.as_str().to_owned();
    Text, model::Tag, |text| text.as_str().to_owned();
    Text, model::AgentText, |text| text.as_str().to_owned();
}

impl<const N: usize> ToValue for [u8; N] {
    const NULL: Value = Value::Bytes(None);
    fn to_value(&self) -> Value {
        Value::Bytes(Some(self.to_vec()))
    }
}

macro_rules! ids {
    ($($id:ident)*) => {
        $(impl ToValue for model::$id {
            const NULL: Value = Value::Bytes(None);
            fn to_value(&self) -> Value {
                Value::Bytes(Some(self.as_bytes().to_vec()))
            }
        })*
        $(impl crate::FromValue for model::$id {
            fn from_value(row: &crate::Row, column: &'static str) -> Result<Option<Self>, crate::StoreError> {
                Ok(<[u8; 16]>::from_value(row, column)?.map(Self::from_bytes))
            }
        })*
    };
}

ids! {
    TenantId CustomerId SiteId DeviceId UserId SessionId FactorId ScriptId JobId RunId GrantId InstallerId RequestId RoleId MailId
    RemoteSessionId ApiClientId ScheduleId ConnectionId LicenceId WebhookId EventId
}
