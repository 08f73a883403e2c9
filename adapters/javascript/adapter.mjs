// An adapter of losscheck in plain JavaScript: four losses in f64, and in f32 with one rounding at the end.
import { createInterface } from "node:readline";

const ARRAYS = { f32: Float32Array, f64: Float64Array, i64: BigInt64Array, u8: Uint8Array };
const [Rejected, Unsupported] = [class extends Error {}, class extends Error {}];
const count = (shape) => shape.reduce((product, length) => product * length, 1);
const same = (a, b) => a.length === b.length && a.every((length, axis) => length === b[axis]);
function read({ dtype, shape, bits }) {
  if (!ARRAYS[dtype]) throw new Unsupported(`dtype ${dtype}`);
  const bytes = Uint8Array.from(Buffer.from(bits, "base64")).buffer; // The copy is aligned for the typed array.
  return { dtype, shape, data: Array.from(new ARRAYS[dtype](bytes), Number) };
}

// A Float32Array rounds each number once, as Math.fround does.
function write(dtype, shape, data) {
  return { dtype, shape, bits: Buffer.from(ARRAYS[dtype].from(data).buffer).toString("base64") };
}

// Gives the common shape of two tensors, and for each of its elements the positions in the two.
function broadcast(...shapes) {
  const rank = Math.max(shapes[0].length, shapes[1].length);
  const [a, b] = shapes.map((shape) => [...Array(rank - shape.length).fill(1), ...shape]);
  if (a.some((x, axis) => x !== b[axis] && x !== 1 && b[axis] !== 1)) throw new Rejected(`[${a}] and [${b}] do not broadcast`);
  const shape = a.map((x, axis) => (x === 1 ? b[axis] : x));
  const step = ([i, t], axis, k) => [i * a[axis] + (a[axis] === 1 ? 0 : k), t * b[axis] + (b[axis] === 1 ? 0 : k)];
  const grow = (places, length, axis) => places.flatMap((at) => Array.from({ length }, (_, k) => step(at, axis, k)));
  return [shape, shape.reduce(grow, [[0, 0]])];
}

// Adds with Neumaier's compensation, which is of no use once a number is infinite or NaN.
function sum(values) {
  let [total, lost] = [0, 0];
  for (const value of values) {
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return Number.isFinite(lost) ? total + lost : total;
}

// Reduces the losses, and gives what each of them receives of the cotangent.
function reduce(losses, shape, dtype, reduction, cotangent, divisor = losses.length) {
  if (reduction === "none") return { value: write(dtype, shape, losses), share: (at) => cotangent?.[at] ?? 1 };
  const parts = reduction === "mean" ? divisor : 1;
  return { value: write(dtype, [], [sum(losses) / parts]), share: () => (cotangent?.[0] ?? 1) / parts };
}

function elementwise(loss, slopes) {
  return ({ input, target }, options, cotangent) => {
    if (input.dtype !== target.dtype) throw new Unsupported(`dtypes ${input.dtype} and ${target.dtype}`);
    const [shape, places] = broadcast(input.shape, target.shape);
    if (!slopes.target && !same(shape, input.shape)) throw new Rejected("the target is larger than the input");
    const pairs = places.map(([i, t]) => [input.data[i], target.data[t], options]);
    const { value, share } = reduce(pairs.map((pair) => loss(...pair)), shape, input.dtype, options.reduction, cotangent);
    const gradient = (name) => {
      const [own, side] = name === "input" ? [input, 0] : [target, 1];
      const parts = own.data.map(() => []);
      pairs.forEach((pair, at) => parts[places[at][side]].push(slopes[name](...pair) * share(at)));
      return write(own.dtype, own.shape, parts.map(sum));
    };
    return { value, gradient };
  };
}

function crossEntropy({ input, target }, { ignore_index: ignored, reduction }, cotangent) {
  const [{ shape }, floats] = [input, target.dtype.startsWith("f")];
  if (floats && same(shape, target.shape)) throw new Unsupported("class probabilities");
  const axis = Math.min(shape.length - 1, 1);
  const rows = shape.filter((_, i) => i !== axis);
  if (floats || !shape.length || !same(rows, target.shape)) throw new Rejected(`no classes: ${target.dtype} [${target.shape}]`);
  const [classes, inner] = [shape[axis], count(shape.slice(axis + 1))];
  const place = (row, c) => (Math.floor(row / inner) * classes + c) * inner + (row % inner);
  const kept = target.data.map((y) => y !== ignored);
  if (target.data.some((y, row) => kept[row] && (y < 0 || y >= classes))) throw new Rejected("a class is out of bounds");
  const softmax = target.data.map((_, row) => {
    const scores = Array.from({ length: classes }, (_, c) => input.data[place(row, c)]);
    const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = sum(scores.map((x) => Math.exp(x - top)));
    return { top, log: Math.log(total), p: scores.map((x) => Math.exp(x - top) / total) };
  });
  const losses = softmax.map(({ top, log }, row) => (kept[row] ? log - (input.data[place(row, target.data[row])] - top) : 0));
  const { value, share } = reduce(losses, rows, input.dtype, reduction, cotangent, kept.filter(Boolean).length);
  const slope = new Array(input.data.length).fill(0);
  const fill = (p, row) => p.forEach((q, c) => { slope[place(row, c)] = (q - (c === target.data[row] ? 1 : 0)) * share(row); });
  softmax.forEach(({ p }, row) => kept[row] && fill(p, row));
  return { value, gradient: () => write(input.dtype, shape, slope) };
}

const square = elementwise((x, t) => (x - t) ** 2, { input: (x, t) => 2 * (x - t), target: (x, t) => 2 * (t - x) });
const bent = (d, delta) => (Math.abs(d) <= delta ? d : Math.sign(d) * delta);
const huber = elementwise((x, t, { delta }) => (Math.abs(x - t) <= delta ? (x - t) ** 2 / 2 : delta * (Math.abs(x - t) - delta / 2)),
  { input: (x, t, { delta }) => bent(x - t, delta), target: (x, t, { delta }) => bent(t - x, delta) });
const softMargin = elementwise((x, t) => Math.max(-t * x, 0) + Math.log1p(Math.exp(-Math.abs(t * x))),
  { input: (x, t) => -t * (t * x > 0 ? Math.exp(-t * x) / (1 + Math.exp(-t * x)) : 1 / (1 + Math.exp(t * x))) });
const LOSSES = { mse_loss: square, huber_loss: huber, soft_margin_loss: softMargin, cross_entropy: crossEntropy };
const [dtypes, options] = [["f32", "f64"], { label_smoothing: [0] }];
const losses = { mse_loss: { dtypes }, huber_loss: { dtypes }, soft_margin_loss: { dtypes }, cross_entropy: { dtypes, options } };

function answer({ n, loss, options, inputs, cotangent, want }) {
  try {
    if (inputs.weight) throw new Unsupported("weight");
    options = Object.fromEntries(Object.entries(options).map(([name, x]) => [name, x === "Infinity" ? Infinity : x]));
    const tensors = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, read(tensor)]));
    if (!["f32", "f64"].includes(tensors.input.dtype)) throw new Unsupported(`input of ${tensors.input.dtype}`);
    if (loss === "huber_loss" && !(options.delta > 0)) throw new Rejected("delta has to be positive");
    const { value, gradient } = LOSSES[loss](tensors, options, cotangent && read(cotangent).data);
    return { answer: { n, value, gradients: Object.fromEntries(want.map((name) => [name, gradient(name)])) } };
  } catch (error) {
    if (error instanceof Rejected) return { rejected: { n, message: error.message } };
    if (error instanceof Unsupported) return { unsupported: { n, why: error.message } };
    return { failed: { n, message: String(error), traceback: error.stack } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [[kind, message]] = Object.entries(JSON.parse(line));
  if (kind === "bye") break;
  const hello = { protocol: 1, name: "js", libraries: { node: process.versions.node }, losses, cases: message.cases };
  console.log(JSON.stringify(kind === "hello" ? { hello } : answer(message)));
}
