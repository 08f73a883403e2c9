//! The bounds of the reference's errors on large goldens, worked out again.

use losscheck::data::DataFolder;
use losscheck::judge::bounds::Bounds;

const COMMAND: &str = "LOSSCHECK_UPDATE=1 cargo test -p losscheck --test bounds";

#[test]
fn the_bounds_are_those_of_the_goldens() {
    let data = DataFolder::shipped();
    let bounds = Bounds::of(&data.goldens().expect("readable goldens").cases);
    if std::env::var_os("LOSSCHECK_UPDATE").is_some() {
        bounds.write(&data.bounds_file()).expect("a writable file");
        return;
    }
    assert!(data.bounds().expect("readable bounds") == bounds, "bounds.json is out of date: {COMMAND}");
}
