//! Strict JSON for signed things: one reading per text, and hard limits on the text.
//!
//! Refused: a text above its limit, nesting above [`limits::JSON_DEPTH`], more values than [`limits::JSON_VALUES`], a key that occurs twice in an
//! object, fractions and exponents, an array where an object is wanted (serde would take it), and bytes after
//! the value. Unknown keys are refused by the types (`deny_unknown_fields`).

use std::cell::Cell;
use std::fmt;

use sallyport_model::limits;
use serde::Serialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Why a text is not the wanted JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Longer than the limit, in bytes.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// Not JSON, nested too deeply, of too many values, with a key twice, with a fraction, or with bytes after the value.
    #[error("not strict json")]
    Syntax,
    /// JSON of another shape: an unknown or missing key, or a value out of its range.
    #[error("json of another shape")]
    Shape,
}

/// Reads one value from at most `max_bytes` bytes.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, JsonError> {
    if bytes.len() > max_bytes {
        return Err(JsonError::TooLarge(max_bytes));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let values_left = Cell::new(limits::JSON_VALUES);
    let tree =
        TreeSeed { depth_left: limits::JSON_DEPTH, values_left: &values_left }.deserialize(&mut reader).map_err(|_| JsonError::Syntax)?;
    reader.end().map_err(|_| JsonError::Syntax)?;
    T::deserialize(tree).map_err(|_| JsonError::Shape)
}

/// Writes a value as compact JSON, keys in the order of the type.
pub fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("the types of this crate have text keys and no failing serializers")
}

/// A JSON value whose objects have distinct keys and whose numbers are whole.
enum Tree {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

#[derive(Clone, Copy)]
struct TreeSeed<'a> {
    depth_left: usize,
    /// Of the whole text.
    values_left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for TreeSeed<'_> {
    type Value = Tree;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        let left = self.values_left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.values_left.set(left);
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeSeed<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a json value without fractions")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Signed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let inner = self.deeper()?;
        let mut seen = std::collections::BTreeSet::new();
        let mut entries = Vec::new();
        while let Some(key) = from.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("a key occurs twice"));
            }
            entries.push((key, from.next_value_seed(inner)?));
        }
        Ok(Tree::Object(entries))
    }
}

impl TreeSeed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { depth_left, ..self })
    }
}

type ShapeError = serde::de::value::Error;

impl<'de> IntoDeserializer<'de, ShapeError> for Tree {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::List(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Self::Object(entries) => {
                let mut entries = MapDeserializer::new(entries.into_iter());
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ShapeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, ShapeError> {
        match self {
            object @ Self::Object(_) => object.deserialize_any(visitor),
            _ => Err(ShapeError::custom("an object is wanted")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, ShapeError> {
        match self {
            Self::Text(name) => visitor.visit_enum(Variant { name, content: None }),
            Self::Object(entries) => {
                let [(name, content)] = <[_; 1]>::try_from(entries).map_err(|_| ShapeError::custom("one variant is wanted"))?;
                visitor.visit_enum(Variant { name, content: Some(content) })
            }
            _ => Err(ShapeError::custom("a variant is wanted")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// A variant as `"name"` or `{"name":content}`; each variant reads in one of the two forms only.
struct Variant {
    name: String,
    content: Option<Tree>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ShapeError;
    type Variant = Content;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), ShapeError> {
        let name = seed.deserialize(Tree::Text(self.name))?;
        Ok((name, Content(self.content)))
    }
}

/// What a variant carries.
struct Content(Option<Tree>);

impl<'de> VariantAccess<'de> for Content {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        if self.0.is_none() { Ok(()) } else { Err(ShapeError::custom("the variant has no content")) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ShapeError> {
        seed.deserialize(self.0.ok_or_else(|| ShapeError::custom("the variant wants content"))?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ShapeError> {
        Err(ShapeError::custom("signed bodies have no tuple variants"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, ShapeError> {
        Err(ShapeError::custom("signed bodies have no struct variants"))
    }
}
