// A recurrent network, and embeddings of n-grams (charrnn/models/rnn).
"use strict";

class Network {
  constructor(kernels, spec, arrays) {
    const H = spec.hidden;
    this.kernels = kernels;
    this.embedding = arrays[spec.embedding];
    this.V = arrays[spec.headBias].length;
    this.D = this.embedding.length / this.V;
    this.residual = spec.residual;
    this.ngrams = spec.ngrams && new NgramEmbedding(spec.ngrams, arrays, this.D);
    this.layers = spec.layers.map((layer, i) => {
      const kind = layer.cell === "attention" ? AttentionLayer : RecurrentLayer;
      return new kind(kernels, layer, arrays, i ? H : this.D, H);
    });
    this.sizes = this.layers.map((_, i) => [i ? H : this.D, H]);
    this.head = kernels.linear(arrays[spec.head], arrays[spec.headBias]);
    this.x = kernels.reserve(4 * Math.max(this.D, H));
    this.reset();
  }

  get vocabularySize() {
    return this.V;
  }

  reset() {
    for (const layer of this.layers) layer.reset();
    if (this.ngrams) this.ngrams.reset();
  }

  save() {
    return { layers: this.layers.map((layer) => layer.save()), ngrams: this.ngrams && this.ngrams.save() };
  }

  restore(state) {
    this.layers.forEach((layer, i) => layer.restore(state.layers[i]));
    if (this.ngrams) this.ngrams.restore(state.ngrams);
  }

  /** Reads a character; returns the logits of the next one, (V,), valid until the next call. */
  read(token) {
    const x = this.kernels.floats(this.x, this.D);
    x.set(this.embedding.subarray(token * this.D, (token + 1) * this.D));
    if (this.ngrams) this.ngrams.add(token, x);
    this.layers.forEach((layer, i) => {
      const [before, after] = this.sizes[i];
      const y = this.kernels.floats(layer.step(this.x), after), stream = this.kernels.floats(this.x, after);
      if (this.residual && before === after) for (let j = 0; j < after; j++) stream[j] += y[j];
      else stream.set(y);
    });
    return this.kernels.floats(this.head(this.x), this.V);
  }

  logProbabilities(token) {
    return logSoftmax(this.read(token));
  }
}

/** The sum of the embeddings of the n-grams that end at a character, for those that have one. */
class NgramEmbedding {
  constructor(spec, arrays, D) {
    this.keys = arrays[spec.keys];
    this.weight = arrays[spec.weight];
    this.base = BigInt(spec.base);
    this.order = spec.order;
    this.D = D;
    this.reset();
  }

  reset() {
    this.digits = new Array(this.order).fill(0n); // the newest first
  }

  save() {
    return [...this.digits];
  }

  restore(digits) {
    this.digits = [...digits];
  }

  add(token, x) {
    this.digits.pop();
    this.digits.unshift(BigInt(token) + 1n);
    let key = this.digits[0], power = 1n;
    for (const digit of this.digits.slice(1)) {
      if (digit === 0n) return; // no n-gram reaches beyond the start of a text
      power *= this.base;
      key += power * digit;
      const row = this.find(key);
      if (row >= 0) for (let j = 0; j < this.D; j++) x[j] += this.weight[row * this.D + j];
    }
  }

  find(key) {
    let low = 0, high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low < this.keys.length && this.keys[low] === key ? low : -1;
  }
}

function logSoftmax(logits) {
  let largest = -Infinity, total = 0;
  for (const value of logits) largest = Math.max(largest, value);
  for (const value of logits) total += Math.exp(value - largest);
  const shift = largest + Math.log(total);
  return Float64Array.from(logits, (value) => value - shift);
}
