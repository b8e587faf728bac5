// What live figures are made of: boards to draw on, marks, and a stage with handles,
// sliders, buttons, a state that the address keeps, and words that follow the state.
globalThis.liveStage = (() => {
  "use strict";
  const E = globalThis.separateLoss;
  const TURN = 180 / Math.PI;
  const angle = (a) => Math.atan2(a[1], a[0]) * TURN;
  const toward = (degrees) => [Math.cos(degrees / TURN), Math.sin(degrees / TURN)];
  const two = (value) => value.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−");
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const inNotebook = document.querySelector(".jp-Notebook, .notebook-container") !== null;
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const nearest = (stops, value) => stops.reduce((best, stop, k) =>
    (Math.abs(stop - value) < Math.abs(stops[best] - value) ? k : best), 0);

  const DRAWN = ["svg", "g", "path", "circle", "text"];
  function make(name, parent, given = {}, text = "") {
    const node = DRAWN.includes(name)
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
    node.textContent = text;
    parent.append(node);
    return node;
  }

  // Marks: corners as radii and angles, the classes' markers as in the printed figures.
  const ring = (radii, turn) =>
    radii.map((r, k) => [r, turn + (360 * k) / radii.length]);
  const star = ring([...Array(10)].map((_, k) => (k % 2 ? 0.5 : 1.25)), 90);
  const cross = (turn) => [0, 90, 180, 270].flatMap((quarter) =>
    [[0.6, -45], [1.15, -20], [1.15, 20]].map(([r, a]) => [r, turn + quarter + a]));
  const MARKS = {
    o: ring(Array(16).fill(0.9), 0), s: ring(Array(4).fill(1.2), 45),
    D: ring(Array(4).fill(1.2), 0), P: cross(0), X: cross(45), "*": star,
    p: ring(Array(5).fill(1.1), 90), "^": ring(Array(3).fill(1.2), 90),
    v: ring(Array(3).fill(1.2), -90),
  };
  const CLASSES = ["o", "s", "D", "P", "*", "X", "p"];
  const mark = (kind, [x, y], size = 5) =>
    MARKS[kind].map(([r, a], k) => {
      const [right, up] = toward(a);
      const corner = `${(x + size * r * right).toFixed(1)} ${(y - size * r * up).toFixed(1)}`;
      return (k ? "L" : "M") + corner;
    }).join("") + "Z";

  // A board is an SVG with coordinates of its own: at() leads there, from() back.
  class Board {
    constructor(row, [left, right, bottom, top], wide = 300, high = 300, look = "") {
      this.svg = make("svg", row, {
        viewBox: `0 0 ${wide} ${high}`, role: "group", class: look,
        style: `--least: ${0.6 * wide}px; --most: ${1.2 * wide}px`,
      });
      this.at = ([x, y]) =>
        [(wide * (x - left)) / (right - left), (high * (top - y)) / (top - bottom)];
      this.from = (event) => {
        const box = this.svg.getBoundingClientRect();
        return [left + ((right - left) * (event.clientX - box.left)) / box.width,
          top - ((top - bottom) * (event.clientY - box.top)) / box.height];
      };
    }
    path(look) {
      const node = make("path", this.svg, { class: look });
      const draw = (...parts) => node.setAttribute("d", parts.flat().join(""));
      return Object.assign(draw, { node });
    }
    text(look, place, words = "") {
      const [x, y] = this.at(place);
      return make("text", this.svg, { class: look, x, y }, words);
    }
    line(points) {
      let way = "";
      for (const point of points) {
        const [x, y] = this.at(point);
        way += `${way ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      }
      return way;
    }
    arrow(start, way, head = 7) {
      const [a, b] = [this.at(start), this.at(E.plus(start, way))];
      const along = E.plus(b, a, -1);
      const long = E.length(along);
      if (long < 2) return "";
      const [x, y] = E.times(Math.min(head, long) / long, along);
      const side = (s) => `${(b[0] - x + s * y * 0.55).toFixed(1)} ${(b[1] - y - s * x * 0.55).toFixed(1)}`;
      const tip = b.map((v) => v.toFixed(1)).join(" ");
      return `M${a.map((v) => v.toFixed(1)).join(" ")}L${tip}M${side(1)}L${tip}L${side(-1)}`;
    }
    circle(radius = 1) {
      return this.line([...Array(73)].map((_, k) => E.times(radius, toward(5 * k))));
    }
    mark(kind, place, size) {
      return mark(kind, this.at(place), size);
    }
  }

  // A stage holds the state of one figure and everything that a reader can move.
  class Stage {
    constructor(host, draw) {
      const stored = host.querySelector("script[type='application/json']");
      this.host = host;
      this.data = stored ? JSON.parse(stored.textContent) : {};
      const place = (this.place = host.querySelector(".stage"));
      this.row = make("div", place, { class: "boards" });
      this.said = make("p", place, { class: "readout" });
      this.buttons = make("div", place, { class: "buttons" });
      this.controls = make("div", place, { class: "controls" });
      this.spoken = make("p", place, { class: "spoken", role: "status" });
      this.allowed = {};
      this.refresh = [];
      draw(this);
      this.begin = structuredClone(this.state);
      this.button("Reset", () => this.enter(structuredClone(this.begin)));
      host.querySelector(".still").hidden = true;
      this.enter(this.fromAddress());
      // JupyterLab would take the keys for its own.
      if (inNotebook) host.addEventListener("keydown", (event) => event.stopPropagation());
      addEventListener("hashchange", () => {
        if (location.hash.startsWith(`#${host.id}?`)) this.enter(this.fromAddress());
      });
    }
    board(...given) {
      return new Board(this.row, ...given);
    }
    // A curve of what has happened so far, newest at the right.
    memory(words, low, high, floor = null) {
      const board = this.board([0, 1, low - 0.08 * (high - low), high], 300, 220);
      const grid = board.path("grid");
      const [curve, dot] = [board.path("curve"), board.path("dot")];
      const number = board.text("end", [0, 0]);
      board.text("name", [0.03, high - 0.07 * (high - low)], words);
      grid(board.line([[0, low], [1, low]]), board.line([[0, low], [0, high]]));
      if (floor !== null) {
        board.path("floor")(board.line([[0, floor], [1, floor]]));
        board.text("small", [0.03, floor - 0.07 * (high - low)], `floor ${two(floor)}`);
      }
      let past = [];
      const show = (value) => {
        if (past[past.length - 1] !== value) past = [...past.slice(-199), value];
        const points = past.map((v, k) => [0.95 - (past.length - 1 - k) / 220, v]);
        curve(board.line(points));
        dot(board.mark("o", [0.95, value]));
        const [x, y] = board.at([0.98, value]);
        number.setAttribute("x", x);
        number.setAttribute("y", y - 10);
        number.textContent = two(value);
      };
      return { show, clear: () => (past = []) };
    }
    enter(state) {
      this.pause?.();
      Object.assign(this.state, state);
      this.restart?.();
      this.draw();
    }
    // Draw once a frame, and tell the address and the screen reader when it is quiet.
    changed() {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.draw();
      });
      clearTimeout(this.quiet);
      this.quiet = setTimeout(() => {
        if (!inNotebook) history.replaceState(history.state, "", this.address());
        this.spoken.textContent = this.said.textContent;
        this.host.dispatchEvent(new Event("settled"));
      }, 500);
    }
    draw() {
      const { text, alt } = this.show();
      // L_inter is written with a small index.
      this.said.replaceChildren(...text.split(/(?<=L)_(\w+)/).map((part, k) => {
        const node = document.createElement(k % 2 ? "sub" : "span");
        node.textContent = part;
        return node;
      }));
      for (const svg of this.row.querySelectorAll("svg")) svg.setAttribute("aria-label", alt.replaceAll("_", " "));
      for (const update of this.refresh) update();
    }
    address() {
      const short = (value) => Number(value.toFixed(3));
      const words = Object.entries(this.state).map(([key, value]) => {
        const plain = typeof value === "number" ? short(value)
          : Array.isArray(value) ? value.flat().map(short) : value;
        return [key, plain];
      });
      return `#${this.host.id}?${`${new URLSearchParams(words)}`.replaceAll("%2C", ",")}`;
    }
    // What an address asks for, as far as the reader could have chosen it.
    fromAddress() {
      const [id, words] = location.hash.slice(1).split("?");
      const state = structuredClone(this.begin);
      if (id !== this.host.id || !words) return state;
      for (const [key, text] of new URLSearchParams(words)) {
        const old = state[key];
        const numbers = text.split(",").map((word, k) => {
          const stops = this.allowed[key] ?? this.allowed[[key, k]];
          const value = word ? Number(word) : NaN;
          return stops && Number.isFinite(value) ? stops[nearest(stops, value)] : value;
        });
        if (typeof old === "string") state[key] = this.allowed[key].includes(text) ? text : old;
        else if (!numbers.every(Number.isFinite)) continue;
        else if (typeof old === "number") state[key] = numbers[0];
        else if (Array.isArray(old) && numbers.length === old.flat().length) {
          const wide = old[0].length;
          state[key] = wide ? old.map((_, k) => numbers.slice(wide * k, wide * (k + 1))) : numbers;
        }
      }
      this.host.scrollIntoView();
      return state;
    }
    // Something to drag. `get` and `set` give and take its vector in the plane.
    handle(board, look, kind, name, get, set, size = 9) {
      const node = make("g", board.svg, {
        class: `handle ${look}`, tabindex: 0, role: "slider", "aria-label": name,
        "aria-valuemin": -180, "aria-valuemax": 180,
      });
      const ground = make("circle", node, { r: 20, class: "ground" });
      const shape = make("path", node);
      const move = (place) => {
        set(place);
        this.changed();
      };
      node.addEventListener("pointerdown", (event) => {
        node.setPointerCapture(event.pointerId);
        event.preventDefault();
        node.focus({ preventScroll: true });
      });
      // A finger on a handle drags it; beside it, the page scrolls.
      node.addEventListener("touchstart", (event) => event.preventDefault());
      node.addEventListener("pointermove", (event) => {
        if (node.hasPointerCapture(event.pointerId)) move(board.from(event));
      });
      const WAYS = {
        ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
      };
      node.addEventListener("keydown", (event) => {
        const way = WAYS[event.key];
        if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        move(E.plus(get(), way, event.shiftKey ? 0.2 : 0.05));
      });
      this.refresh.push(() => {
        const [x, y] = board.at(get());
        ground.setAttribute("cx", x);
        ground.setAttribute("cy", y);
        shape.setAttribute("d", mark(kind, [x, y], size));
        const degrees = Math.round(angle(get()));
        node.setAttribute("aria-valuenow", degrees);
        node.setAttribute("aria-valuetext",
          `${degrees} degrees, length ${two(E.length(get()))}`);
      });
    }
    button(words, act) {
      const node = make("button", this.buttons, { type: "button" }, words);
      node.addEventListener("click", () => {
        act();
        this.changed();
      });
      return node;
    }
    // Play runs step() `fast` times a frame until it returns false. Without motion it
    // shows the end alone, and lets the page breathe on the way.
    player(step, fast = 1, words = "Play", first = () => {}) {
      let playing = null;
      const begin = () => {
        first();
        go();
      };
      const node = this.button(words, () => (playing === null ? begin() : this.pause()));
      this.pause = () => {
        cancelAnimationFrame(playing);
        playing = null;
        node.textContent = words;
      };
      const go = () => {
        const until = performance.now() + 100;
        let more = true;
        for (let k = 0; more && (calm() ? performance.now() < until : k < fast); k++) more = step();
        playing = more ? requestAnimationFrame(go) : null;
        node.textContent = playing === null ? words : "Pause";
        if (!calm() || !more) this.changed();
      };
      this.play = () => playing === null && go();
    }
    slider(words, key, stops, set = (value) => (this.state[key] = value), say = String,
      parent = this.controls) {
      const label = make("label", parent, {}, `${words} `);
      const value = make("b", label);
      const node = make("input", label, { type: "range", min: 0, max: stops.length - 1 });
      this.allowed[key] = stops;
      const get = () => [key].flat().reduce((part, name) => part[name], this.state);
      node.addEventListener("input", () => {
        set(stops[node.value]);
        this.changed();
      });
      this.refresh.push(() => {
        node.value = nearest(stops, get());
        value.textContent = say(get());
        node.setAttribute("aria-valuetext", say(get()));
      });
    }
    choice(words, key, options) {
      const label = make("label", this.controls, {}, `${words} `);
      const node = make("select", label);
      for (const [value, shown] of Object.entries(options)) {
        make("option", node, { value }, shown);
      }
      this.allowed[key] = Object.keys(options);
      node.addEventListener("change", () => {
        this.state[key] = node.value;
        this.changed();
      });
      this.refresh.push(() => (node.value = this.state[key]));
    }
  }

  // Bring the figures of a name to life; each script calls it once, in a notebook again.
  function figure(name, draw) {
    const waiting = `.fersep-live[data-figure="${name}"]:not([data-ready])`;
    for (const host of document.querySelectorAll(waiting)) {
      host.dataset.ready = "";
      host.stage = new Stage(host, draw);
    }
  }

  return { figure, make, mark, Board, toward, angle, two, clamp, calm, TURN, CLASSES };
})();
