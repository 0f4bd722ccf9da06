// The C code of the networks: matrices and layers in the memory of the WebAssembly module (kernels.c, network.h).
"use strict";

const CELLS = { rnn: [0, 1, 1], lstm: [1, 4, 2], gru: [2, 3, 1], minlstm: [3, 3, 1], mingru: [4, 2, 1] };
// cell: its number in network.h, its gates, and the number of vectors in its state
const ALIGNMENT = 64, MATRIX_BYTES = 24, LAYER_BYTES = 68, NETWORK_BYTES = 64, PAGE_BYTES = 1 << 16;

class Kernels {
  static async load(bytes) {
    return new Kernels((await WebAssembly.instantiate(bytes)).instance.exports);
  }

  constructor(exports) {
    this.exports = exports;
    this.end = exports.__heap_base.value;
    this.scratch = { pointer: 0, bytes: 0 };
  }

  reserve(bytes) {
    const pointer = Math.ceil(this.end / ALIGNMENT) * ALIGNMENT;
    this.end = pointer + bytes;
    const missing = this.end - this.exports.memory.buffer.byteLength;
    if (missing > 0) this.exports.memory.grow(Math.ceil(missing / PAGE_BYTES));
    return pointer;
  }

  // Views are made when they are used, because a view is lost when the memory grows.
  floats(pointer, size) {
    return new Float32Array(this.exports.memory.buffer, pointer, size);
  }

  integers(pointer, size) {
    return new Int32Array(this.exports.memory.buffer, pointer, size);
  }

  copy(values) {
    const pointer = this.reserve(4 * values.length);
    this.floats(pointer, values.length).set(values);
    return pointer;
  }

  /** Packs `weights`, (gates · N, K), and fills in the structure at `pointer`. */
  fillMatrix(pointer, weights, N, gates) {
    const K = weights.length / (gates * N), nr = gates === 1 ? 2 : gates;
    this.integers(pointer, 6).set([0, K, N, gates, nr, 0]);
    const panels = this.reserve(this.exports.matrix_bytes(pointer));
    this.integers(pointer, 1)[0] = panels;
    if (this.scratch.bytes < 4 * weights.length) {
      this.scratch = { pointer: this.reserve(4 * weights.length), bytes: 4 * weights.length };
    }
    this.floats(this.scratch.pointer, weights.length).set(weights);
    this.exports.pack_matrix(pointer, this.scratch.pointer);
  }

  /** Returns a function that computes W x + b: from a pointer to x, to a pointer to the result, which it overwrites. */
  linear(weights, bias) {
    const N = bias.length, matrix = this.reserve(MATRIX_BYTES);
    this.fillMatrix(matrix, weights, N, 1);
    const biases = this.copy(bias), out = this.reserve(4 * N);
    return (x) => { this.exports.linear(matrix, biases, x, out); return out; };
  }
}

/** A recurrent layer; its state is in the module's memory. */
class RecurrentLayer {
  constructor(kernels, spec, arrays, D, H) {
    const [cell, gates, vectors] = CELLS[spec.cell];
    const [input, recurrent, bias, inner] =
      [spec.input, spec.recurrent, spec.bias, spec.inner].map((number) => number === null ? null : arrays[number]);
    this.kernels = kernels;
    this.size = vectors * H;
    this.layer = kernels.reserve(LAYER_BYTES);
    this.network = kernels.reserve(NETWORK_BYTES);
    kernels.integers(this.network, NETWORK_BYTES / 4).set([cell, gates, 0, H, this.size]);
    kernels.integers(this.layer, LAYER_BYTES / 4).fill(0);
    kernels.fillMatrix(this.layer, input, H, gates);
    const second = this.layer + MATRIX_BYTES;
    if (recurrent) kernels.fillMatrix(second, recurrent, H, gates);
    else kernels.integers(second, 6).set([0, H, H, gates, gates === 1 ? 2 : gates, 0]);
    const pointers = [0, kernels.copy(bias), inner ? kernels.copy(inner) : 0, D, 0];
    kernels.integers(second + MATRIX_BYTES, 5).set(pointers);
    this.inputs = kernels.reserve(4 * gates * H);
    this.state = kernels.reserve(4 * this.size);
    this.y = kernels.reserve(4 * H);
  }

  reset() {
    this.kernels.floats(this.state, this.size).fill(0);
  }

  save() {
    return this.kernels.floats(this.state, this.size).slice();
  }

  restore(state) {
    this.kernels.floats(this.state, this.size).set(state);
  }

  step(x) {
    this.kernels.exports.layer_step(this.network, this.layer, x, this.inputs, this.state, this.y);
    return this.y;
  }
}
