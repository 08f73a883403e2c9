//! The lanes of a tensor along one dimension as slices, copied only where their elements do not lie side by side.

use std::slice::{ChunksExact, ChunksExactMut};

use ndarray::iter::{LanesIter, LanesIterMut};
use ndarray::{ArrayViewD, ArrayViewMut1, ArrayViewMutD, Axis, IxDyn};

use crate::Real;

/// The lanes of a tensor to read, one after the other.
pub enum LaneSource<'a, T> {
    /// The whole tensor lies in order.
    InOrder(ChunksExact<'a, T>),
    /// Each lane lies somewhere, or its elements do.
    Gathered(Box<LanesIter<'a, T, IxDyn>>, Vec<T>),
}

impl<'a, T: Copy> LaneSource<'a, T> {
    pub(crate) fn new(view: &'a ArrayViewD<'_, T>, axis: usize) -> Self {
        match view.as_slice() {
            Some(slice) if axis + 1 == view.ndim() && !slice.is_empty() => {
                Self::InOrder(slice.chunks_exact(view.shape()[axis]))
            }
            _ => Self::Gathered(Box::new(view.lanes(Axis(axis)).into_iter()), Vec::new()),
        }
    }

    /// The next lane.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<&[T]> {
        match self {
            Self::InOrder(lanes) => lanes.next(),
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
}

/// The lanes of a tensor to write, one after the other.
pub(crate) enum LaneSinks<'a, R> {
    /// There is no such tensor: what is written is forgotten.
    Nowhere {
        length: usize,
        buffer: Vec<R>,
    },
    InOrder(ChunksExactMut<'a, R>),
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
                Self::InOrder(view.as_slice_mut().unwrap_or_default().chunks_exact_mut(length))
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
            Self::InOrder(lanes) => lanes.next().unwrap_or_default(),
            Self::Scattered { lanes, lane, buffer } => {
                *lane = lanes.next();
                match lane.as_mut().and_then(|lane| lane.as_slice_mut()) {
                    Some(slice) => slice,
                    None => buffer,
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
