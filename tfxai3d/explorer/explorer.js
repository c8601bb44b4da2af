// The page to play with: asks its server for objects, maps and what the network sees of what is left.

addEventListener("DOMContentLoaded", async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [asked, cards, said, working, slider] = ["asked", "cards", "said", "working", "removed"].map(
    (id) => document.getElementById(id));
  const field = asked.elements, views = { cells: null, volume: null };
  const state = { file: "", name: "", generation: 0, drawing: 0, slices: null, asked: null, over: new AbortController(), shown: null, done: [], key: "" };
  let about = null;

  // Returns the server's answer; an error says what it says.
  async function ask(path, options = {}) {
    const address = new URL(path, location.href);
    address.searchParams.set("token", data.token);
    let answer;
    try {
      answer = await fetch(address, options);
    } catch {
      throw new Error("The program that serves this page has ended.");
    }
    const found = await answer.json().catch(() => ({ error: "The server's answer cannot be read." }));
    if (!answer.ok) throw new Error(found.error);
    return found;
  }
  const post = (path, what, signal) => ask(path, { method: "POST", body: JSON.stringify(what), signal });

  function complain(error) {
    const box = document.getElementById("error");
    box.hidden = !error;
    if (!error) return;
    box.querySelector("span").textContent = error.message;
    if (!state.shown) said.textContent = "No network has seen this object yet.";
  }
  document.querySelector("#error button").addEventListener("click", () => complain(null));

  const question = () => ({
    network: field.network.value, label: field.label.value, number: Number(field.number.value), file: state.file,
    up: field.up.value, target: field.target.value.trim(), slices: state.slices, first: field.first.value,
  });
  const chosen = () => [...document.querySelectorAll("#methods input:checked")].map((box) => box.value);
  const title = (method) => about.methods.find(([name]) => name === method)[1];

  // Fills the form with what a network has.
  async function choose() {
    const network = field.network.value, kept = about ? chosen() : data.methods;
    about = await ask(`about?network=${encodeURIComponent(network)}`);
    if (network !== field.network.value) return false;
    const before = field.label.value || data.label;
    field.label.replaceChildren(...about.labels.map((label) => new Option(label)));
    if (about.labels.includes(before)) field.label.value = before;
    document.getElementById("classes").replaceChildren(...about.classes.map((name) => new Option(name)));
    document.getElementById("cut").hidden = about.kind !== "voxels";
    document.querySelectorAll("#methods label").forEach((label) => label.remove());
    for (const [name, words] of about.methods) {
      const label = document.createElement("label"), box = document.createElement("input");
      label.className = "tick";
      Object.assign(box, { type: "checkbox", value: name, checked: kept.includes(name) });
      label.append(box, words);
      document.getElementById("methods").append(label);
    }
    return true;
  }

  // Shows the object, then one map after another; what is known already is there at once.
  async function refresh() {
    const mine = ++state.generation, now = question(), { first, slices, ...same } = now;
    const key = JSON.stringify(same), wanted = chosen(), failed = [];
    let done = key === state.key ? state.done.filter((method) => wanted.includes(method)) : [];
    complain(null);
    state.over.abort(); // what is not begun yet is not begun any more
    state.over = new AbortController();
    const { signal } = state.over;
    try {
      if (!now.file && !about.labels.length) throw new Error("This network knows no embedded object: drop a file.");
      working.textContent = done.length ? "" : "looking ...";
      const bare = await post("show", { ...now, methods: done }, signal);
      if (mine !== state.generation) return;
      if (key !== state.key) slider.value = 0;
      Object.assign(state, { key, done, asked: now });
      await draw(bare);
      for (const method of wanted.filter((one) => !done.includes(one))) {
        const began = performance.now();
        const tick = setInterval(() => {
          if (mine !== state.generation) return clearInterval(tick);
          working.textContent = `${title(method)} ... ${Math.round((performance.now() - began) / 1000)} s`;
        }, 200);
        try {
          const found = await post("show", { ...now, methods: [...done, method] }, signal);
          if (mine !== state.generation) return;
          state.done = done = [...done, method];
          await draw(found);
        } catch (error) {
          if (mine !== state.generation) return;
          failed.push(error.message);
        } finally {
          clearInterval(tick);
        }
      }
      if (failed.length) complain(new Error(failed.join(" ")));
    } catch (error) {
      if (mine !== state.generation) return;
      complain(error);
    }
    working.textContent = "";
  }

  // Puts what the server drew into the page, seen from where it was seen.
  async function draw(found) {
    const mine = ++state.drawing;
    const { camera } = views.cells || {}, { state: seen } = views.volume || {};
    const alike = state.shown && state.shown.kind === found.kind && state.shown.count === found.count;
    const fresh = document.createElement("div");
    fresh.innerHTML = found.html;
    if (found.slices) {
      for (const block of fresh.querySelectorAll("[data-map]")) {
        const bars = document.createElement("div");
        bars.className = "bars";
        block.querySelector("h2").after(bars);
      }
    }
    views.cells?.end();
    views.volume?.end();
    Object.assign(views, { cells: null, volume: null });
    cards.className = found.slices ? "volumes" : "";
    cards.replaceChildren(...fresh.childNodes);
    if (found.slices) {
      const place = seen && alike ? { place: seen.place, cover: seen.cover, projected: seen.projected } : {};
      const scene = { ...data, gone: data.hole };
      const view = await drawnVolume(cards.querySelector("section"), found.volumes[0], scene, place);
      if (mine !== state.drawing) return view.end();
      views.volume = view;
    } else {
      const scene = { camera: data.camera, gone: data.gone, cells: found.cells };
      const view = await drawn(scene, [...cards.querySelectorAll("canvas")], camera);
      if (mine !== state.drawing) return view?.end();
      views.cells = view;
    }
    tell(found);
  }

  // Writes what the network sees of the whole object, and sets the slider.
  function tell(found) {
    state.shown = found;
    const { predicted } = found.answer;
    const why = found.target === predicted ? "" : `; asked why ${found.target}`;
    const [name, rest] = [document.createElement("b"), document.createElement("small")];
    name.textContent = found.name;
    rest.textContent = ` ${found.count.toLocaleString("en")} ${found.kind}`;
    said.replaceChildren(name, ` is seen as ${predicted}${why}`, rest);
    if (found.zero.length) rest.textContent += `; zero everywhere: ${found.zero.join(", ")}`;
    bars(document.getElementById("whole"), found.answer);
    field.slices.checked = found.slices;
    field.slices.disabled = found.real;
    document.getElementById("slider").hidden = !state.done.length;
    slider.max = found.most;
    slide();
  }

  function bars(place, { bars: rows }) {
    place.replaceChildren(...rows.flatMap(([name, chance, asked]) => {
      const [word, bar, number] = ["span", "i", "b"].map((kind) => document.createElement(kind));
      word.textContent = word.title = name;
      bar.style.backgroundSize = `${100 * chance}% 100%`;
      number.textContent = `${(100 * chance).toFixed(1)}%`;
      for (const one of [word, bar, number]) one.classList.toggle("asked", asked);
      return [word, bar, number];
    }));
  }

  // Shows what is left at once, and asks what the network sees of it; of many steps the last one counts.
  let asking = false, again = false;
  async function slide() {
    const found = state.shown, count = Number(slider.value), methods = [...state.done];
    if (!found) return;
    const part = found.count ? Math.round(100 * count / found.count) : 0;
    document.querySelector("#slider output").textContent =
      `${count.toLocaleString("en")} of ${found.count.toLocaleString("en")} ${found.kind} (${part}%)`;
    views.cells?.show(count - 0.5);
    views.volume?.show(count - 0.5);
    if (asking) { again = true; return; }
    asking = true;
    try {
      const rows = methods.length ? await post("step", { ...state.asked, methods, removed: count }) : [];
      const places = cards.querySelectorAll(".bars");
      if (found === state.shown && places.length === rows.length) {
        rows.forEach((row, number) => bars(places[number], row));
        cards.dataset.removed = count; // what the bars are of
      }
    } catch (error) {
      complain(error);
    }
    asking = false;
    if (again) { again = false; slide(); }
  }
  slider.addEventListener("input", slide);
  field.first.addEventListener("change", refresh); // it stands beside the slider

  async function take(file) {
    complain(null);
    if (file.size > data.most) {
      const most = Math.round(data.most / 1048576);
      return complain(new Error(`${file.name} has more than the ${most} MiB that the page takes; make it smaller.`));
    }
    working.textContent = `reading ${file.name} ...`;
    try {
      const kept = await ask(`upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      Object.assign(state, { file: kept.file, name: kept.name });
      document.getElementById("file").hidden = false;
      document.querySelector("#file b").textContent = kept.name;
      await refresh();
    } catch (error) {
      working.textContent = "";
      complain(error);
    }
  }
  field.file.addEventListener("change", () => {
    if (field.file.files.length) take(field.file.files[0]);
    field.file.value = "";
  });
  const drop = document.getElementById("drop");
  drop.addEventListener("keydown", (event) => { if (event.key === "Enter") field.file.click(); });
  addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });

  const shut = () => {
    state.file = "";
    document.getElementById("file").hidden = true;
  };
  field.back.addEventListener("click", () => { shut(); refresh(); });
  asked.addEventListener("submit", (event) => event.preventDefault());
  asked.addEventListener("change", async (event) => {
    if (event.target === field.file) return;
    if (event.target === field.slices) state.slices = field.slices.checked; // until then as suits the object
    if ([field.label, field.number].includes(event.target)) shut();
    try {
      if (event.target === field.network) {
        state.generation++;
        working.textContent = "loading the network ...";
        field.target.value = "";
        state.slices = null;
        if (!await choose()) return;
      }
      await refresh();
    } catch (error) {
      working.textContent = "";
      complain(error);
    }
  });

  field.up.value = data.up;
  field.label.replaceChildren(new Option(data.label));
  document.getElementById("methods").open = innerWidth > 736; // where there is room beside the picture
  views.cells = await drawn({ ...data, cells: data.cells }, [...cards.querySelectorAll("canvas")]);
  document.body.dataset.first = Math.round(performance.now());
  await new Promise((seen) => setTimeout(seen, 50)); // it is on the screen before the network loads
  try {
    await choose();
    await refresh();
  } catch (error) {
    complain(error);
  }
});
