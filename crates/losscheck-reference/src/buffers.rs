//! Tensors as stretches of elements in the order of the output, copied only where they do not lie in that order.

use ndarray::iter::{Iter, IterMut};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, IxDyn};

use crate::{Real, Sum};

/// The most elements that one call of `block` asks for.
pub(crate) const BLOCK: usize = 1024;

/// A tensor to read from. What is long is boxed, for moving it takes as long as a small loss.
pub(crate) enum Source<'a, R> {
    InOrder(&'a [R]),
    Gathered { elements: Box<Iter<'a, R, IxDyn>>, buffer: Vec<R> },
}

/// A view as one of `shape`, which it has been checked to broadcast to.
pub(crate) fn broadcast<'a, R>(view: &'a ArrayViewD<'_, R>, shape: &[usize]) -> ArrayViewD<'a, R> {
    if view.shape() == shape {
        return view.view();
    }
    view.broadcast(IxDyn(shape)).expect("the shapes have been checked to broadcast")
}

/// Views as those of `shape`, which they have been checked to broadcast to.
pub(crate) fn broadcast_all<'a, R, const N: usize>(
    views: &'a [ArrayViewD<'_, R>; N],
    shape: &[usize],
) -> [ArrayViewD<'a, R>; N] {
    views.each_ref().map(|view| broadcast(view, shape))
}

/// The parts of views before and from `middle` on.
pub(crate) fn split_all<'a, R, const N: usize>(
    mut views: [ArrayViewD<'a, R>; N],
    axis: Axis,
    middle: usize,
) -> [[ArrayViewD<'a, R>; N]; 2] {
    let mut rests = views.clone();
    for (view, rest) in views.iter_mut().zip(&mut rests) {
        (*view, *rest) = view.clone().split_at(axis, middle);
    }
    [views, rests]
}

/// The parts of views to write to, cut where views of `ndim` dimensions that they broadcast to are cut along `axis`.
pub(crate) fn split_all_mut<'a, R, const K: usize>(
    mut views: [Option<ArrayViewMutD<'a, R>>; K],
    ndim: usize,
    axis: usize,
    middle: usize,
) -> [[Option<ArrayViewMutD<'a, R>>; K]; 2] {
    let mut rests = [const { None }; K];
    for (place, rest) in views.iter_mut().zip(&mut rests) {
        if let Some(view) = place.take() {
            let own = Axis(axis + view.ndim() - ndim);
            let (before, after) = view.split_at(own, middle);
            (*place, *rest) = (Some(before), Some(after));
        }
    }
    [views, rests]
}

impl<'a, R: Real> Source<'a, R> {
    pub(crate) fn new(view: &'a ArrayViewD<'a, R>) -> Self {
        match view.as_slice() {
            Some(slice) => Self::InOrder(slice),
            None => Self::Gathered { elements: Box::new(view.iter()), buffer: Vec::new() },
        }
    }

    pub(crate) fn of_all<const N: usize>(views: &'a [ArrayViewD<'a, R>; N]) -> [Self; N] {
        views.each_ref().map(Self::new)
    }

    /// The block of each source.
    #[inline(always)]
    pub(crate) fn blocks<const N: usize>(sources: &mut [Self; N], start: usize, n: usize) -> [&[R]; N] {
        let mut blocks = [&[][..]; N];
        for (block, source) in blocks.iter_mut().zip(sources) {
            *block = source.block(start, n);
        }
        blocks
    }

    /// The `n` elements from `start`; blocks are asked for in order.
    #[inline(always)]
    pub(crate) fn block(&mut self, start: usize, n: usize) -> &[R] {
        match self {
            Self::InOrder(slice) => &slice[start..start + n],
            Self::Gathered { elements, buffer } => {
                buffer.clear();
                buffer.extend(elements.take(n));
                buffer
            }
        }
    }
}

/// The elements of a tensor, one after the other; unlike ndarray's own iterator it is inlined.
pub enum ElementSource<'a, T> {
    /// The whole tensor lies in order.
    InOrder(std::slice::Iter<'a, T>),
    /// Each element lies somewhere.
    Scattered(Box<Iter<'a, T, IxDyn>>),
}

impl<'a, T> ElementSource<'a, T> {
    pub(crate) fn new(view: &'a ArrayViewD<'_, T>) -> Self {
        view.as_slice().map_or_else(|| Self::Scattered(Box::new(view.iter())), |slice| Self::InOrder(slice.iter()))
    }
}

impl<'a, T> Iterator for ElementSource<'a, T> {
    type Item = &'a T;

    #[inline(always)]
    fn next(&mut self) -> Option<&'a T> {
        match self {
            Self::InOrder(elements) => elements.next(),
            Self::Scattered(elements) => elements.next(),
        }
    }
}

/// A tensor to write to.
pub(crate) enum Sink<'a, R: Real> {
    InOrder(&'a mut [R]),
    Scattered {
        elements: Box<IterMut<'a, R, IxDyn>>,
        buffer: Vec<R>,
    },
    /// Broadcast: what belongs to one element is summed.
    Reduced {
        out: Box<IterMut<'a, R, IxDyn>>,
        sums: Vec<R::Sum>,
        offsets: Box<Offsets>,
        buffer: Vec<R>,
    },
}

impl<'a, R: Real> Sink<'a, R> {
    /// A view that broadcasts to `shape`.
    pub(crate) fn new(view: &'a mut ArrayViewMutD<'_, R>, shape: &[usize]) -> Self {
        if view.shape() != shape {
            let offsets = Box::new(Offsets::new(view.shape(), shape));
            let sums = vec![R::Sum::ZERO; view.len()];
            return Self::Reduced { out: Box::new(view.iter_mut()), sums, offsets, buffer: Vec::new() };
        }
        if view.is_standard_layout() {
            Self::InOrder(view.as_slice_mut().expect("a view in standard layout is a slice"))
        } else {
            Self::Scattered { elements: Box::new(view.iter_mut()), buffer: Vec::new() }
        }
    }

    /// The sinks of views that broadcast to `shape`.
    pub(crate) fn of_all<const K: usize>(
        views: &'a mut [Option<ArrayViewMutD<'_, R>>; K],
        shape: &[usize],
    ) -> [Option<Self>; K] {
        let mut sinks = [const { None }; K];
        for (sink, view) in sinks.iter_mut().zip(views) {
            *sink = view.as_mut().map(|view| Self::new(view, shape));
        }
        sinks
    }

    /// The block of each sink.
    pub(crate) fn blocks<const K: usize>(
        sinks: &mut [Option<Self>; K],
        start: usize,
        n: usize,
    ) -> [Option<&mut [R]>; K] {
        let mut blocks = [const { None }; K];
        for (block, sink) in blocks.iter_mut().zip(sinks) {
            *block = sink.as_mut().map(|sink| sink.block(start, n));
        }
        blocks
    }

    /// Where to write the `n` elements from `start`; blocks are asked for in order, each followed by `flush`.
    #[inline(always)]
    pub(crate) fn block(&mut self, start: usize, n: usize) -> &mut [R] {
        match self {
            Self::InOrder(slice) => &mut slice[start..start + n],
            Self::Scattered { buffer, .. } | Self::Reduced { buffer, .. } => {
                buffer.resize(n, R::ZERO);
                buffer
            }
        }
    }

    /// Passes on the last block.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        match self {
            Self::InOrder(_) => {}
            Self::Scattered { elements, buffer } => {
                for (&from, to) in buffer.iter().zip(elements.by_ref()) {
                    *to = from;
                }
            }
            Self::Reduced { sums, offsets, buffer, .. } => {
                for (&term, offset) in buffer.iter().zip(offsets.by_ref()) {
                    sums[offset] = sums[offset].plus(term);
                }
            }
        }
    }

    /// Writes what could only be known at the end.
    pub(crate) fn finish(self) {
        if let Self::Reduced { out, sums, .. } = self {
            for (to, sum) in out.zip(sums) {
                *to = sum.total();
            }
        }
    }
}

/// For each element of a shape, the position of the element that broadcasts to it.
pub(crate) struct Offsets {
    shape: Vec<usize>,
    strides: Vec<usize>,
    index: Vec<usize>,
    offset: usize,
}

impl Offsets {
    fn new(from: &[usize], shape: &[usize]) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut stride = 1;
        for (axis, &dim) in from.iter().enumerate().rev() {
            if dim != 1 {
                strides[axis + shape.len() - from.len()] = stride;
            }
            stride *= dim;
        }
        Self { shape: shape.to_vec(), strides, index: vec![0; shape.len()], offset: 0 }
    }
}

impl Iterator for Offsets {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let offset = self.offset;
        for axis in (0..self.shape.len()).rev() {
            self.index[axis] += 1;
            self.offset += self.strides[axis];
            if self.index[axis] < self.shape[axis] {
                break;
            }
            self.offset -= self.strides[axis] * self.shape[axis];
            self.index[axis] = 0;
        }
        Some(offset)
    }
}
