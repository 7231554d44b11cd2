//! The label index on disk: its format and its reader.
