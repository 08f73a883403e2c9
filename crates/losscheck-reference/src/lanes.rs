//! The lanes of a tensor along one dimension as slices, copied only where their elements do not lie side by side.

use ndarray::iter::{LanesIter, LanesIterMut};
use ndarray::{ArrayViewD, ArrayViewMut1, ArrayViewMutD, Axis, IxDyn};

use crate::Real;

/// The lanes of a tensor to read, one after the other.
pub enum LaneSource<'a, T> {
    /// What is left of a tensor that lies in order, and the length of a lane.
    InOrder(&'a [T], usize),
    /// Each lane lies somewhere, or its elements do.
    Gathered(Box<LanesIter<'a, T, IxDyn>>, Vec<T>),
}

impl<'a, T: Copy> LaneSource<'a, T> {
    pub(crate) fn new(view: &'a ArrayViewD<'_, T>, axis: usize) -> Self {
        match view.as_slice() {
            Some(slice) if axis + 1 == view.ndim() && !slice.is_empty() => Self::InOrder(slice, view.shape()[axis]),
            _ => Self::Gathered(Box::new(view.lanes(Axis(axis)).into_iter()), Vec::new()),
        }
    }

    /// The next lane.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<&[T]> {
        match self {
            Self::InOrder(rest, length) => rest.split_off(..*length),
            Self::Gathered(lanes, buffer) => {
                let lane = lanes.next()?;
                Some(lane.to_slice().unwrap_or_else(|| {
                    buffer.clear();
                    buffer.extend(lane);
                    buffer
                }))
            }
        }
    }

    /// The next lanes, as many as stand side by side: `to[c][n]` is element c of lane n. Where there are fewer, the other places
    /// keep what they hold.
    #[inline(always)]
    pub(crate) fn next_side_by_side<const N: usize>(&mut self, to: &mut [[T; N]]) {
        match self {
            Self::InOrder(rest, length) => {
                for (start, to) in to.iter_mut().enumerate() {
                    let elements = rest.get(start..).unwrap_or_default().iter().step_by(*length);
                    to.iter_mut().zip(elements).for_each(|(to, &element)| *to = element);
                }
                *rest = rest.get(N * *length..).unwrap_or_default();
            }
            Self::Gathered(..) => {
                for lane in 0..N {
                    let elements = self.next().unwrap_or_default();
                    to.iter_mut().zip(elements).for_each(|(to, &element)| to[lane] = element);
                }
            }
        }
    }
}

/// The lanes of a tensor to write, one after the other.
pub(crate) enum LaneSinks<'a, R> {
    /// There is no such tensor: what is written is forgotten.
    Nowhere {
        length: usize,
        buffer: Vec<R>,
    },
    /// What is left of a tensor that lies in order, and the length of a lane.
    InOrder(&'a mut [R], usize),
    Scattered {
        lanes: Box<LanesIterMut<'a, R, IxDyn>>,
        lane: Option<ArrayViewMut1<'a, R>>,
        buffer: Vec<R>,
    },
}

impl<'a, R: Real> LaneSinks<'a, R> {
    /// Lanes of that length.
    pub(crate) fn new(view: Option<&'a mut ArrayViewMutD<'_, R>>, axis: usize, length: usize) -> Self {
        match view {
            None => Self::Nowhere { length, buffer: Vec::new() },
            Some(view) if axis + 1 == view.ndim() && view.is_standard_layout() && !view.is_empty() => {
                Self::InOrder(view.as_slice_mut().unwrap_or_default(), length)
            }
            Some(view) => {
                let lanes = Box::new(view.lanes_mut(Axis(axis)).into_iter());
                Self::Scattered { lanes, lane: None, buffer: vec![R::ZERO; length] }
            }
        }
    }

    pub(crate) fn asked(&self) -> bool {
        !matches!(self, Self::Nowhere { .. })
    }

    /// Where to write the next lane, before `flush`.
    #[inline(always)]
    pub(crate) fn advance(&mut self) -> &mut [R] {
        match self {
            Self::Nowhere { length, buffer } => {
                buffer.resize(*length, R::ZERO);
                buffer
            }
            Self::InOrder(rest, length) => next_of(rest, *length),
            Self::Scattered { lanes, lane, buffer } => {
                *lane = lanes.next();
                match lane.as_mut().and_then(|lane| lane.as_slice_mut()) {
                    Some(slice) => slice,
                    None => buffer,
                }
            }
        }
    }

    /// Writes the next lanes, so many of those that stand side by side: `from[c][n]` is element c of lane n.
    #[inline(always)]
    pub(crate) fn write_side_by_side<const N: usize>(&mut self, from: &[[R; N]], lanes: usize) {
        match self {
            Self::Nowhere { .. } => (),
            Self::InOrder(rest, length) => {
                let block = next_of(rest, lanes * *length);
                for (start, from) in from.iter().enumerate() {
                    let elements = block.get_mut(start..).unwrap_or_default().iter_mut().step_by(*length);
                    elements.zip(from).for_each(|(to, &element)| *to = element);
                }
            }
            Self::Scattered { .. } => {
                for lane in 0..lanes {
                    self.advance().iter_mut().zip(from).for_each(|(to, elements)| *to = elements[lane]);
                    self.flush();
                }
            }
        }
    }

    /// Passes on a lane whose elements do not lie side by side.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        if let Self::Scattered { lane: Some(lane), buffer, .. } = self
            && lane.as_slice().is_none()
        {
            for (to, &from) in lane.iter_mut().zip(&*buffer) {
                *to = from;
            }
        }
    }
}

/// Takes so many elements off the front.
#[inline(always)]
fn next_of<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    rest.split_off_mut(..count).unwrap_or_default()
}
