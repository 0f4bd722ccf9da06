// The thread of one model. Messages: {load}, {write}, {more}, {score}, {stop}, and {read} for each {characters} that was
// shown; answers: {ready}, {unknown}, {characters}, {done}, {error}.
"use strict";

const SLICE = 12; // milliseconds of work between two looks at the messages
const AHEAD = 2; // slices that may be sent before the page has shown them; more would block the page
let unread = 0, wake = () => {};
let session = null, task = 0, written = null; // written: the state of the text that was written, while another is scored

const pause = (() => { // unlike timeouts, messages to oneself are not delayed
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => { waiting.push(resolve); port2.postMessage(null); });
})();

async function load({ model, kernels }) {
  const { header, arrays } = await readModel(model);
  session = new Session(makeModel(header.model, arrays, await Kernels.load(kernels)), header);
  postMessage({ ready: true });
}

/** Sends what `next` returns, until it returns null or another task begins. */
async function run(number, next) {
  let isDone = false;
  while (!isDone && task === number) {
    const characters = [], until = performance.now() + SLICE;
    while (!isDone && performance.now() < until) {
      const character = next();
      if (character === null) isDone = true;
      else characters.push(character);
    }
    postMessage({ task: number, characters });
    unread++;
    await pause();
    while (unread >= AHEAD && task === number) await new Promise((resolve) => { wake = resolve; });
  }
  postMessage({ task: number, done: true });
}

const prompted = (prompt, seed) => {
  session.start(seed);
  const { ids, unknown } = session.encode(prompt);
  session.read(ids);
  return unknown;
};

const writer = (settings) => {
  let left = settings.length;
  return () => left-- > 0 ? session.write(settings) : null;
};

onmessage = async ({ data }) => {
  try {
    if (data.read) unread = Math.max(0, unread - 1);
    if (data.task !== undefined && data.task !== task) unread = 0;
    task = data.task ?? task;
    wake();
    if (data.read) return;
    if (data.load) await load(data.load);
    else if (data.write) {
      written = null;
      postMessage({ task, unknown: prompted(data.write.prompt, data.write.seed) });
      await run(task, writer(data.write));
    } else if (data.more) {
      if (written) session.restore(written);
      written = null;
      await run(task, writer(data.more));
    } else if (data.score !== undefined) {
      written ??= session.random ? session.save() : null;
      const { ids, unknown } = session.encode(data.score);
      postMessage({ task, unknown });
      const scores = session.score(ids);
      await run(task, () => scores.next().value ?? null);
    }
  } catch (error) {
    postMessage({ task, error: String(error.message ?? error) });
  }
};
