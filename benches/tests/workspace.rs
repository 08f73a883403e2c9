//! The reference holds no more memory than its documentation says. It is the only test here, for all threads are counted.

use std::hint::black_box;

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Pass};
use losscheck_benches::record::Workspace;
use losscheck_benches::{memory, workloads, workspace};
use rayon::ThreadPoolBuilder;

#[test]
fn no_call_holds_more_than_is_documented() {
    // What is allowed grows with the threads: one leaves the least room.
    let threads = ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    threads.install(check);
}

fn check() {
    let grown_and_zeroed = || {
        let mut bytes = black_box(Vec::with_capacity(100));
        bytes.resize(1000, 0_u8);
        drop(black_box([bytes, vec![0; 500]]));
        drop(black_box(vec![0_u8; 1400]));
    };
    assert_eq!(memory::most_held(grown_and_zeroed), 1500);

    for workload in workloads::all() {
        let case = workload.case();
        for pass in Pass::ALL {
            let mut work = Reference.workload(&case, pass).expect("a workload that the reference takes");
            let Workspace { bytes, documented } = workspace::measure(workload, pass, 1, &mut work);
            assert!(bytes <= documented, "{pass}/{workload}: {bytes} bytes, documented are {documented}");
        }
    }
}
