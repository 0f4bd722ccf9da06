// Models made of models: an ensemble, and a mixture of networks and n-grams (charrnn/models/interpolated.py, mixture.py).
"use strict";

const MIN_LOG_PROBABILITY = -15;

class Combination {
  constructor(models) {
    this.models = models;
  }

  get vocabularySize() {
    return this.models[0].vocabularySize;
  }

  reset() {
    for (const model of this.models) model.reset();
  }

  save() {
    return this.models.map((model) => model.save());
  }

  restore(states) {
    this.models.forEach((model, i) => model.restore(states[i]));
  }
}

/** The mean of the probabilities of several networks. */
class Ensemble extends Combination {
  logProbabilities(token) {
    const parts = this.models.map((model) => model.logProbabilities(token));
    const shift = Math.log(parts.length);
    return parts[0].map((_, i) => logSumExp(parts.map((part) => part[i])) - shift);
  }
}

function logSumExp(values) {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** p ∝ p_1^a · p_2^b …, with weights that a small gate computes from all distributions. */
class Mixture extends Combination {
  constructor(networks, ngrams, gate) {
    super([...networks, ...ngrams]);
    this.networks = networks.length;
    this.gate = gate;
  }

  logProbabilities(token) {
    const parts = this.models.map((model, i) => {
      const part = model.logProbabilities(token);
      return i < this.networks ? part : part.map((value) => Math.max(value, MIN_LOG_PROBABILITY));
    });
    const weights = this.weights(features(parts));
    return logSoftmax(parts[0].map((_, i) => parts.reduce((sum, part, k) => sum + weights[k] * part[i], 0)));
  }

  weights(inputs) {
    const [w, b, u, c] = this.gate;
    const hidden = Float64Array.from(b, (bias, i) =>
      Math.tanh(inputs.reduce((sum, value, j) => sum + value * w[i * inputs.length + j], 0) + bias));
    return Float64Array.from(c, (bias, i) => hidden.reduce((sum, value, j) => sum + value * u[i * hidden.length + j], bias));
  }
}

function features(parts) {
  const probabilities = parts.map((part) => part.map(Math.exp)), best = parts.map(argmax), found = [];
  parts.forEach((part, k) => found.push(part.reduce((sum, value, i) => sum + value * probabilities[k][i], 0)));
  parts.forEach((part, k) => found.push(part[best[k]]));
  for (let i = 0; i < parts.length; i++) {
    for (let j = i + 1; j < parts.length; j++) {
      found.push(
        Math.max(parts[i][best[j]], MIN_LOG_PROBABILITY) / 4,
        Math.max(parts[j][best[i]], MIN_LOG_PROBABILITY) / 4,
        probabilities[i].reduce((sum, value, k) => sum + Math.min(value, probabilities[j][k]), 0),
        best[i] === best[j] ? 1 : 0);
    }
  }
  return found;
}

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

function makeModel(spec, arrays, kernels) {
  const all = (specs) => specs.map((part) => makeModel(part, arrays, kernels));
  switch (spec.kind) {
    case "network": return new Network(kernels, spec, arrays);
    case "ensemble": return new Ensemble(all(spec.models));
    case "ngrams": return new NgramModel(spec, arrays);
    case "folded": return new FoldedNgramModel(spec, arrays);
    case "mixture": return new Mixture(all(spec.networks), all(spec.ngrams), spec.gate.map((number) => arrays[number]));
    default: throw new Error(`unknown kind of model: ${spec.kind}`);
  }
}
