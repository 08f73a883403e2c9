// An adapter for losses in plain JavaScript, which computes in f64 and rounds the results. It needs nothing but Node.js 20:
//
//   losscheck smoke js='node adapters/javascript/adapter.mjs'
//
// docs/protocol.md describes the messages.

import { createInterface } from "node:readline";

/** The losses: for each pair of numbers the loss, and its derivative by the input. */
const LOSSES = {
  mse_loss: () => (x, t) => [(x - t) ** 2, 2 * (x - t)],
  huber_loss: ({ delta }) => {
    if (!(delta > 0)) throw new Refusal(`delta: expected a positive number, found ${delta}`);
    return (x, t) => {
      const d = x - t;
      // NaN takes the second branch, in which it stays.
      if (Math.abs(d) > delta) return [delta * (Math.abs(d) - 0.5 * delta), delta * Math.sign(d)];
      return [0.5 * d * d, d];
    };
  },
};

class Refusal extends Error {}
class Gap extends Error {}

const ARRAYS = { f32: Float32Array, f64: Float64Array };

function read({ dtype, shape, bits }) {
  if (!(dtype in ARRAYS)) throw new Gap(`there is no ${dtype}`);
  const bytes = Uint8Array.from(Buffer.from(bits, "base64"));
  return { dtype, shape, data: new ARRAYS[dtype](bytes.buffer) };
}

function write(dtype, shape, numbers) {
  const { buffer } = ARRAYS[dtype].from(numbers);
  return { dtype, shape, bits: Buffer.from(buffer).toString("base64") };
}

/** Returns the shape to which two shapes broadcast. */
function broadcast(a, b) {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [m, n] = [a, b].map((shape) => shape[axis - rank + shape.length] ?? 1);
    if (m !== n && m !== 1 && n !== 1) throw new Refusal(`shapes [${a}] and [${b}] do not broadcast`);
    return m === 1 ? n : m;
  });
}

/** Returns, for each element of the broadcast shape, the place of the element of a tensor that stands there. */
function places(own, shape) {
  const size = shape.reduce((product, length) => product * length, 1);
  return Array.from({ length: size }, (_, index) => {
    let [place, stride] = [0, 1];
    for (let axis = shape.length - 1, at = own.length - 1; axis >= 0; axis--, at--) {
      if (at >= 0 && own[at] !== 1) place += (index % shape[axis]) * stride;
      stride *= at >= 0 ? own[at] : 1;
      index = Math.floor(index / shape[axis]);
    }
    return place;
  });
}

/** Adds numbers in pairs: one after the other, a quarter of a million of them would be off by a thousand ULPs. */
function sum(numbers) {
  if (numbers.length <= 8) return numbers.reduce((total, number) => total + number, 0);
  const half = numbers.length >> 1;
  return sum(numbers.slice(0, half)) + sum(numbers.slice(half));
}

function answer({ n, loss, options, inputs, cotangent, want }) {
  if (inputs.weight) throw new Gap("there is no weight");
  const [x, t] = [read(inputs.input), read(inputs.target)];
  if (x.dtype !== t.dtype) throw new Gap("there are no tensors of several dtypes");
  const shape = broadcast(x.shape, t.shape);
  const [xs, ts] = [places(x.shape, shape), places(t.shape, shape)];
  const of = LOSSES[loss](options);
  const each = xs.map((place, index) => of(x.data[place], t.data[ts[index]]));
  const isReduced = options.reduction !== "none";
  const count = options.reduction === "mean" ? each.length : 1;
  const losses = each.map(([value]) => value);
  const values = isReduced ? [sum(losses) / count] : losses;

  const from = cotangent ? read(cotangent).data : null;
  const gradients = { input: new Float64Array(x.data.length), target: new Float64Array(t.data.length) };
  each.forEach(([, slope], index) => {
    const share = ((from ? from[isReduced ? 0 : index] : 1) / count) * slope;
    gradients.input[xs[index]] += share;
    gradients.target[ts[index]] -= share;
  });
  const shapes = { input: x.shape, target: t.shape };
  return {
    n,
    value: write(x.dtype, isReduced ? [] : shape, values),
    gradients: Object.fromEntries(want.map((name) => [name, write(x.dtype, shapes[name], gradients[name])])),
  };
}

function reply(message) {
  try {
    return { answer: answer(message) };
  } catch (error) {
    const n = message.n;
    if (error instanceof Refusal) return { rejected: { n, message: error.message } };
    if (error instanceof Gap) return { unsupported: { n, why: error.message } };
    return { failed: { n, message: String(error), traceback: error.stack } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [[kind, message]] = Object.entries(JSON.parse(line));
  if (kind === "bye") break;
  const dtypes = Object.keys(ARRAYS);
  const losses = Object.fromEntries(Object.keys(LOSSES).map((loss) => [loss, { coverage: "composed", dtypes }]));
  const libraries = { node: process.versions.node };
  const hello = { protocol: 1, name: "javascript", libraries, device: "cpu", losses, cases: message.cases };
  process.stdout.write(JSON.stringify(kind === "hello" ? { hello } : reply(message)) + "\n");
}
