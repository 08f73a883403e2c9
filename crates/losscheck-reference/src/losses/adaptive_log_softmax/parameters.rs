/// The parameters of [`AdaptiveLogSoftmaxWithLoss`](super::AdaptiveLogSoftmaxWithLoss), or something for each of them: shapes, views, gradients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveParameters<T> {
    /// PyTorch's `head.weight`, (cutoffs\[0\] + tails, in_features): the shortlist's classes, then the tails.
    pub head_weight: T,
    /// PyTorch's `head.bias`, where there is one: (cutoffs\[0\] + tails).
    pub head_bias: Option<T>,
    /// The tails, in the order of their classes.
    pub tail: Vec<AdaptiveTail<T>>,
}

/// The parameters of one tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveTail<T> {
    /// PyTorch's `tail.i.0.weight`, (floor(in_features / div_value^(i + 1)), in_features).
    pub projection: T,
    /// PyTorch's `tail.i.1.weight`: (classes of the tail, outputs of the projection).
    pub output: T,
}

impl<T> AdaptiveParameters<T> {
    /// One for each parameter.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> AdaptiveParameters<U> {
        AdaptiveParameters {
            head_weight: f(self.head_weight),
            head_bias: self.head_bias.map(&mut f),
            tail: self
                .tail
                .into_iter()
                .map(|tail| AdaptiveTail { projection: f(tail.projection), output: f(tail.output) })
                .collect(),
        }
    }

    /// References to the same.
    pub fn as_ref(&self) -> AdaptiveParameters<&T> {
        let tail = self.tail.iter().map(|AdaptiveTail { projection, output }| AdaptiveTail { projection, output });
        AdaptiveParameters { head_weight: &self.head_weight, head_bias: self.head_bias.as_ref(), tail: tail.collect() }
    }

    /// References to the same, to write to.
    pub fn as_mut(&mut self) -> AdaptiveParameters<&mut T> {
        let tail = self.tail.iter_mut().map(|AdaptiveTail { projection, output }| AdaptiveTail { projection, output });
        AdaptiveParameters {
            head_weight: &mut self.head_weight,
            head_bias: self.head_bias.as_mut(),
            tail: tail.collect(),
        }
    }
}

impl<T> IntoIterator for AdaptiveParameters<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    /// In the order of PyTorch's `state_dict`.
    fn into_iter(self) -> Self::IntoIter {
        let tail = self.tail.into_iter().flat_map(|tail| [tail.projection, tail.output]);
        let all: Vec<T> = [self.head_weight].into_iter().chain(self.head_bias).chain(tail).collect();
        all.into_iter()
    }
}
