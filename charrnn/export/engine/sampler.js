// From the log-probabilities to a character, as charrnn samples (charrnn/sampling/filters.py, sampler.py).
"use strict";

/** Draws a character.
 *
 * @param {Float64Array} scores log-probabilities, up to a constant
 * @param {{temperature: number, topP: number}} settings
 * @param {() => number} uniform the next random number
 */
function sample(scores, settings, uniform) {
  if (settings.temperature === 0) return argmax(scores);
  const largest = scores.reduce((one, other) => Math.max(one, other));
  let changed = scores.map((score) => (score - largest) / settings.temperature);
  if (settings.topP < 1) changed = keepTopP(changed, settings.topP);
  return drawFrom(changed.map(Math.exp), uniform(), true);
}

/** The smallest set of most likely characters with total probability p (Holtzman et al. 2020). */
function keepTopP(scores, p) {
  const order = [...scores.keys()].sort((one, other) => scores[other] - scores[one] || one - other);
  const probabilities = order.map((i) => Math.exp(scores[i])), total = probabilities.reduce((sum, value) => sum + value, 0);
  const kept = new Float64Array(scores.length).fill(-Infinity);
  let sum = 0;
  order.forEach((i, rank) => {
    const share = probabilities[rank] / total;
    sum += share;
    if (rank === 0 || sum - share < p) kept[i] = scores[i];
  });
  return kept;
}

/** The index at which a random number falls into the cumulative sums. */
function drawFrom(values, random, isBelow) {
  const sums = new Float64Array(values.length);
  let total = 0;
  values.forEach((value, i) => { total += value; sums[i] = total; });
  let place = random * total;
  if (isBelow && place >= total) place = total * (1 - Number.EPSILON);
  for (let i = 0; i < sums.length; i++) if (sums[i] > place) return i;
  return sums.length - 1;
}
