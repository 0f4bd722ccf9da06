// What moves on the page: the caret in the text and the panel beside it, colours by surprisal or by a unit, samples.
// Characters are put in as text only, so that nothing of a text, a name or a sample is markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const element = (name, className, text) => {
    const one = document.createElement(name);
    if (className) one.className = className;
    if (text !== undefined) one.textContent = text;
    return one;
  };
  const { text, units } = data;
  const count = text.characters.length;
  const LEVELS = 8, MOST_BITS = 8, CONTEXT = 40, SPOKEN_AFTER = 250;
  document.querySelectorAll(".js").forEach((one) => { one.hidden = false; });

  // The text: one element a character, of which none can be focused; the whole can.
  const field = at("text");
  const spans = text.characters.map((shown) => element("i", shown === "↵\n" ? "end" : "", shown));
  field.replaceChildren(...spans);
  const place = new Map(spans.map((span, i) => [span, i]));
  const classes = new Array(count).fill("");
  const lines = [0];
  text.characters.forEach((shown, i) => { if (shown === "↵\n" && i + 1 < count) lines.push(i + 1); });

  const name = (i) => text.names[i] || text.characters[i];
  const number = (value, digits) => value.toFixed(digits).replace("-", "−");
  const percent = (share) => share < 0.05 ? "< 0.1%" : `${number(share, share < 10 ? 1 : 0)}%`;
  const bitsOf = (i) => text.bits[i] === null ? "infinitely many bits" : `${number(text.bits[i], 2)} bits`;

  // Units.
  const values = units ? new Int8Array(Uint8Array.from(atob(units.values), (one) => one.charCodeAt(0)).buffer) : null;
  const unitNames = units ? units.kept.map((unit) =>
    `${units.groups[Math.floor(unit / units.width)]} ${unit % units.width + 1}`) : [];
  const tracks = new Map(data.tracks);
  const rowOf = units ? new Map(units.kept.map((unit, row) => [String(unit), row])) : new Map();
  const activation = (row, i) => values[row * count + i] / 127 * units.scales[row];

  let caret = 0, pointed = null, chosen = null, spoken = 0;

  const show = (i) => {
    at("before").replaceChildren(
      text.characters.slice(Math.max(0, i - CONTEXT), i).join("").replaceAll("↵\n", "↵").replaceAll("⇥\t", "⇥").slice(-CONTEXT),
      element("b", "", "?"));
    at("before").scrollTo(at("before").scrollWidth, at("before").scrollHeight); // the end of it is what matters
    const rows = text.likeliest[i].map((letter, k) => {
      const [shown, called] = text.alphabet[letter];
      const row = element("li", called === name(i) ? "right" : "");
      const bar = element("span", "bar");
      bar.style.width = `${text.percent[i][k]}%`;
      const room = element("span");
      room.append(bar);
      const character = element("span", "character", shown);
      character.title = called;
      row.append(character, room, element("span", "percent", percent(text.percent[i][k])));
      return row;
    });
    at("likeliest").replaceChildren(...rows);
    const nothing = rows.length ? "" : ", as if drawn by lot: nothing is before it";
    at("came").replaceChildren("What came: ", element("b", "", name(i)), `, ${bitsOf(i)}${nothing}`);
    at("activation").textContent = chosen === null ? "" : `${unitNames[chosen]} after it: ${number(activation(chosen, i), 2)}`;
  };

  const speak = () => {
    clearTimeout(spoken);
    spoken = setTimeout(() => {
      const some = text.likeliest[caret].slice(0, 3).map((letter, k) =>
        `${text.alphabet[letter][1]} ${Math.round(text.percent[caret][k])}%`).join(", ");
      at("spoken").textContent = `${name(caret)}, ${bitsOf(caret)}. ${some ? `Expected ${some}.` : ""} ${at("activation").textContent}`;
    }, SPOKEN_AFTER);
  };

  const moveTo = (i, byKey) => {
    spans[caret].classList.remove("caret");
    caret = Math.max(0, Math.min(count - 1, i));
    spans[caret].classList.add("caret");
    pointed = null;
    show(caret);
    if (byKey) {
      keepInView();
      speak();
    }
  };

  const keepInView = () => {
    const box = spans[caret].getBoundingClientRect(), panel = at("panel").getBoundingClientRect();
    const isBelow = panel.width > field.clientWidth * 0.9; // as on a phone, where it covers the foot of the screen
    const bottom = isBelow ? Math.min(panel.top, window.innerHeight) : window.innerHeight;
    if (box.top < 0) window.scrollBy({ top: box.top - 40, behavior: "instant" });
    else if (box.bottom > bottom) window.scrollBy({ top: box.bottom - bottom + 40, behavior: "instant" });
  };

  const line = () => {
    let low = 0, high = lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lines[middle] <= caret) low = middle; else high = middle - 1;
    }
    return low;
  };
  const endOf = (row) => (row + 1 < lines.length ? lines[row + 1] : count) - 1;
  const byLines = (step) => {
    const row = line(), wanted = Math.max(0, Math.min(lines.length - 1, row + step));
    return wanted === row ? caret : Math.min(lines[wanted] + caret - lines[row], endOf(wanted));
  };
  const keys = {
    ArrowLeft: () => caret - 1,
    ArrowRight: () => caret + 1,
    ArrowUp: () => byLines(-1),
    ArrowDown: () => byLines(1),
    PageUp: () => byLines(-10),
    PageDown: () => byLines(10),
    Home: (event) => event.ctrlKey ? 0 : lines[line()],
    End: (event) => event.ctrlKey ? count - 1 : endOf(line()),
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.blur();
    if (event.altKey || event.metaKey || !(event.key in keys)) return;
    event.preventDefault();
    moveTo(keys[event.key](event), true);
  });
  field.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const i = place.get(event.target);
    if (i !== undefined && i !== pointed) show(pointed = i);
  });
  field.addEventListener("pointerleave", () => { if (pointed !== null) { pointed = null; show(caret); } });
  field.addEventListener("click", (event) => { if (place.has(event.target)) moveTo(place.get(event.target), false); });
  field.addEventListener("focus", () => { if (field.matches(":focus-visible")) speak(); });

  // Colours.
  const level = (share) => Math.round(Math.max(-1, Math.min(1, share)) * LEVELS);
  const paint = () => {
    for (let i = 0; i < count; i++) {
      const found = chosen === null
        ? level(text.bits[i] === null ? 1 : text.bits[i] / MOST_BITS)
        : level(values[chosen * count + i] / 127);
      const wanted = found > 0 ? `w${found}` : found < 0 ? `c${-found}` : "";
      if (wanted === classes[i]) continue;
      if (classes[i]) spans[i].classList.remove(classes[i]);
      if (wanted) spans[i].classList.add(wanted);
      classes[i] = wanted;
    }
  };
  const select = at("colour");
  const choose = (unit) => {
    chosen = unit !== null && rowOf.has(unit) ? rowOf.get(unit) : null;
    select.value = chosen === null ? "surprisal" : unit;
    paint();
    const scale = chosen === null ? null : number(units.scales[chosen], 2);
    at("ramp").className = chosen === null ? "surprisal" : "unit";
    at("low").textContent = chosen === null ? "0 bits" : `−${scale}`;
    at("high").textContent = chosen === null ? `${MOST_BITS} bits and more` : scale;
    const known = chosen === null ? undefined : tracks.get(unit);
    at("coloured").textContent = chosen === null
      ? "Each character by how surprising it was."
      : `Each character by what ${unitNames[chosen]} is after it${known ? `, which follows best: ${known}` : ""}.`;
    document.querySelectorAll("button.unit").forEach((one) => {
      one.setAttribute("aria-pressed", String(chosen !== null && one.dataset.unit === unit));
    });
    show(pointed === null ? caret : pointed);
  };
  select.addEventListener("change", () => choose(select.value === "surprisal" ? null : select.value));
  const option = (unit, label) => {
    const one = element("option", "", label);
    one.value = unit;
    return one;
  };
  if (units) {
    const found = element("optgroup");
    found.label = "keeps track of";
    data.tracks.forEach(([unit, what]) => {
      if (rowOf.has(unit)) found.append(option(unit, `${unitNames[rowOf.get(unit)]}: ${what}`));
    });
    if (found.children.length) select.append(found);
    const groups = new Map();
    units.kept.forEach((unit, row) => {
      const group = units.groups[Math.floor(unit / units.width)];
      if (!groups.has(group)) {
        groups.set(group, element("optgroup"));
        groups.get(group).label = group;
      }
      if (!tracks.has(String(unit))) groups.get(group).append(option(String(unit), unitNames[row]));
      const known = element("option");
      known.value = unitNames[row];
      at("unit-names").append(known);
    });
    select.append(...[...groups.values()].filter((group) => group.children.length));
    at("find").addEventListener("input", (event) => {
      const row = unitNames.indexOf(event.target.value.trim().toLowerCase());
      if (row >= 0) choose(String(units.kept[row]));
    });
    document.querySelectorAll("button.unit").forEach((one) => {
      one.disabled = !rowOf.has(one.dataset.unit);
      one.addEventListener("click", () => {
        choose(one.dataset.unit);
        at("reading").scrollIntoView();
      });
    });
  }

  // Samples, one at a time.
  const slider = at("sample-choice");
  if (slider) {
    const items = [...document.querySelectorAll("#samples li")];
    const turn = () => {
      items.forEach((one, i) => { one.hidden = i !== Number(slider.value); });
      slider.setAttribute("aria-valuetext", items[Number(slider.value)].dataset.label);
    };
    slider.closest("p").hidden = items.length < 2;
    slider.addEventListener("input", turn);
    turn();
  }

  moveTo(Math.min(count - 1, 24), false);
  choose(null);
})();
