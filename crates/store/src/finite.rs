//! Finds a NaN or an infinity in a serializable value, before serde_json would silently write `null` for it.
//!
//! In goes any `Serialize`, out comes nothing, or the refusal with the number and its place. Nothing is written here.

use serde::ser::{self, Serialize, Serializer};

use crate::canonical::Refusal;

/// Walks `value` as JSON would.
///
/// # Errors
/// [`Refusal::NotFinite`] at the first float that is not finite; [`Refusal::NotJson`] if the value refuses itself.
pub(crate) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), Refusal> {
    value.serialize(Walk::default())
}

/// The walk through one array or object; leaves are seen and forgotten.
#[derive(Default)]
struct Walk {
    /// How many elements were seen.
    index: usize,
    /// The last key of a map.
    key: String,
}

type Verdict = Result<(), Refusal>;

impl Refusal {
    /// The same refusal, seen from one level further out.
    fn inside(self, step: &str) -> Self {
        match self {
            Self::NotFinite { path, value } => Self::NotFinite { path: format!("{step}{path}"), value },
            Self::TooDeep | Self::NotJson(_) => self,
        }
    }
}

impl ser::Error for Refusal {
    fn custom<T: std::fmt::Display>(reason: T) -> Self {
        Self::NotJson(reason.to_string())
    }
}

impl Walk {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Verdict {
        let step = format!("[{}]", self.index);
        self.index += 1;
        check(value).map_err(|refusal| refusal.inside(&step))
    }

    fn field<T: Serialize + ?Sized>(name: &str, value: &T) -> Verdict {
        check(value).map_err(|refusal| refusal.inside(&format!(".{name}")))
    }
}

macro_rules! harmless {
    ($($name:ident($($argument:ty),*);)*) => {
        $(fn $name(self, $(_: $argument),*) -> Verdict { Ok(()) })*
    };
}

macro_rules! compound {
    ($($name:ident($($argument:ty),*) -> $result:ident;)*) => {
        $(fn $name(self, $(_: $argument),*) -> Result<Self::$result, Refusal> { Ok(self) })*
    };
}

impl Serializer for Walk {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    harmless! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    compound! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }

    fn serialize_f32(self, value: f32) -> Verdict {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Verdict {
        if value.is_finite() { Ok(()) } else { Err(Refusal::NotFinite { path: String::new(), value }) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Verdict {
        check(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Verdict {
        check(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Verdict {
        Self::field(variant, value)
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident;)*) => {$(
        impl ser::$trait for Walk {
            type Ok = ();
            type Error = Refusal;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Verdict {
                self.element(value)
            }

            fn end(self) -> Verdict {
                Ok(())
            }
        }
    )*};
}

macro_rules! fields {
    ($($trait:ident;)*) => {$(
        impl ser::$trait for Walk {
            type Ok = ();
            type Error = Refusal;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Verdict {
                Self::field(name, value)
            }

            fn end(self) -> Verdict {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

fields! {
    SerializeStruct;
    SerializeStructVariant;
}

impl ser::SerializeMap for Walk {
    type Ok = ();
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Verdict {
        // What is no key in JSON is refused when it is written; here the key only names a place.
        self.key = match serde_json::to_value(key) {
            Ok(serde_json::Value::String(key)) => key,
            Ok(other) => other.to_string(),
            Err(_) => String::new(),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Verdict {
        Self::field(&self.key, value)
    }

    fn end(self) -> Verdict {
        Ok(())
    }
}
