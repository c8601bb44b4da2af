// Balls and cubes: how they are drawn, met by a ray, and put into words.

// Light, rims, gloss and haze follow the PNG (open3d_process.py).
const VERTEX = `#version 300 es
in vec3 corner, normal, centre, color;
in float size, goes;
uniform mat3 view;
uniform vec2 zoom, shift;
uniform float away, moment;
uniform bool ball, ghosts;
uniform vec3 nextColor;
uniform int chosen;
flat out vec3 facing, paint;
out vec3 inside;
out float radius, far;
flat out int ringed;
void main() {
  bool gone = goes >= 0.0 && goes < moment, next = goes >= 0.0 && goes == moment;
  radius = next ? 1.4 * size : size;
  vec3 place = view * centre + radius * (ball ? corner : view * corner);
  float depth = away - place.z;
  gl_Position = vec4(place.xy * zoom + shift * depth, -place.z / 1.1 * depth, depth); // the depth is linear
  if (gone != ghosts) gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // not in this pass
  inside = corner;
  facing = view * normal;
  paint = next ? nextColor : color;
  far = 0.1 * (1.0 - place.z);
  ringed = int(gl_InstanceID == chosen);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
flat in vec3 facing, paint;
in vec3 inside;
in float radius, far;
flat in int ringed;
uniform vec3 light;
uniform vec4 ghost;
uniform bool ball, ghosts;
out vec4 pixel;
void main() {
  vec3 normal = facing;
  float rim = 1.0, gloss = 0.0, cover = 1.0, ring = 0.0;
  gl_FragDepth = gl_FragCoord.z;
  if (ball) {
    float rest = 1.0 - dot(inside.xy, inside.xy);
    cover = clamp(0.5 + rest / max(fwidth(rest), 1e-6), 0.0, 1.0);
    if (cover == 0.0) discard;
    normal = vec3(inside.xy, sqrt(max(rest, 0.0)));
    rim = 0.55 + 0.45 * clamp(2.0 * normal.z, 0.0, 1.0);
    gloss = 0.25;
    ring = float(rest < 0.5);
    gl_FragDepth -= radius * normal.z / 2.2;
  } else {
    vec3 to = abs(inside);
    float edge = max(min(to.x, to.y), min(max(to.x, to.y), to.z)); // the middle one of three; one of them is 1
    float line = fwidth(edge);
    rim = 1.0 - 0.22 * (1.0 - smoothstep(0.0, 1.5 * line, 1.0 - edge)) * (1.0 - smoothstep(0.1, 0.5, line));
    ring = float(edge > 0.7);
  }
  float lit = clamp(dot(normal, light), 0.0, 1.0);
  vec3 color = paint * rim * clamp(0.6 + 0.5 * lit, 0.0, 1.0);
  color += (1.0 - color) * gloss * pow(lit, 8.0);
  color += (1.0 - color) * far;
  if (ringed * int(ring) > 0) color = vec3(dot(paint, vec3(0.3, 0.6, 0.1)) < 0.4 ? 1.0 : 0.0);
  pixel = ghosts ? vec4(ghost.rgb, ghost.a * cover) : vec4(color, cover);
}`;

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
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  gl.clearColor(1, 1, 1, 1);
  return program;
}

// Returns a cell with its arrays, zlib in base64, as typed arrays, and its marks in the unit ball.
async function unpack(cell) {
  const types = { centres: Float32Array, sizes: Float32Array, values: Float32Array, colors: Uint8Array,
    places: Int32Array, goes: Int32Array };
  const packed = Object.entries(types).filter(([name]) => cell[name]);
  const arrays = await Promise.all(packed.map(async ([name, Type]) => [name, await inflated(cell[name], Type)]));
  const read = { ...cell, ...Object.fromEntries(arrays) };
  read.positions = read.centres;
  read.centres = read.positions.map((value, i) => (value - cell.middle[i % 3]) / cell.reach);
  read.sizes = read.sizes.map((size) => size / cell.reach);
  return read;
}

function upload(gl, program, cell) {
  const array = gl.createVertexArray(), shape = cell.shape === "ball" ? square() : cube();
  gl.bindVertexArray(array);
  const attribute = (name, values, width, every) => {
    const place = gl.getAttribLocation(program, name), whole = values instanceof Uint8Array;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, whole ? gl.UNSIGNED_BYTE : gl.FLOAT, whole, 0, 0);
    gl.vertexAttribDivisor(place, every);
  };
  attribute("corner", new Float32Array(shape.corners), 3, 0);
  attribute("normal", new Float32Array(shape.normals), 3, 0);
  attribute("centre", cell.centres, 3, 1);
  attribute("size", cell.sizes, 1, 1);
  attribute("color", cell.colors, 3, 1);
  attribute("goes", Float32Array.from(cell.goes || new Int32Array(cell.count).fill(-1)), 1, 1);
  return { array, corners: shape.corners.length / 3 };
}

function square() {
  const corners = [-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, -1, 0, 1, 1, 0, -1, 1, 0];
  return { corners, normals: corners.map((_, i) => Number(i % 3 === 2)) };
}

function cube() {
  const corners = [], normals = [];
  for (const axis of [0, 1, 2]) {
    for (const side of [-1, 1]) {
      for (const [u, v] of [[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]]) {
        const corner = [0, 0, 0], normal = [0, 0, 0];
        corner[axis] = normal[axis] = side;
        corner[(axis + 1) % 3] = u;
        corner[(axis + 2) % 3] = v;
        corners.push(...corner);
        normals.push(...normal);
      }
    }
  }
  return { corners, normals };
}

// Returns the number of the first mark that a ray in the space of the marks meets, or -1.
function pick(cell, from, to, pixel, moment) {
  const square = to[0] ** 2 + to[1] ** 2 + to[2] ** 2;
  let found = -1, nearest = Infinity;
  for (let mark = 0; mark < cell.count; mark++) {
    const gone = cell.goes && cell.goes[mark] >= 0 && cell.goes[mark] < moment;
    if (gone || cell.places[cell.axes * mark] < 0) continue; // those of number -1 are for the eye only
    let along = 0, apart = 0, enter = -Infinity, leave = Infinity;
    for (let axis = 0; axis < 3; axis++) {
      const offset = cell.centres[3 * mark + axis] - from[axis], size = cell.sizes[mark];
      const walls = (offset - size) / to[axis], others = (offset + size) / to[axis];
      along += offset * to[axis] / square;
      apart += offset * offset;
      enter = Math.max(enter, Math.min(walls, others));
      leave = Math.min(leave, Math.max(walls, others));
    }
    if (cell.shape === "ball") {
      const reach = cell.sizes[mark] + 1.5 * pixel * along; // small ones are easier to meet
      const half = (reach * reach - apart) / square + along * along; // of the chord, squared
      [enter, leave] = half > 0 ? [along - Math.sqrt(half), along] : [0, -1];
    }
    if (enter < leave && enter < nearest) [nearest, found] = [enter, mark];
  }
  return found;
}

function words(cell, mark) {
  const short = (value) => String(Number(value.toPrecision(4)));
  const place = cell.places.slice(cell.axes * mark, cell.axes * (mark + 1));
  const lines = [`${cell.unit} ${place.join(", ")}`];
  if (cell.shape === "ball") {
    lines.push(`at ${Array.from(cell.positions.slice(3 * mark, 3 * mark + 3), short).join(", ")}`);
  }
  if (cell.values) {
    const part = cell.top ? `, ${short(cell.values[mark] / cell.top)} of the top` : "";
    lines.push(`${cell.value} ${short(cell.values[mark])}${part}`);
  }
  if (cell.goes) lines.push(cell.goes[mark] < 0 ? "stays" : `${cell.going} ${cell.goes[mark]}`);
  return lines.join("\n");
}
