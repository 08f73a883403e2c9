//! How options are written in JSON.

/// Numbers that may be infinite, which JSON writes as strings.
pub(crate) mod number {
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const INFINITE: [(&str, f64); 2] = [("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number, \"Infinity\" or \"-Infinity\"")]
    enum Number {
        Finite(f64),
        Named(String),
    }

    pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "number" }, { "enum": INFINITE.map(|(name, _)| name) }] })
    }

    pub(crate) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match INFINITE.iter().find(|(_, infinite)| infinite == number) {
            Some((name, _)) => serializer.serialize_str(name),
            None => serializer.serialize_f64(*number),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Number::deserialize(deserializer)? {
            Number::Finite(number) => Ok(number),
            Number::Named(text) => match INFINITE.iter().find(|(name, _)| *name == text) {
                Some(&(_, infinite)) => Ok(infinite),
                None => Err(D::Error::custom(format!("`{text}`, expected a number, \"Infinity\" or \"-Infinity\""))),
            },
        }
    }
}

/// Reductions by PyTorch's names, in the golden format.
pub(crate) mod reduction {
    use std::str::FromStr;

    use losscheck_reference::{KLDivReduction, Reduction};
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) trait Named: Copy + FromStr<Err = losscheck_reference::Error> + 'static {
        const ALL: &'static [Self];

        fn name(self) -> &'static str;
    }

    impl Named for Reduction {
        const ALL: &'static [Self] = &Reduction::ALL;

        fn name(self) -> &'static str {
            Reduction::name(self)
        }
    }

    impl Named for KLDivReduction {
        const ALL: &'static [Self] = &KLDivReduction::ALL;

        fn name(self) -> &'static str {
            KLDivReduction::name(self)
        }
    }

    pub(crate) fn schema<R: Named>(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": R::ALL.iter().map(|reduction| reduction.name()).collect::<Vec<_>>() })
    }

    pub(crate) fn serialize<R: Named, S: Serializer>(reduction: &R, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(reduction.name())
    }

    pub(crate) fn deserialize<'de, R: Named, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
