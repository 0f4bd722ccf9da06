// Counter-based random numbers, the same as in charrnn/sampling/rng.py: Philox 4x64-10 (Salmon et al. 2011).
"use strict";

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xD2E7470EE14C6C93n, 0xCA5A826395121157n];
const WEYL = [0x9E3779B97F4A7C15n, 0xBB67AE8584CAA73Bn];
const ROUNDS = 10, NUMBERS_PER_COUNT = 4;

/** Returns the four numbers of a counter, each uniform on [0, 1). */
function philox(seed, count) {
  let [a, b, c, d] = [count & MASK, 0n, 0n, 0n];
  let [k, l] = [seed & MASK, 0n];
  for (let round = 0; round < ROUNDS; round++) {
    const first = MULTIPLIERS[0] * a, second = MULTIPLIERS[1] * c;
    [a, b, c, d] = [(second >> 64n) ^ b ^ k, second & MASK, (first >> 64n) ^ d ^ l, first & MASK];
    k = (k + WEYL[0]) & MASK;
    l = (l + WEYL[1]) & MASK;
  }
  return [a, b, c, d].map((number) => Number(number >> 11n) * 2 ** -53);
}

/** The random numbers of a text: number n of a seed is always the same. */
class CounterRandom {
  constructor(seed) {
    this.seed = BigInt(seed);
    this.position = 0;
    this.numbers = [];
  }

  next() {
    const place = this.position % NUMBERS_PER_COUNT;
    if (place === 0) this.numbers = philox(this.seed, BigInt(this.position / NUMBERS_PER_COUNT) + 1n);
    this.position++;
    return this.numbers[place];
  }
}
