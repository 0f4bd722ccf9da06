// The page: controls, and one column of text for each model, which writes in a thread of its own (worker.js).
// Characters are inserted as text only, so that nothing in a text or a name can become markup.
(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const element = (name, className, text) => {
    const created = document.createElement(name);
    if (className) created.className = className;
    if (text !== undefined) created.textContent = text;
    return created;
  };
  const bytesOf = (id) => Uint8Array.from(atob(at(id).textContent.trim()), (character) => character.charCodeAt(0));
  const LEVELS = 8, MAX_BITS = 8;
  const INVISIBLE = /^[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]$/u;
  const NAMES = { " ": "space", "\n": "line end", "\t": "tab", "\r": "carriage return" };
  const code = (character) => `\\u{${character.codePointAt(0).toString(16)}}`;
  const shown = (character) => character === "\n" || character === "\t" ? character
    : [...character].map((part) => INVISIBLE.test(part) ? code(part) : part).join("");
  const named = (character) => NAMES[character] ?? (INVISIBLE.test(character) ? code(character) : character);
  const percent = (share) => share < 0.0005 ? "< 0.1%" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  // A text of characters with what was expected at each; only the whole text can be focused, so that Tab stops once.
  class Text {
    constructor(field) {
      this.field = field;
      this.clear();
      field.addEventListener("pointerover", ({ target }) => this.show(this.place.get(target)));
      field.addEventListener("pointerleave", () => this.show(this.caret));
      field.addEventListener("click", ({ target }) => this.moveTo(this.place.get(target)));
      field.addEventListener("focus", () => this.moveTo(this.caret ?? this.first));
      field.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
        if (steps === undefined || event.altKey || event.ctrlKey || event.metaKey || !this.spans.length) return;
        event.preventDefault();
        this.moveTo(Math.max(this.first, Math.min(this.spans.length - 1, (this.caret ?? this.first) + steps)));
      });
    }

    clear(prompt = "") {
      this.spans = [];
      this.characters = [];
      this.place = new Map();
      this.caret = null;
      this.bits = 0;
      this.scored = 0;
      this.field.replaceChildren();
      if (prompt) this.field.append(element("b", "prompt", [...prompt].map(shown).join("")));
      this.first = 0;
    }

    add(characters) {
      const parts = document.createDocumentFragment();
      for (const character of characters) {
        const span = element("i", "", shown(character.text));
        if (character.bits !== undefined) {
          this.bits += character.bits;
          this.scored++;
          const level = Math.min(LEVELS, Math.round(character.bits * LEVELS / MAX_BITS));
          if (level) span.className = `w${level}`;
        }
        this.place.set(span, this.spans.length);
        this.spans.push(span);
        this.characters.push(character);
        parts.append(span);
      }
      this.field.append(parts);
    }

    moveTo(place) {
      if (place === undefined || !this.spans.length) return;
      if (this.caret !== null) this.spans[this.caret].classList.remove("caret");
      this.caret = place;
      this.spans[place].classList.add("caret");
      this.spans[place].scrollIntoView({ block: "nearest" });
      this.show(place);
    }

    show(place) {
      if (place === undefined || place === null) return;
      const { text, bits, expected } = this.characters[place];
      at("panel").hidden = false;
      const actual = element("b", "", named(text));
      if (!expected) return at("panel-text").replaceChildren(actual, ": the first character is not predicted.");
      const rest = expected.map(([character, share]) => {
        const part = element("span", "expected", "");
        part.append(element("b", "", named(character)), ` ${percent(share)}`);
        return part;
      });
      at("panel-text").replaceChildren(actual,
        Number.isFinite(bits) ? ` (${bits.toFixed(2)} bits). Expected: ` : " (probability 0). Expected: ", ...rest);
    }

    get meanBits() {
      return this.scored ? `${(this.bits / this.scored).toFixed(3)} bits per character` : "";
    }
  }

  // In a page of its own a model works in a thread; on a server, RemoteWorker (remote.js) takes its place.
  const connect = typeof RemoteWorker === "undefined" ? (name, i) => {
    const source = new Blob([at("engine").textContent], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(source));
    const model = bytesOf(`model-${i}`), kernels = bytesOf("kernels");
    worker.postMessage({ load: { model, kernels } }, [model.buffer, kernels.buffer]);
    return worker;
  } : (name) => new RemoteWorker(name, new URLSearchParams(location.search).get("token"));

  const models = [...document.querySelectorAll(".model")].map((column, i) => {
    const model = {
      worker: connect(column.dataset.name, i),
      written: new Text(column.querySelector(".written")),
      status: column.querySelector(".status"),
      read: new Text(document.querySelectorAll(".read")[i]),
      readStatus: document.querySelectorAll(".read-status")[i],
      isBusy: false, isReady: false, started: 0, count: 0, text: null,
    };
    model.worker.onmessage = ({ data }) => receive(model, data);
    model.worker.onerror = ({ message }) => { model.status.textContent = `error: ${message}`; };
    return model;
  });

  let task = 0, hasWritten = false;
  const unknownNote = (unknown) => unknown.length
    ? `The model does not know ${unknown.map((character) => `“${named(character)}”`).join(", ")}; left out. ` : "";

  const receive = (model, data) => {
    if (data.ready) {
      model.isReady = true;
      model.status.textContent = "";
      return update();
    }
    if (data.error) {
      model.status.textContent = `error: ${data.error}`;
      model.isBusy = false;
      return update();
    }
    if (data.task !== task) return; // of a task that was stopped
    if (data.unknown) model.note = unknownNote(data.unknown);
    if (data.characters) {
      model.text.add(data.characters);
      model.count += data.characters.length;
      setTimeout(() => model.worker.postMessage({ read: true })); // after clicks and keys that have come meanwhile
    }
    if (data.done) model.isBusy = false;
    const seconds = (performance.now() - model.started) / 1000;
    const speed = model.text === model.written && seconds > 0.2 ? `, ${plural(Math.round(model.count / seconds), "character")} a second` : "";
    const status = model.text === model.written ? model.status : model.readStatus;
    const mean = model.text.meanBits;
    status.textContent = (model.note ?? "")
      + `${plural(model.text.spans.length, "character")}${mean && `, ${mean}`}${speed}`;
    update();
  };

  const update = () => {
    const isBusy = models.some((model) => model.isBusy), isReady = models.every((model) => model.isReady);
    at("write").disabled = at("again").disabled = !isReady || isBusy;
    at("more").disabled = !isReady || isBusy || !hasWritten;
    at("stop").disabled = !isBusy;
    for (const model of models) {
      model.written.field.setAttribute("aria-busy", String(model.isBusy && model.text === model.written));
    }
  };

  const begin = (text, message) => {
    task++;
    for (const model of models) {
      Object.assign(model, { isBusy: true, started: performance.now(), count: 0, text: model[text] });
      model.worker.postMessage({ task, ...message });
    }
    update();
  };

  const settings = () => {
    const number = (id) => Math.min(Number(at(id).max || Infinity), Math.max(Number(at(id).min), Number(at(id).value) || 0));
    return {
      prompt: at("prompt").value, temperature: number("temperature"), topP: number("top-p"),
      seed: Math.trunc(number("seed")), length: Math.trunc(number("length")), explain: true,
    };
  };

  const write = () => {
    const wanted = settings();
    hasWritten = true;
    for (const model of models) {
      model.note = "";
      model.written.clear(wanted.prompt);
    }
    begin("written", { write: wanted });
  };

  const stop = () => {
    task++;
    for (const model of models) {
      model.isBusy = false;
      model.worker.postMessage({ task, stop: true });
    }
    update();
  };

  at("controls").addEventListener("submit", (event) => { event.preventDefault(); if (!at("write").disabled) write(); });
  at("again").addEventListener("click", () => { at("seed").value = String(settings().seed + 1); write(); });
  at("more").addEventListener("click", () => begin("written", { more: settings() }));
  at("stop").addEventListener("click", stop);
  for (const id of ["temperature", "top-p"]) {
    const showValue = () => { at(`${id}-value`).textContent = Number(at(id).value).toFixed(2); };
    at(id).addEventListener("input", showValue);
    showValue();
  }
  at("color").addEventListener("change", () => document.body.classList.toggle("plain", !at("color").checked));

  let typed = 0;
  at("own").addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => {
      if (!models.every((model) => model.isReady)) return;
      for (const model of models) { model.note = ""; model.read.clear(); }
      begin("read", { score: at("own").value });
    }, 150);
  });
  update();
})();
