//! `losscheck export`: the cases as an adapter is asked them.

use std::fs;
use std::io::Write;

use losscheck::data::DataFolder;
use losscheck_protocol::export::Export;
use losscheck_protocol::tensor;

use crate::args::{self, Encoding};
use crate::failure::Failure;
use crate::{Passed, check};

/// Writes the lines.
pub(crate) fn run(options: &args::Export, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let goldens = check::goldens(&options.losses, &options.data, data)?;
    let encoding = match options.encoding {
        Encoding::Bits => tensor::Encoding::Bits,
        Encoding::Data => tensor::Encoding::Data,
    };
    let lines = match options.exact {
        false => Export::new(&goldens.cases, encoding).lines,
        true => Export::with_exact_answers(&goldens.cases, encoding).lines,
    };
    match &options.out {
        None => out.write_all(lines.as_bytes())?,
        Some(file) => {
            let failed = |error| Failure::Usage(format!("{}: cannot be written: {error}", file.display()));
            fs::write(file, lines).map_err(failed)?;
        }
    }
    Ok(Passed(true))
}
