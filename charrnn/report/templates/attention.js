// Where attention looks: reads the weights that the page has for the characters at the beginning of its text.
"use strict";
const readAttention = ({ count, starts, layers }) => {
  const numbers = (text, Kind) => new Kind(Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0)).buffer);
  const heads = new Map(); // by name; head 0 is the mean of all heads
  layers.forEach((data) => {
    const counts = numbers(data.counts, Uint16Array), ends = new Uint32Array(counts.length + 1);
    counts.forEach((kept, row) => { ends[row + 1] = ends[row] + kept; });
    const layer = {
      size: data.heads,
      ends,
      skipped: numbers(data.distances, data.width === 1 ? Uint8Array : Uint16Array),
      roots: numbers(data.weights, Uint8Array),
    };
    heads.set(data.name, { layer, head: 0, label: `${data.name}, mean of heads` });
    for (let head = 1; head <= data.heads; head++) {
      heads.set(`${data.name} head ${head}`, { layer, head, label: `${data.name}, head ${head}` });
    }
  });

  // Return the weights of a head when it predicts character i, by place; −1 is the start character of a document.
  const weightsAt = (name, i) => {
    const { layer, head } = heads.get(name), found = new Map();
    const [first, last] = head ? [head, head] : [1, layer.size];
    const start = starts.findLast((place) => place <= i) ?? 0;
    for (let k = layer.ends[i * layer.size + first - 1]; k < layer.ends[i * layer.size + last]; k++) {
      const place = i - 1 - layer.skipped[k] < start ? -1 : i - 1 - layer.skipped[k];
      found.set(place, (found.get(place) ?? 0) + (layer.roots[k] / 255) ** 2 / (last - first + 1));
    }
    return found;
  };
  return { count, heads, weightsAt };
};
