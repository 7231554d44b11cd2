//! The texts of a form as options: numbers and booleans are parsed from text.

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::option_error::OptionError;

/// Parses the options `fields`, which are pairs of name and text.
///
/// # Errors
/// An unknown name, or a text that is not a value of its option.
pub(super) fn options<T: DeserializeOwned>(
    fields: Vec<(String, String)>,
) -> Result<T, OptionError> {
    let fields = fields.into_iter().map(|(name, text)| (name, Text(text)));
    serde_path_to_error::deserialize(MapDeserializer::new(fields)).map_err(|error| {
        let option = error.path().to_string();
        OptionError::new(&option, &error.into_inner())
    })
}

/// The text of one option.
struct Text(String);

type Error = serde::de::value::Error;

impl IntoDeserializer<'_, Error> for Text {
    type Deserializer = Text;

    fn into_deserializer(self) -> Text {
        self
    }
}

macro_rules! parse {
    ($($method:ident $visit:ident $kind:ty, $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.trim().parse::<$kind>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Error::custom(format!("expected {}, found {:?}", $expected, self.0))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Text {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    parse! {
        deserialize_bool visit_bool bool, "true or false";
        deserialize_u64 visit_u64 u64, "a whole number";
        deserialize_f32 visit_f32 f32, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}
