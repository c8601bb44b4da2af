// Slices of volumes with maps laid over them. All maps of a volume show the same place and window; a plane is
// [across, up, cut]: two axes of the picture, and the one that it cuts.

addEventListener("DOMContentLoaded", async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const section of document.querySelectorAll("[data-volume]")) {
    await drawnVolume(section, data.volumes[section.dataset.volume], data);
  }
});

// Draws a volume in a section, and returns how it is shown at another moment, where it is seen, and how it ends.
async function drawnVolume(section, volume, data, kept = {}) {
  volume.values = await Promise.all(volume.values.map((text) => inflated(text, Uint16Array)));
  for (const map of volume.maps) {
    map.importance = await inflated(map.importance, Int16Array); // 32767 is the top, of either sign
    map.colors = await inflated(map.colors, Uint8Array);
    map.goes = map.goes && await inflated(map.goes, Int32Array); // the moment after which a voxel is gone
    map.total = map.importance.reduce((sum, value) => sum + Math.abs(value), 0);
  }
  volume.strides = [volume.shape[1] * volume.shape[2], volume.shape[2], 1];
  const state = { place: [...volume.place], channel: volume.channel, cover: 1, projected: false, moment: 0, ...kept };
  const over = new AbortController();
  const named = (name) => section.querySelector(`[name=${name}]`);
  const blocks = [...section.querySelectorAll("[data-map]")];
  const views = blocks.flatMap((block, map) => [...block.querySelectorAll("figure")].map((figure, plane) => (
    { figure, map: volume.maps[map], canvas: figure.querySelector("canvas"), axes: data.planes[plane] })));
  let waiting = false;

  function redraw() {
    if (over.signal.aborted) return;
    waiting = false;
    for (const view of views) {
      const slider = view.figure.querySelector("input"), axis = volume.axes[view.axes[2]][0];
      draw(view.canvas, picture(volume, view.map, view.axes, state, data), volume, view.axes, state);
      slider.value = state.place[view.axes[2]];
      slider.disabled = state.projected;
      const number = `${"ijk"[axis]} = ${own(volume, state.place)[axis]}`;
      view.figure.querySelector("output").textContent = state.projected ? "maximum projection" : number;
    }
    blocks.forEach((block, map) => {
      block.querySelector(".held").textContent = held(volume, volume.maps[map], state);
    });
    named("window").textContent = `${short(state.window[0])} to ${short(state.window[1])}`;
  }

  function changed() {
    if (!waiting) requestAnimationFrame(redraw);
    waiting = true;
  }

  function setWindow(window) {
    state.window = [...window];
    const [low, high] = volume.ranges[state.channel];
    ["low", "high"].forEach((name, end) => { named(name).value = 1000 * (window[end] - low) / (high - low); });
  }

  ["low", "high"].forEach((name, end) => named(name).addEventListener("input", (event) => {
    const [low, high] = volume.ranges[state.channel], step = (high - low) / 1000;
    const value = low + step * Number(event.target.value);
    state.window[end] = end ? Math.max(value, state.window[0] + step) : Math.min(value, state.window[1] - step);
    changed();
  }));
  named("cover").addEventListener("input", (event) => { state.cover = event.target.value / 100; changed(); });
  named("projected").addEventListener("change", (event) => { state.projected = event.target.checked; changed(); });
  const channel = named("channel");
  if (channel) channel.addEventListener("change", () => {
    state.channel = Number(channel.value);
    setWindow(volume.windows[state.channel]);
    changed();
  });
  blocks.forEach((block, map) => block.querySelector("button").addEventListener("click", () => {
    state.place = [...volume.maps[map].place];
    changed();
  }));
  const tip = document.getElementById("tip");
  for (const view of views) {
    view.figure.querySelector("input").addEventListener("input", (event) => {
      state.place[view.axes[2]] = Number(event.target.value);
      changed();
    });
    const point = (event) => {
      const place = placeAt(view, volume, state, event);
      if (event.buttons && !state.projected) {
        state.place = place;
        changed();
      }
      tip.hidden = state.projected;
      tip.textContent = voxelWords(volume, view.map, state, place);
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4)}px`;
    };
    for (const kind of ["pointerdown", "pointermove"]) view.canvas.addEventListener(kind, point);
    view.canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  }
  addEventListener("resize", changed, { signal: over.signal });
  setWindow(state.window || volume.windows[state.channel]);
  named("cover").value = 100 * state.cover;
  named("projected").checked = state.projected;
  redraw();
  return { state, show: (moment) => { state.moment = moment; changed(); }, end: () => over.abort() };
}

// Returns a plane, or what is strongest along each line through it, as an image of one pixel a voxel.
function picture(volume, map, axes, state, data) {
  const [across, up] = axes, width = volume.shape[across], height = volume.shape[up];
  const grey = flat(volume, volume.values[state.channel], axes, state, (value) => value);
  const heat = flat(volume, map.importance, axes, state, Math.abs);
  const goes = map.goes && !state.projected && flat(volume, map.goes, axes, state, Math.abs);
  const [low, high] = volume.ranges[state.channel], [black, white] = state.window;
  const image = new ImageData(width, height), most = Math.max(...map.limits.map(Math.abs));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = x * height + y;
      const column = volume.mirrored ? width - 1 - x : x, to = 4 * ((height - 1 - y) * width + column);
      const value = low + (high - low) * grey[from] / 65535;
      const dark = 255 * Math.min(Math.max((value - black) / (white - black), 0), 1);
      const importance = map.top * heat[from] / 32767;
      const along = (importance - map.limits[0]) / (map.limits[1] - map.limits[0]);
      const color = 3 * Math.round(255 * Math.min(Math.max(along, 0), 1));
      const part = state.cover * data.cover * Math.min(Math.abs(importance) / most / data.opaque, 1);
      const gone = goes && goes[from] >= 0 && goes[from] < state.moment;
      for (let i = 0; i < 3; i++) {
        image.data[to + i] = gone ? data.gone[i] : dark * (1 - part) + map.colors[color + i] * part;
      }
      image.data[to + 3] = 255;
    }
  }
  return image;
}

// Returns the values of a plane, or along each line through it the one of the greatest size, across by up.
function flat(volume, array, [across, up, cut], { place, projected }, size) {
  const { shape, strides } = volume, found = new array.constructor(shape[across] * shape[up]);
  for (let x = 0; x < shape[across]; x++) {
    for (let y = 0; y < shape[up]; y++) {
      const start = x * strides[across] + y * strides[up];
      let best = array[start + place[cut] * strides[cut]];
      for (let z = 0; projected && z < shape[cut]; z++) {
        const value = array[start + z * strides[cut]];
        if (size(value) > size(best)) best = value;
      }
      found[x * shape[up] + y] = best;
    }
  }
  return found;
}

// Puts an image on a canvas, with the place and the letters of its sides.
function draw(canvas, image, volume, [across, up], state) {
  const box = canvas.getBoundingClientRect(), pen = canvas.getContext("2d");
  // A pixel a voxel at least, so that none is lost.
  const ratio = Math.max(devicePixelRatio || 1, image.width / box.width, image.height / box.height);
  const width = canvas.width = Math.round(box.width * ratio);
  const height = canvas.height = Math.round(box.height * ratio);
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, width, height);
  if (!state.projected) {
    const along = (axis, turned) => {
      const middle = (state.place[axis] + 0.5) / volume.shape[axis];
      return turned ? 1 - middle : middle;
    };
    const x = width * along(across, volume.mirrored), y = height * along(up, true), free = 0.06;
    pen.strokeStyle = "#5fd3bc";
    pen.lineWidth = ratio;
    pen.beginPath();
    for (const [x1, y1, x2, y2] of [[0, y, x - free * width, y], [x + free * width, y, width, y],
      [x, 0, x, y - free * height], [x, y + free * height, x, height]]) {
      if (x2 + y2 <= x1 + y1) continue;
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
    }
    pen.stroke();
  }
  const sides = volume.mirrored ? [...volume.ends[across]].reverse() : volume.ends[across], edge = 9 * ratio;
  pen.font = `${12 * ratio}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineWidth = 3 * ratio;
  pen.strokeStyle = "#000";
  pen.fillStyle = "#fff";
  for (const [letter, x, y] of [[sides[0], edge, height / 2], [sides[1], width - edge, height / 2],
    [volume.ends[up][0], width / 2, height - edge], [volume.ends[up][1], width / 2, edge]]) {
    pen.strokeText(letter, x, y);
    pen.fillText(letter, x, y);
  }
}

// Returns the place in the volume that a pointer is at.
function placeAt({ canvas, axes: [across, up] }, volume, state, event) {
  const box = canvas.getBoundingClientRect(), place = [...state.place];
  const right = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
  const index = (axis, part) => (
    Math.min(Math.max(Math.floor(part * volume.shape[axis]), 0), volume.shape[axis] - 1));
  place[across] = index(across, volume.mirrored ? 1 - right : right);
  place[up] = index(up, 1 - down);
  return place;
}

// Returns a place as the numbers of the voxel in the inputs; a place may be a block of several a side.
function own(volume, place) {
  const numbers = [];
  volume.axes.forEach(([axis, turned], i) => {
    const at = volume.side * place[i];
    numbers[axis] = turned ? volume.voxels[i] - 1 - at : at;
  });
  return numbers;
}

function voxelWords(volume, map, state, place) {
  const at = place.reduce((sum, index, axis) => sum + index * volume.strides[axis], 0);
  const numbers = own(volume, place), [low, high] = volume.ranges[state.channel];
  const lines = [`voxel ${numbers.join(", ")}`];
  if (volume.affine) {
    const there = volume.affine.slice(0, 3).map((row) => (
      row[3] + numbers.reduce((sum, number, i) => sum + number * row[i], 0)));
    lines.push(`at ${there.map(short).join(", ")} mm to right, front, head`);
  }
  const importance = map.importance[at] / 32767;
  lines.push(`value ${short(low + (high - low) * volume.values[state.channel][at] / 65535)}`);
  lines.push(`importance ${short(map.top * importance)}, ${short(importance)} of the strongest`);
  return lines.join("\n");
}

// Returns how much of the importance is seen.
function held(volume, map, state) {
  if (!map.total) return "no importance anywhere";
  if (state.projected) return "the strongest importance along each line";
  const { shape, strides } = volume, { place } = state;
  let inside = 0;
  for (const cut of [0, 1, 2]) {
    const [a, b] = [0, 1, 2].filter((axis) => axis !== cut), start = place[cut] * strides[cut];
    for (let u = 0; u < shape[a]; u++) {
      for (let v = 0; v < shape[b]; v++) {
        if ((a < cut && u === place[a]) || (b < cut && v === place[b])) continue; // of a plane before
        inside += Math.abs(map.importance[start + u * strides[a] + v * strides[b]]);
      }
    }
  }
  return `the slices hold ${Math.round(100 * inside / map.total)}% of the importance`;
}

function short(value) {
  return String(Number(value.toPrecision(4)));
}
