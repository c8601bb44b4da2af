"use strict";
// Draws every cell of a page with one camera, and says what is under the pointer. Browsers allow about 16
// WebGL contexts and a page may have more cells: one hidden canvas draws them in turn, each cell gets a copy.

addEventListener("DOMContentLoaded", async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const canvases = [...document.querySelectorAll("canvas[data-cell]")];
  const view = canvases.length ? await drawn(data, canvases) : null;
  if (view && data.steps) slide(data.steps, view.show);
});

// Draws cells on canvases, and returns how they are shown at another moment, the camera, and how they end.
async function drawn(data, canvases, kept = {}) {
  const hidden = document.createElement("canvas");
  const gl = hidden.getContext("webgl2", { alpha: false, antialias: true, preserveDrawingBuffer: true });
  if (!gl) {
    document.getElementById("help").textContent = "This browser has no WebGL 2; the PNG shows the same.";
    return null;
  }
  const program = link(gl);
  const at = new Proxy({}, { get: (_, name) => gl.getUniformLocation(program, name) });
  const cells = await Promise.all(data.cells.map(unpack));
  const drawings = cells.map((cell) => upload(gl, program, cell));
  const start = { turn: data.camera.turn, lift: data.camera.lift, zoom: 1, x: 0, y: 0 };
  const away = 1 / Math.sin(radians(data.camera.view / 2)); // where the unit ball fills the view
  const room = extent(cells, away, start.lift);
  const camera = { ...start, ...kept }, over = new AbortController();
  let moment = 0, waiting = false, chosen = null;

  // The pixels of a box that one unit takes at the distance 1, and as scale and shift in clip coordinates.
  function frame(box) {
    const unit = 0.47 * Math.min(box.width / room.width, box.height / room.height) * camera.zoom;
    const shift = [camera.x, camera.y - 2 * unit * room.middle / box.height];
    return { unit, zoom: [2 * unit / box.width, 2 * unit / box.height], shift };
  }

  function redraw() {
    if (over.signal.aborted) return;
    waiting = false;
    const view = rotation(camera.turn, camera.lift);
    canvases.forEach((canvas, number) => {
      const box = canvas.getBoundingClientRect();
      if (!box.width || box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) return;
      const ratio = devicePixelRatio || 1, fine = ratio < 2 ? 2 : 1; // MSAA alone leaves the balls rough
      const width = Math.round(box.width * ratio), height = Math.round(box.height * ratio);
      resize(canvas, width, height);
      resize(hidden, fine * width, fine * height);
      const { zoom, shift } = frame(box), cell = cells[number], drawing = drawings[number];
      gl.viewport(0, 0, hidden.width, hidden.height);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.uniformMatrix3fv(at.view, true, view.flat());
      gl.uniform2fv(at.zoom, zoom);
      gl.uniform2fv(at.shift, shift);
      gl.uniform1f(at.away, away);
      gl.uniform1f(at.moment, moment);
      gl.uniform3fv(at.light, data.camera.light);
      gl.uniform3fv(at.nextColor, data.next || [0, 0, 0]);
      gl.uniform4fv(at.ghost, data.gone || [0, 0, 0, 0]);
      gl.uniform1i(at.ball, Number(cell.shape === "ball"));
      gl.uniform1i(at.chosen, chosen && chosen.cell === number ? chosen.mark : -1);
      gl.bindVertexArray(drawing.array);
      for (const ghosts of cell.goes ? [false, true] : [false]) {
        (ghosts ? gl.enable : gl.disable).call(gl, gl.BLEND); // all ghosts have one colour: any order will do
        (ghosts ? gl.disable : gl.enable).call(gl, gl.SAMPLE_ALPHA_TO_COVERAGE);
        gl.depthMask(!ghosts);
        gl.uniform1i(at.ghosts, Number(ghosts));
        gl.drawArraysInstanced(gl.TRIANGLES, 0, drawing.corners, cell.count);
        gl.depthMask(true);
      }
      canvas.getContext("2d").drawImage(hidden, 0, 0, width, height);
    });
  }

  function changed() {
    if (!waiting) requestAnimationFrame(redraw);
    waiting = true;
  }

  // Shows what the mark under a pointer stands for.
  const tip = document.getElementById("tip");
  function hover(number, event) {
    const box = canvases[number].getBoundingClientRect(), { unit, zoom, shift } = frame(box);
    const across = 2 * (event.clientX - box.left) / box.width - 1;
    const up = 1 - 2 * (event.clientY - box.top) / box.height;
    const ray = [(across - shift[0]) / zoom[0], (up - shift[1]) / zoom[1], -1];
    const [right, high, back] = rotation(camera.turn, camera.lift); // its inverse turns the ray back
    const turned = ([x, y, z]) => right.map((_, i) => x * right[i] + y * high[i] + z * back[i]);
    const mark = pick(cells[number], turned([0, 0, away]), turned(ray), 1 / unit, moment);
    const before = chosen;
    chosen = mark < 0 ? null : { cell: number, mark };
    tip.hidden = !chosen;
    if (chosen) {
      tip.textContent = words(cells[number], mark);
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4)}px`;
    }
    if ((before && before.mark) !== (chosen && chosen.mark)) changed();
  }

  function leave() {
    tip.hidden = true;
    if (chosen) changed();
    chosen = null;
  }

  canvases.forEach((canvas, number) => steer(canvas, camera, start, canvases.length > 1, {
    changed, leave, hover: (event) => hover(number, event),
  }));
  addEventListener("scroll", () => { leave(); changed(); }, { passive: true, signal: over.signal });
  addEventListener("resize", changed, { signal: over.signal });
  redraw();
  return {
    camera,
    show: (step) => { moment = step; leave(); changed(); },
    end: () => {
      over.abort();
      gl.getExtension("WEBGL_lose_context").loseContext();
    },
  };
}

// Turns, moves and zooms by pointer, wheel and keys.
function steer(canvas, camera, start, many, act) {
  const down = new Map();
  let still = false; // since the pointer went down
  const zoom = (factor) => { camera.zoom = Math.max(0.3, Math.min(30, camera.zoom * factor)); };
  const turn = (right, up) => {
    camera.turn += right;
    camera.lift = Math.max(-90, Math.min(90, camera.lift + up));
  };
  const move = (x, y) => {
    camera.x += 2 * x / canvas.clientWidth;
    camera.y -= 2 * y / canvas.clientHeight;
  };
  const spread = ([one, two]) => Math.hypot(one.x - two.x, one.y - two.y);
  canvas.addEventListener("pointerdown", (event) => {
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    canvas.setPointerCapture(event.pointerId);
    still = down.size === 1;
    act.leave();
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId);
    if (!last) return act.hover(event);
    still = false;
    const before = [...down.values()].map((place) => ({ ...place }));
    const x = event.clientX - last.x, y = event.clientY - last.y;
    Object.assign(last, { x: event.clientX, y: event.clientY });
    if (down.size > 1) {
      zoom(spread([...down.values()]) / spread(before));
      move(x / 2, y / 2);
    } else if (event.shiftKey) move(x, y);
    else turn(-0.5 * x, 0.5 * y);
    act.changed();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      down.delete(event.pointerId);
      if (still) act.hover(event); // a tap reads as pointing does
    });
  }
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") act.leave(); });
  canvas.addEventListener("wheel", (event) => {
    if (many && !event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    zoom(Math.exp(-0.001 * event.deltaY));
    act.changed();
  }, { passive: false });
  const reset = () => Object.assign(camera, start);
  canvas.addEventListener("dblclick", () => { reset(); act.changed(); });
  const keys = {
    ArrowLeft: () => turn(5, 0), ArrowRight: () => turn(-5, 0), ArrowUp: () => turn(0, 5),
    ArrowDown: () => turn(0, -5), "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15),
    Home: reset,
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    act.leave();
    act.changed();
  });
}

// Shows one of the steps: its words, its place in the curve, its points.
function slide(steps, show) {
  const [slider, said, now] = ["step", "said", "now"].map((name) => document.getElementById(name));
  const play = document.getElementById("play");
  let timer = null;
  const go = (step) => {
    slider.value = step;
    said.textContent = steps[step].said;
    now.setAttribute("cx", steps[step].x);
    now.setAttribute("cy", steps[step].y);
    show(step);
  };
  const stop = () => { clearInterval(timer); timer = null; };
  slider.addEventListener("input", () => go(Number(slider.value)));
  play.addEventListener("click", () => {
    if (timer) return stop();
    let step = Number(slider.value) === steps.length - 1 ? -1 : Number(slider.value);
    timer = setInterval(() => {
      go(Math.min(++step, steps.length - 1));
      if (step >= steps.length - 1) stop();
    }, 250);
  });
  go(Math.min(Math.max(Number(location.hash.slice(1)) || 0, 0), steps.length - 1));
}

// How far the cells reach in front of the camera, at this lift and any turn: x and y by the distance.
function extent(cells, away, lift) {
  const sine = Math.sin(radians(lift)), cosine = Math.cos(radians(lift));
  let width = 1e-6, low = Infinity, high = -Infinity;
  for (const cell of cells) {
    for (let mark = 0; mark < cell.count; mark++) {
      const [x, y, z] = cell.centres.subarray(3 * mark, 3 * mark + 3), round = Math.hypot(x, z);
      const reach = cell.sizes[mark] * (cell.shape === "ball" ? 1 : 1.5);
      width = Math.max(width, (round + reach) / (away - sine * y));
      for (const side of [-round, round]) { // the far and the near end of its circle
        const up = cosine * y - sine * side, distance = away - sine * y - cosine * side;
        low = Math.min(low, (up - reach) / distance);
        high = Math.max(high, (up + reach) / distance);
      }
    }
  }
  return { width, height: (high - low) / 2, middle: (high + low) / 2 };
}

function rotation(turn, lift) { // rows: the camera's right, up and back
  const [sa, ca, se, ce] = [turn, lift].flatMap((angle) => [Math.sin(radians(angle)), Math.cos(radians(angle))]);
  return [[ca, 0, -sa], [-se * sa, ce, -se * ca], [sa * ce, se, ca * ce]];
}

function radians(degrees) {
  return degrees * Math.PI / 180;
}

function resize(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}
