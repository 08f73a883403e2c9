//! How losscheck asks an implementation that is not compiled into it: lines of JSON, which `docs/protocol.md` describes.
//!
//! An [`Adapter`](adapter::Adapter) is a program that answers them while losscheck waits. [`export`] writes the questions to a
//! file instead, the adapter answers them wherever it runs, and [`recording::Recording`] is the
//! [`Backend`](losscheck::backend::Backend) that answers with what it wrote.

pub mod adapter;
pub mod export;
pub mod message;
pub mod profile;
pub mod recording;
pub mod tensor;

/// The version of the protocol. It goes up whenever a field becomes required, or means something else.
pub const PROTOCOL: u32 = 1;

/// Returns the JSON Schema of a line.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(message::Line).to_value()
}
