// The interactive parts of the page: the caret and its panel, colors by surprisal, a unit or attention, samples.
// Characters are inserted as text only, so that no part of a text, a name or a sample can become markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const element = (name, className, text) => {
    const created = document.createElement(name);
    if (className) created.className = className;
    if (text !== undefined) created.textContent = text;
    return created;
  };
  const { text, units } = data;
  const count = text.characters.length;
  const LEVELS = 8, MAX_BITS = 8, CONTEXT = 40, LOOKS = 5, SPEECH_DELAY = 250;
  document.querySelectorAll(".js").forEach((part) => { part.hidden = false; });

  // The text: one element per character. Only the whole text can be focused, so that Tab stops once.
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
  const bitsOf = (i) => text.bits[i] === null ? "infinitely many bits (probability 0)" : `${number(text.bits[i], 2)} bits`;

  // Units.
  const values = units ? new Int8Array(Uint8Array.from(atob(units.values), (byte) => byte.charCodeAt(0)).buffer) : null;
  const unitNames = units ? units.kept.map((unit) =>
    `${units.groups[Math.floor(unit / units.width)]} ${unit % units.width + 1}`) : [];
  const tracks = new Map(data.tracks);
  const rowOf = units ? new Map(units.kept.map((unit, row) => [String(unit), row])) : new Map();
  const activation = (row, i) => values[row * count + i] / 127 * units.scales[row];

  // Attention.
  const attention = data.attention ? readAttention(data.attention) : null;
  const looks = (i) => {
    if (i >= attention.count) return `This page has weights for the first ${attention.count} characters only.`;
    const found = [...attention.weightsAt(chosenHead, i)].sort((one, other) => other[1] - one[1]).slice(0, LOOKS);
    if (!found.length) return "Looks at nothing: there is no context.";
    return `Looks at ${found.map(([place, weight]) =>
      `${place < 0 ? "the start" : `${name(place)} (${i - place} back)`} ${percent(100 * weight)}`).join(", ")}`;
  };

  let caret = 0, pointed = null, chosen = null, chosenHead = null, spoken = 0;

  const show = (i) => {
    at("before").replaceChildren(
      text.characters.slice(Math.max(0, i - CONTEXT), i).join("").replaceAll("↵\n", "↵").replaceAll("⇥\t", "⇥").slice(-CONTEXT),
      element("b", "", "?"));
    at("before").scrollTo(at("before").scrollWidth, at("before").scrollHeight); // show the end of the context
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
    const note = rows.length ? "" : " (the first character has no context)";
    at("actual").replaceChildren("Actual: ", element("b", "", name(i)), `, ${bitsOf(i)}${note}`);
    at("activation").textContent = chosenHead !== null ? looks(i)
      : chosen === null ? "" : `Activation of ${unitNames[chosen]}: ${number(activation(chosen, i), 2)}`;
    if (chosenHead !== null) paintLooks(i);
  };

  const speak = () => {
    clearTimeout(spoken);
    spoken = setTimeout(() => {
      const expected = text.likeliest[caret].slice(0, 3).map((letter, k) =>
        `${text.alphabet[letter][1]} ${Math.round(text.percent[caret][k])}%`).join(", ");
      at("spoken").textContent =
        `${name(caret)}, ${bitsOf(caret)}. ${expected ? `Expected ${expected}.` : ""} ${at("activation").textContent}`;
    }, SPEECH_DELAY);
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
    const isBelow = panel.width > field.clientWidth * 0.9; // as on a phone, where the panel covers the bottom
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

  // Colors.
  const level = (share) => Math.round(Math.max(-1, Math.min(1, share)) * LEVELS);
  const paint = (shareAt) => {
    for (let i = 0; i < count; i++) {
      const shade = level(shareAt(i));
      const wanted = shade > 0 ? `w${shade}` : shade < 0 ? `c${-shade}` : "";
      if (wanted === classes[i]) continue;
      if (classes[i]) spans[i].classList.remove(classes[i]);
      if (wanted) spans[i].classList.add(wanted);
      classes[i] = wanted;
    }
  };
  const paintLooks = (i) => {
    const weights = i < attention.count ? attention.weightsAt(chosenHead, i) : new Map();
    const largest = Math.max(0, ...weights.values());
    paint((place) => (weights.get(place) ?? 0) / largest || 0);
    at("high").textContent = percent(100 * largest);
  };
  const select = at("color");
  const describe = () => {
    if (chosenHead !== null) {
      const { label } = attention.heads.get(chosenHead);
      return `Color: where attention looks (${label}) to predict the character at the caret or under the pointer.`;
    }
    if (chosen === null) return "Color: surprisal of each character, in bits.";
    const feature = tracks.get(select.value);
    return `Color: activation of ${unitNames[chosen]} after each character.${feature ? ` This unit tracks: ${feature}.` : ""}`;
  };
  // Color the text: by a unit (its number), a head (its name), or surprisal.
  const choose = (wanted) => {
    chosen = rowOf.has(wanted) ? rowOf.get(wanted) : null;
    chosenHead = attention && attention.heads.has(wanted) ? wanted : null;
    select.value = chosen === null && chosenHead === null ? "surprisal" : wanted;
    const scale = chosen === null ? null : number(units.scales[chosen], 2);
    at("ramp").className = chosen === null ? "surprisal" : "unit";
    at("low").textContent = chosenHead !== null ? "0%" : chosen === null ? "0 bits" : `−${scale}`;
    at("high").textContent = chosen === null ? `${MAX_BITS} bits or more` : scale;
    at("colored").textContent = describe();
    document.querySelectorAll("button.unit").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.unit === select.value));
    });
    if (chosen !== null) paint((i) => values[chosen * count + i] / 127);
    else if (chosenHead === null) paint((i) => (text.bits[i] === null ? 1 : text.bits[i] / MAX_BITS));
    show(pointed === null ? caret : pointed);
  };
  select.addEventListener("change", () => choose(select.value));
  const option = (unit, label) => {
    const choice = element("option", "", label);
    choice.value = unit;
    return choice;
  };
  if (attention) {
    const looking = element("optgroup");
    looking.label = "where attention looks";
    attention.heads.forEach(({ label }, head) => looking.append(option(head, label)));
    select.append(looking);
  }
  if (units) {
    const tracking = element("optgroup");
    tracking.label = "units that track a feature";
    data.tracks.forEach(([unit, feature]) => {
      if (rowOf.has(unit)) tracking.append(option(unit, `${unitNames[rowOf.get(unit)]}: ${feature}`));
    });
    if (tracking.children.length) select.append(tracking);
    const groups = new Map();
    units.kept.forEach((unit, row) => {
      const group = units.groups[Math.floor(unit / units.width)];
      if (!groups.has(group)) {
        groups.set(group, element("optgroup"));
        groups.get(group).label = group;
      }
      if (!tracks.has(String(unit))) groups.get(group).append(option(String(unit), unitNames[row]));
      const suggestion = element("option");
      suggestion.value = unitNames[row];
      at("unit-names").append(suggestion);
    });
    select.append(...[...groups.values()].filter((group) => group.children.length));
    at("find").addEventListener("input", (event) => {
      const row = unitNames.indexOf(event.target.value.trim().toLowerCase());
      if (row >= 0) choose(String(units.kept[row]));
    });
    document.querySelectorAll("button.unit").forEach((button) => {
      button.disabled = !rowOf.has(button.dataset.unit) && !attention?.heads.has(button.dataset.unit);
      button.addEventListener("click", () => {
        choose(button.dataset.unit);
        at("reading").scrollIntoView();
      });
    });
  }

  // Samples, one at a time.
  const slider = at("sample-choice");
  if (slider) {
    const items = [...document.querySelectorAll("#samples li")];
    const turn = () => {
      items.forEach((item, i) => { item.hidden = i !== Number(slider.value); });
      slider.setAttribute("aria-valuetext", items[Number(slider.value)].dataset.label);
    };
    slider.closest("p").hidden = items.length < 2;
    slider.addEventListener("input", turn);
    turn();
  }

  moveTo(Math.min(count - 1, 24), false);
  choose("surprisal");
})();
