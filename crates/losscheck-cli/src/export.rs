//! `losscheck export`: the cases as an adapter is asked them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use losscheck::data::DataFolder;
use losscheck::loss::LossKind;
use losscheck_protocol::export;
use losscheck_protocol::tensor;

use crate::args::{Encoding, Export};
use crate::failure::Failure;
use crate::{Passed, check};

/// Writes the lines.
pub(crate) fn run(options: &Export, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let (_, export::Export { lines, .. }) = export(&options.losses, &options.data, options.encoding, data)?;
    match &options.out {
        None => out.write_all(lines.as_bytes())?,
        Some(file) => {
            let failed = |error| Failure::Usage(format!("{}: cannot be written: {error}", file.display()));
            fs::write(file, lines).map_err(failed)?;
        }
    }
    Ok(Passed(true))
}

/// The cases, and what an adapter is asked.
pub(crate) fn export(
    losses: &[LossKind],
    paths: &[PathBuf],
    encoding: Encoding,
    data: &DataFolder,
) -> Result<(losscheck::case::format::Goldens, export::Export), Failure> {
    let goldens = check::goldens(losses, paths, data)?;
    let encoding = match encoding {
        Encoding::Bits => tensor::Encoding::Bits,
        Encoding::Data => tensor::Encoding::Data,
    };
    let export = export::Export::new(&goldens.cases, encoding);
    Ok((goldens, export))
}
