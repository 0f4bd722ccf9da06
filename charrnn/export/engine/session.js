// A text that a model reads and writes (charrnn/sampling/state.py): prompt, continuation, documents, surprisal.
"use strict";

const EXPECTED = 5; // how many of the likeliest characters are shown

class Session {
  constructor(model, header) {
    this.model = model;
    this.header = header;
    this.ids = header.vocabulary && new Map(header.vocabulary.map((character, id) => [character, id]));
  }

  /** Everything that the next characters depend on, for going on later. */
  save() {
    const { token, document, isEmpty, decoder, random } = this;
    return { model: this.model.save(), token, document, isEmpty, decoder, random };
  }

  restore({ model, ...rest }) {
    this.model.restore(model);
    Object.assign(this, rest);
  }

  /** The ids of a text, and the characters that the model does not know, which are left out. */
  encode(text) {
    if (!this.ids) return { ids: [...new TextEncoder().encode(text)], unknown: [] };
    const ids = [], unknown = new Set();
    for (const character of text) {
      const id = this.ids.get(character) ?? this.header.unknown;
      if (id === null) unknown.add(character);
      else ids.push(id);
    }
    return { ids, unknown: [...unknown] };
  }

  start(seed) {
    this.model.reset();
    this.random = new CounterRandom(seed);
    this.token = this.header.start;
    this.document = []; // the ids since the start of the document
    this.isEmpty = true;
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  /** Reads a prompt. At the start of a text, it is read as it is; a document, after the start character. */
  read(ids) {
    for (const id of ids) {
      if (!(this.isEmpty && !this.header.separator)) this.model.logProbabilities(this.token);
      this.add(id);
    }
  }

  add(id) {
    const { separator, start } = this.header;
    this.token = id;
    this.isEmpty = false;
    if (!separator) return;
    this.document.push(id);
    if (separator.every((part, i) => part === this.document[this.document.length - separator.length + i])) {
      this.model.reset();
      this.token = start;
      this.document = [];
    }
  }

  /** Writes a character; returns its text (of a byte, what it completes), its surprisal and what was expected. */
  write(settings) {
    const isPlain = settings.topP >= 1 && this.header.unknown === null && settings.temperature > 0;
    if (isPlain && !settings.explain && this.model instanceof NgramModel && this.model.canBackOff) {
      const drawn = this.model.draw(this.token, settings.temperature, () => this.random.next());
      return this.written(drawn, null);
    }
    if (isPlain && this.model instanceof NgramModel && this.model.canBackOff) {
      const state = this.model.save();
      const scores = this.model.logProbabilities(this.token);
      this.model.restore(state);
      return this.written(this.model.draw(this.token, settings.temperature, () => this.random.next()), scores);
    }
    const scores = this.model.logProbabilities(this.token), allowed = scores.slice();
    if (this.header.unknown !== null) allowed[this.header.unknown] = -Infinity;
    return this.written(sample(allowed, settings, () => this.random.next()), scores);
  }

  written(id, scores) {
    this.add(id);
    return { text: this.textOf(id), ...(scores && this.explain(scores, id)) };
  }

  textOf(id) {
    return this.ids ? this.header.vocabulary[id] : this.decoder.decode(Uint8Array.of(id), { stream: true });
  }

  /** The surprisal of each character of a text, with what was expected; the first has none without documents. */
  *score(ids) {
    this.start(0);
    for (const id of ids) {
      const isFirst = this.isEmpty && !this.header.separator;
      const scores = isFirst ? null : this.model.logProbabilities(this.token);
      this.add(id);
      yield { text: this.textOf(id), ...(scores && this.explain(scores, id)) };
    }
  }

  explain(scores, id) {
    const order = [...scores.keys()].sort((one, other) => scores[other] - scores[one] || one - other).slice(0, EXPECTED);
    return {
      bits: Math.max(0, -scores[id] / Math.LN2),
      expected: order.map((other) => [this.nameOf(other), Math.exp(scores[other])]),
    };
  }

  nameOf(id) {
    return this.ids ? this.header.vocabulary[id] : id < 128 ? String.fromCharCode(id) : `byte ${id}`;
  }
}
