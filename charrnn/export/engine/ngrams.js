// N-gram models (charrnn/models/ngram): p(w | c) = weight(c, w) + backoff(c) · p(w | c without its oldest character).
"use strict";

const NOT_FOUND = -1, MAX_REJECTIONS = 2, MAX_EXPONENT = 1;

class NgramModel {
  constructor(spec, arrays) {
    this.V = spec.vocabularySize;
    this.canBackOff = spec.canBackOff;
    this.orders = spec.orders.map(({ tokens, sizes, weights, backoffs }) => {
      const counts = arrays[sizes], starts = new Uint32Array(counts.length + 1);
      for (let i = 0; i < counts.length; i++) starts[i + 1] = starts[i] + counts[i];
      return { tokens: arrays[tokens], starts, weights: arrays[weights], backoffs: arrays[backoffs] };
    });
    this.reset();
  }

  get vocabularySize() {
    return this.V;
  }

  reset() {
    this.nodes = new Array(this.orders.length).fill(0); // the entries of the contexts of 0, 1, … characters
  }

  save() {
    return [...this.nodes];
  }

  restore(nodes) {
    this.nodes = [...nodes];
  }

  advance(token) {
    this.nodes = [0, ...this.entries(token).slice(0, -1)];
  }

  logProbabilities(token) {
    this.advance(token);
    return this.probabilities().map(Math.log);
  }

  /** Reads a character, and draws the next one from p^(1 / temperature), with the random numbers that charrnn uses. */
  draw(token, temperature, uniform) {
    this.advance(token);
    const power = 1 / temperature - 1;
    for (let tries = power >= 0 && power <= MAX_EXPONENT ? MAX_REJECTIONS : 0; tries > 0; tries--) {
      const drawn = this.descend(uniform());
      if (power === 0 || uniform() < Math.max(this.probability(drawn), 0) ** power) return drawn;
    }
    const p = this.probabilities(), largest = p.reduce((one, other) => Math.max(one, other));
    return drawFrom(p.map((value) => (value / largest) ** (1 + power)), uniform(), false);
  }

  /** The entry of each context with a character. */
  entries(token) {
    return this.nodes.map((node, k) => {
      if (node === NOT_FOUND) return NOT_FOUND;
      const { tokens, starts } = this.orders[k];
      let low = starts[node], high = starts[node + 1];
      const end = high;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (tokens[middle] < token + 1) low = middle + 1;
        else high = middle;
      }
      return low < end && tokens[low] === token + 1 ? low : NOT_FOUND;
    });
  }

  probability(token) {
    let p = 1 / this.V;
    this.entries(token).forEach((entry, k) => {
      const node = this.nodes[k], { weights, backoffs } = this.orders[k];
      if (node === NOT_FOUND) return;
      p *= backoffs[node];
      if (entry !== NOT_FOUND) p += weights[entry];
    });
    return p;
  }

  probabilities() {
    const p = new Float64Array(this.V + 1).fill(1 / this.V);
    this.orders.forEach(({ tokens, starts, weights, backoffs }, k) => {
      const node = this.nodes[k];
      if (node === NOT_FOUND) return;
      for (let i = 0; i <= this.V; i++) p[i] *= backoffs[node];
      for (let entry = starts[node]; entry < starts[node + 1]; entry++) p[tokens[entry]] += weights[entry];
    });
    return p.subarray(1).map((value) => Math.max(value, 0));
  }

  descend(left) {
    for (let k = this.orders.length - 1; k >= 0; k--) {
      const node = this.nodes[k], { tokens, starts, weights } = this.orders[k];
      if (node === NOT_FOUND) continue;
      let total = 0;
      for (let entry = starts[node]; entry < starts[node + 1]; entry++) {
        total += weights[entry];
        if (left < total) return tokens[entry] - 1;
      }
      left = total < 1 ? (left - total) / (1 - total) : 0;
    }
    return Math.min(Math.trunc(left * this.V), this.V - 1);
  }
}

/** N-grams of a text without capitals and line ends, with the share of each character in its class. */
class FoldedNgramModel {
  constructor(spec, arrays) {
    this.model = new NgramModel(spec.model, arrays);
    this.classes = arrays[spec.classes];
    this.logShares = arrays[spec.logShares];
  }

  get vocabularySize() {
    return this.classes.length;
  }

  reset() {
    this.model.reset();
  }

  save() {
    return this.model.save();
  }

  restore(state) {
    this.model.restore(state);
  }

  logProbabilities(token) {
    const ofClasses = this.model.logProbabilities(this.classes[token]);
    return Float64Array.from(this.classes, (number, i) => ofClasses[number] + this.logShares[i]);
  }
}
