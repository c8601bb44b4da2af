"use strict";
// Draws all cells of a panel with one camera. Browsers allow about 16 WebGL contexts, a panel has more
// cells; so one hidden canvas draws them in turn and each cell gets a copy.
const VERTEX = `#version 300 es
in vec3 vertex, normal, centre, color;
in float size;
uniform mat3 view;
uniform vec2 zoom;
uniform bool ball;
out vec3 shade;
out vec2 disc;
out float radius;
void main() {
  vec3 place = view * centre + size * (ball ? vertex : view * vertex);
  float distance = 5.0 - place.z;
  gl_Position = vec4(4.6 * place.xy * zoom, (distance - 5.0) / 1.3 * distance, distance); // depth is linear
  float light = clamp(dot(view * normal, vec3(-0.4, 0.7, 0.6)), 0.0, 1.0);
  shade = ball ? color : color * clamp(0.62 + 0.42 * light, 0.0, 1.0);
  disc = vertex.xy;
  radius = size;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 shade;
in vec2 disc;
in float radius;
uniform bool ball;
out vec4 pixel;
void main() {
  pixel = vec4(shade, 1.0);
  gl_FragDepth = gl_FragCoord.z;
  if (ball) {
    float rest = 1.0 - dot(disc, disc);
    if (rest < 0.0) discard;
    vec3 normal = vec3(disc, sqrt(rest));
    float light = clamp(dot(normal, vec3(-0.4, 0.7, 0.6)), 0.0, 1.0);
    vec3 lit = shade * (0.55 + 0.45 * clamp(2.0 * normal.z, 0.0, 1.0)) * clamp(0.6 + 0.5 * light, 0.0, 1.0);
    pixel.rgb = lit + (1.0 - lit) * 0.25 * pow(light, 8.0);
    gl_FragDepth -= radius * normal.z / 2.6;
  }
}`;

const START = { turn: 35, lift: 22, zoom: 1.15 }; // degrees, as in the PNG

addEventListener("DOMContentLoaded", () => {
  const hidden = document.createElement("canvas");
  const gl = hidden.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) {
    document.getElementById("help").textContent = "This browser has no WebGL 2; the PNG shows the same.";
    return;
  }
  const program = link(gl);
  const at = (name) => gl.getUniformLocation(program, name);
  const uniforms = { view: at("view"), zoom: at("zoom"), ball: at("ball") };
  const data = JSON.parse(document.getElementById("data").textContent);
  const cells = [...document.querySelectorAll("canvas[data-cell]")];
  const drawings = cells.map((cell) => upload(gl, program, data[Number(cell.dataset.cell)]));
  const camera = { ...START };
  let waiting = false;

  function redraw() {
    waiting = false;
    const view = rotation(camera.turn, camera.lift);
    cells.forEach((cell, number) => {
      const box = cell.getBoundingClientRect();
      if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) return;
      const scale = devicePixelRatio || 1;
      const width = Math.round(box.width * scale), height = Math.round(box.height * scale);
      for (const canvas of [hidden, cell]) {
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      }
      gl.viewport(0, 0, width, height);
      gl.clearColor(1, 1, 1, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      const shorter = Math.min(width, height);
      const drawing = drawings[number];
      gl.uniformMatrix3fv(uniforms.view, false, view);
      gl.uniform2f(uniforms.zoom, camera.zoom * shorter / width, camera.zoom * shorter / height);
      gl.uniform1i(uniforms.ball, drawing.ball);
      gl.bindVertexArray(drawing.array);
      gl.drawArraysInstanced(gl.TRIANGLES, 0, drawing.vertices, drawing.count);
      cell.getContext("2d").drawImage(hidden, 0, 0);
    });
  }

  function changed() {
    if (!waiting) requestAnimationFrame(redraw);
    waiting = true;
  }

  for (const cell of cells) {
    cell.addEventListener("pointerdown", (event) => cell.setPointerCapture(event.pointerId));
    cell.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      camera.turn -= 0.5 * event.movementX;
      camera.lift = Math.max(-90, Math.min(90, camera.lift + 0.5 * event.movementY));
      changed();
    });
    cell.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return; // the page scrolls
      event.preventDefault();
      camera.zoom = Math.max(0.4, Math.min(6, camera.zoom * Math.exp(-0.001 * (event.deltaY || event.deltaX))));
      changed();
    }, { passive: false });
    cell.addEventListener("dblclick", () => { Object.assign(camera, START); changed(); });
  }
  addEventListener("scroll", changed, { passive: true });
  addEventListener("resize", changed);
  redraw();
});

function rotation(turn, lift) { // columns of the matrix whose rows are the camera's right, up and back
  const a = turn * Math.PI / 180, e = lift * Math.PI / 180;
  const [sa, ca, se, ce] = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
  return [ca, -se * sa, sa * ce, 0, ce, se, -sa, -se * ca, ca * ce];
}

function link(gl) {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  return program;
}

function upload(gl, program, cell) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  const attribute = (name, bytes, width, type, every) => {
    const place = gl.getAttribLocation(program, name);
    if (place < 0) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, type, type === gl.UNSIGNED_BYTE, 0, 0);
    gl.vertexAttribDivisor(place, every);
  };
  const ball = cell.shape === "ball";
  const shape = ball ? square() : cube();
  attribute("vertex", new Float32Array(shape.vertices), 3, gl.FLOAT, 0);
  attribute("normal", new Float32Array(shape.normals), 3, gl.FLOAT, 0);
  attribute("centre", bytes(cell.centres), 3, gl.FLOAT, 1);
  attribute("size", bytes(cell.sizes), 1, gl.FLOAT, 1);
  attribute("color", bytes(cell.colors), 3, gl.UNSIGNED_BYTE, 1);
  return { array, ball: Number(ball), vertices: shape.vertices.length / 3, count: cell.count };
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function square() {
  const vertices = [-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, -1, 0, 1, 1, 0, -1, 1, 0];
  return { vertices, normals: vertices.map((_, i) => (i % 3 === 2 ? 1 : 0)) };
}

function cube() {
  const vertices = [], normals = [];
  for (const axis of [0, 1, 2]) {
    for (const side of [-1, 1]) {
      for (const [u, v] of [[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]]) {
        const corner = [0, 0, 0], normal = [0, 0, 0];
        corner[axis] = normal[axis] = side;
        corner[(axis + 1) % 3] = u;
        corner[(axis + 2) % 3] = v;
        vertices.push(...corner);
        normals.push(...normal);
      }
    }
  }
  return { vertices, normals };
}
