// A layer with attention (charrnn/models/rnn/cells/attention.py): its state is the keys and values of the last characters.
"use strict";

const PERIODS = 8, NORM_EPSILON = 1e-5;

class AttentionLayer {
  constructor(kernels, spec, arrays, D, H) {
    const linear = (pair) => pair && kernels.linear(arrays[pair[0]], arrays[pair[1]]);
    this.kernels = kernels;
    this.H = H;
    this.window = spec.window;
    this.heads = spec.heads;
    for (const name of ["enter", "query", "key", "value", "merge", "expand", "contract"]) this[name] = linear(spec[name]);
    this.wide = arrays[spec.expand[1]].length;
    this.width = arrays[spec.query[1]].length;
    this.period = PERIODS * this.window;
    const pairs = this.width / this.heads / 2, fastest = this.period / (2 * Math.PI);
    this.turns = Array.from({ length: pairs }, (_, k) => roundHalfEven(fastest ** (1 - k / Math.max(1, pairs - 1))));
    this.keys = new Float32Array(this.window * this.width);
    this.values = new Float32Array(this.window * this.width);
    this.scores = new Float64Array(this.window);
    [this.normalized, this.sum, this.y] = [H, H, H].map((size) => kernels.reserve(4 * size));
    this.heard = kernels.reserve(4 * this.width);
    this.count = 0;
  }

  reset() {
    this.count = 0;
  }

  save() {
    return { count: this.count, keys: this.keys.slice(), values: this.values.slice() };
  }

  restore(state) {
    this.count = state.count;
    this.keys.set(state.keys);
    this.values.set(state.values);
  }

  step(x) {
    const { kernels, H, width, window } = this;
    const entered = this.enter ? this.enter(x) : x;
    const stream = kernels.floats(entered, H).slice();
    this.normalize(stream);
    const place = (this.count % window) * width;
    const q = kernels.floats(this.query(this.normalized), width);
    const k = kernels.floats(this.key(this.normalized), width);
    this.values.set(kernels.floats(this.value(this.normalized), width), place);
    this.rotate(q);
    this.rotate(k);
    this.keys.set(k, place);
    this.count++;
    this.attend(q, Math.min(this.count, window));
    const a = kernels.floats(this.merge(this.heard), H).slice();
    this.normalize(stream.map((value, i) => value + a[i]));
    const expanded = this.expand(this.normalized), hidden = kernels.floats(expanded, this.wide);
    for (let i = 0; i < this.wide; i++) hidden[i] = gelu(hidden[i]);
    const c = kernels.floats(this.contract(expanded), H), y = kernels.floats(this.y, H);
    for (let i = 0; i < H; i++) y[i] = a[i] + c[i] + (this.enter ? stream[i] : 0);
    return this.y;
  }

  /** Mean 0 and variance 1. */
  normalize(x) {
    let mean = 0, variance = 0;
    for (const value of x) mean += value / x.length;
    for (const value of x) variance += (value - mean) ** 2 / x.length;
    const scale = 1 / Math.sqrt(variance + NORM_EPSILON), out = this.kernels.floats(this.normalized, x.length);
    for (let i = 0; i < x.length; i++) out[i] = (x[i] - mean) * scale;
  }

  /** Rotates pairs of units by angles proportional to the position. */
  rotate(part) {
    const position = this.count % this.period, pairs = this.turns.length;
    for (let pair = 0; pair < part.length / 2; pair++) {
      const angle = (position * this.turns[pair % pairs] % this.period) * (2 * Math.PI / this.period);
      const cos = Math.cos(angle), sin = Math.sin(angle), first = part[2 * pair], second = part[2 * pair + 1];
      part[2 * pair] = first * cos - second * sin;
      part[2 * pair + 1] = first * sin + second * cos;
    }
  }

  /** The weighted mean of the last `seen` values, by head. The order of the characters does not matter: the ring is read as it lies. */
  attend(q, seen) {
    const { width, keys, values, scores } = this;
    const size = width / this.heads, heard = this.kernels.floats(this.heard, width);
    for (let head = 0; head < this.heads; head++) {
      const begin = head * size;
      let largest = -Infinity, total = 0;
      for (let s = 0; s < seen; s++) {
        let score = 0;
        for (let i = begin; i < begin + size; i++) score += q[i] * keys[s * width + i];
        scores[s] = score / Math.sqrt(size);
        largest = Math.max(largest, scores[s]);
      }
      for (let s = 0; s < seen; s++) {
        scores[s] = Math.exp(scores[s] - largest);
        total += scores[s];
      }
      for (let i = begin; i < begin + size; i++) {
        let sum = 0;
        for (let s = 0; s < seen; s++) sum += scores[s] * values[s * width + i];
        heard[i] = sum / total;
      }
    }
  }
}

/** To the nearest integer, as Python rounds: a half to the even one. */
function roundHalfEven(x) {
  const rounded = Math.round(x);
  return x % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

function gelu(x) {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** The error function, with an error below 1.2e-7 (Numerical Recipes, erfc by a Chebyshev fit). */
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const tail = t * Math.exp(-x * x - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return x >= 0 ? 1 - tail : tail - 1;
}
