//! Work shared among the threads of rayon's pool.

/// Work that can be cut in two.
pub(crate) trait Divide: Sized + Send {
    /// The number of elements that it goes through.
    fn size(&self) -> usize;

    /// Both parts in order, or all of it where it cannot be cut.
    fn divide(self) -> Result<[Self; 2], Self>;
}

/// The most elements that are gone through in one piece. Where work is cut depends on its shape alone, and so does what is
/// summed with what: the result is the same to the bit for any number of threads.
const PIECE: usize = 1 << 16;

/// From so many elements on, waking another thread takes less time than it saves, for the cheapest of formulas.
const WORTH_SHARING: usize = 1 << 19;

/// Whether work of that size is for several threads.
pub(crate) fn is_worth_sharing(size: usize) -> bool {
    size >= WORTH_SHARING && rayon::current_num_threads() > 1
}

/// Runs the pieces, on several threads where that pays, and merges what they give in their order.
pub(crate) fn share<W: Divide, T: Send>(
    work: W,
    run: &(impl Fn(&mut W) -> T + Sync),
    merge: &(impl Fn(T, T) -> T + Sync),
) -> T {
    let is_shared = is_worth_sharing(work.size());
    run_pieces(work, is_shared, run, merge)
}

fn run_pieces<W: Divide, T: Send>(
    mut work: W,
    is_shared: bool,
    run: &(impl Fn(&mut W) -> T + Sync),
    merge: &(impl Fn(T, T) -> T + Sync),
) -> T {
    if work.size() <= PIECE {
        return run(&mut work);
    }
    match work.divide() {
        Err(mut whole) => run(&mut whole),
        Ok([first, second]) => {
            let first = || run_pieces(first, is_shared, run, merge);
            let second = || run_pieces(second, is_shared, run, merge);
            let (first, second) = if is_shared { rayon::join(first, second) } else { (first(), second()) };
            merge(first, second)
        }
    }
}

/// The first and the second of each pair of optional things.
pub(crate) fn unzip<T, const N: usize>(pairs: [Option<(T, T)>; N]) -> [[Option<T>; N]; 2] {
    let mut seconds = [const { None }; N];
    let mut places = seconds.iter_mut();
    let firsts = pairs.map(|pair| {
        let (first, second) = pair.unzip();
        if let Some(place) = places.next() {
            *place = second;
        }
        first
    });
    [firsts, seconds]
}
