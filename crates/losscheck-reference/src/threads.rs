//! Work shared among the threads of rayon's pool.

/// Work that can be cut in two.
pub(crate) trait SplitWork: Sized + Send {
    /// The number of elements that it goes through.
    fn size(&self) -> usize;

    /// Both parts in order, or all of it where it cannot be cut.
    fn split(self) -> Result<(Self, Self), Self>;
}

/// The most elements that are gone through in one chunk. Where work is cut depends on its shape alone, and so does what is
/// summed with what: the result is the same to the bit for any number of threads.
const CHUNK: usize = 1 << 16;

/// From so many elements on, waking another thread takes less time than it saves, for the cheapest of formulas.
const WORTH_SHARING: usize = 1 << 19;

/// Whether work of that size is for several threads.
pub(crate) fn is_worth_sharing(size: usize) -> bool {
    size >= WORTH_SHARING && rayon::current_num_threads() > 1
}

/// Runs the chunks, on several threads if that pays, and merges what they give in their order.
pub(crate) fn par_reduce<W: SplitWork, T: Send>(
    work: W,
    run: &(dyn Fn(&mut W) -> T + Sync),
    merge: &(dyn Fn(T, T) -> T + Sync),
) -> T {
    let is_shared = is_worth_sharing(work.size());
    run_chunks(work, is_shared, run, merge)
}

fn run_chunks<W: SplitWork, T: Send>(
    mut work: W,
    is_shared: bool,
    run: &(dyn Fn(&mut W) -> T + Sync),
    merge: &(dyn Fn(T, T) -> T + Sync),
) -> T {
    if work.size() <= CHUNK {
        return run(&mut work);
    }
    match work.split() {
        Err(mut whole) => run(&mut whole),
        Ok((first, second)) => {
            let (mut first, mut second) = ((Some(first), None), (Some(second), None));
            let run_part = |(part, result): &mut (Option<W>, Option<T>)| {
                *result = part.take().map(|part| run_chunks(part, is_shared, run, merge));
            };
            join(is_shared, &mut || run_part(&mut first), &mut || run_part(&mut second));
            match (first.1, second.1) {
                (Some(first), Some(second)) => merge(first, second),
                _ => unreachable!("`join` runs both parts"),
            }
        }
    }
}

/// Runs both, on two threads if the work is to be shared. Not generic, so that rayon's part is compiled once.
fn join(is_shared: bool, first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send)) {
    if is_shared {
        rayon::join(first, second);
    } else {
        first();
        second();
    }
}
