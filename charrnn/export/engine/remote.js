// A model on the server, with the messages of worker.js: texts are written by POST /v1/completions.
"use strict";

class RemoteWorker {
  constructor(model, token) {
    Object.assign(this, { model, token, task: 0, text: "", prompt: "", onmessage: () => {} });
    this.controller = null;
    setTimeout(() => this.answer({ ready: true }));
  }

  answer(data) {
    this.onmessage({ data });
  }

  postMessage({ task, write, more, score, stop }) {
    if (task === undefined) return;
    this.task = task;
    this.controller?.abort();
    if (stop) return;
    if (write) {
      this.prompt = write.prompt;
      this.text = "";
      this.run(task, { prompt: write.prompt, ...this.settings(write) }, true);
    } else if (more) {
      const seed = (more.seed + this.text.length) % 2 ** 31;
      this.run(task, { prompt: this.prompt + this.text, ...this.settings({ ...more, seed }) }, true);
    } else if (score !== undefined) {
      this.run(task, { prompt: score, max_tokens: 0, echo: true, logprobs: 5 }, false);
    }
  }

  settings({ temperature, topP, seed, length }) {
    return { temperature, top_p: topP, seed, max_tokens: length, logprobs: 5 };
  }

  async run(task, body, isWritten) {
    const controller = this.controller = new AbortController();
    try {
      const response = await fetch("v1/completions", {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(this.token && { Authorization: `Bearer ${this.token}` }) },
        body: JSON.stringify({ model: this.model, stream: true, ...body }),
        signal: controller.signal,
      });
      if (!response.ok) throw new Error((await response.json()).error.message);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.task !== task) break;
        const lines = (rest + value).split("\n\n");
        rest = lines.pop();
        for (const line of lines) this.receive(task, line.replace(/^data: /, ""), isWritten);
      }
      this.answer({ task, done: true });
    } catch (error) {
      if (error.name !== "AbortError") this.answer({ task, error: error.message });
    }
  }

  receive(task, line, isWritten) {
    if (line === "[DONE]") return;
    const { error, choices } = JSON.parse(line);
    if (error) throw new Error(error.message);
    for (const { logprobs } of choices) {
      const characters = logprobs.tokens.map((text, i) => {
        const log = logprobs.token_logprobs[i];
        if (log === null) return { text };
        const expected = Object.entries(logprobs.top_logprobs[i]).map(([character, value]) => [character, Math.exp(value)]);
        return { text, bits: Math.max(0, -log / Math.LN2), expected };
      });
      if (isWritten) this.text += logprobs.tokens.join("");
      this.answer({ task, characters });
    }
  }
}
