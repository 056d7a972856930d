//! The schema of the raw table, word for word, and the fingerprint of a schema.

use std::sync::{Arc, LazyLock};

use parquet::schema::parser::parse_message_type;
use parquet::schema::printer::print_schema;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};
use sha2::{Digest, Sha256};

/// The raw table: the columns of Spark's Kafka source. Two versions of Tidegate join their files
/// only if this text is the same in both: it never changes.
const RAW_TABLE: &str = "message schema {
  OPTIONAL BYTE_ARRAY key;
  OPTIONAL BYTE_ARRAY value;
  REQUIRED BYTE_ARRAY topic (STRING);
  REQUIRED INT32 partition;
  REQUIRED INT64 offset;
  OPTIONAL INT64 timestamp (TIMESTAMP(MILLIS,true));
  REQUIRED INT32 timestampType;
  OPTIONAL group headers (LIST) {
    REPEATED group list {
      REQUIRED group element {
        REQUIRED BYTE_ARRAY key (STRING);
        OPTIONAL BYTE_ARRAY value;
      }
    }
  }
}";

/// The schema of the raw table.
pub(crate) fn raw_table() -> &'static SchemaDescPtr {
    static SCHEMA: LazyLock<SchemaDescPtr> = LazyLock::new(|| {
        let schema = parse_message_type(RAW_TABLE).expect("the text above is a schema; tested");
        Arc::new(SchemaDescriptor::new(Arc::new(schema)))
    });
    &SCHEMA
}

/// The first 16 hexadecimal digits of the SHA-256 of the schema's text: names, types,
/// repetition, logical types and field ids.
pub(crate) fn fingerprint(schema: &Type) -> String {
    let mut text = Vec::new();
    print_schema(&mut text, schema);
    Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raw_table_has_the_columns_of_sparks_kafka_source() {
        let leaves: Vec<_> = raw_table()
            .columns()
            .iter()
            .map(|column| (column.path().string(), column.max_def_level(), column.max_rep_level()))
            .collect();
        let expected = [
            ("key", 1, 0),
            ("value", 1, 0),
            ("topic", 0, 0),
            ("partition", 0, 0),
            ("offset", 0, 0),
            ("timestamp", 1, 0),
            ("timestampType", 0, 0),
            ("headers.list.element.key", 2, 1),
            ("headers.list.element.value", 3, 1),
        ];
        assert_eq!(leaves, expected.map(|(path, def, rep)| (path.to_owned(), def, rep)));
    }

    #[test]
    fn the_fingerprint_of_the_raw_table_is_the_one_of_every_version() {
        assert_eq!(fingerprint(raw_table().root_schema()), "239827cb1da4cbaa");
    }

    #[test]
    fn a_fingerprint_sees_names_types_repetition_and_field_ids() {
        let texts = [
            "message a { REQUIRED INT32 x; }",
            "message a { REQUIRED INT32 y; }",
            "message a { OPTIONAL INT32 x; }",
            "message a { REQUIRED INT64 x; }",
            "message a { REQUIRED INT32 x = 1; }",
            "message a { REQUIRED INT32 x (DATE); }",
        ];
        let mut prints: Vec<_> =
            texts.iter().map(|text| fingerprint(&parse_message_type(text).unwrap())).collect();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), texts.len());
    }
}
