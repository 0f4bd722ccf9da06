// Reading the model of a page: a JSON header, and arrays in several encodings (see charrnn/export/container.py).
"use strict";

const HALVES = (() => { // the value of each float16
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24 : exponent === 31 ? (fraction ? NaN : Infinity)
      : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits >> 15 ? -size : size;
  }
  return table;
})();

const LOG_STEP = Math.log(2) / 2730; // code c > 0 stands for exp(−(c − 1) · LOG_STEP); 65,535 codes reach down to 2^−24
const LOGS = (() => {
  const table = new Float32Array(1 << 16);
  for (let code = 1; code < table.length; code++) table[code] = Math.exp(-(code - 1) * LOG_STEP);
  return table;
})();

/** Inflates the bytes of a page, and returns {header, arrays}. */
async function readModel(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const begin = Math.ceil((4 + length) / 8) * 8;
  return { header, arrays: header.arrays.map((record) => decodeArray(buffer, begin, record)) };
}

function decodeArray(buffer, begin, { type, offset, size, scales, columns }) {
  const at = begin + offset;
  switch (type) {
    case "f32": return new Float32Array(buffer, at, size);
    case "f16": return Float32Array.from(new Uint16Array(buffer, at, size), (bits) => HALVES[bits]);
    case "log16": return Float32Array.from(new Uint16Array(buffer, at, size), (code) => LOGS[code]);
    case "i8": { // rows of `columns` numbers, each with a scale
      const factors = new Float32Array(buffer, begin + scales, size / columns);
      const values = new Int8Array(buffer, at, size), decoded = new Float32Array(size);
      for (let i = 0; i < size; i++) decoded[i] = values[i] * factors[Math.floor(i / columns)];
      return decoded;
    }
    case "u8": return new Uint8Array(buffer, at, size);
    case "u16": return new Uint16Array(buffer, at, size);
    case "u32": return new Uint32Array(buffer, at, size);
    case "u64": return new BigUint64Array(buffer, at, size);
    default: throw new Error(`unknown type of array: ${type}`);
  }
}
