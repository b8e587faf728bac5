// The outline of a rendered face, moved by its action units: the lines of
// fersep/rendered/features.py, in the same coordinates (y points down).
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { figure, two, clamp, calm } = globalThis.liveStage;
  const mix = (a, b, share) => a + (b - a) * share;
  const range = (n, low, high) => [...Array(n + 1)].map((_, k) => mix(low, high, k / n));
  const mirrored = (line) => line.map(([x, y]) => [-x, y]);

  // All lines of the right half, or of the whole where they cross the middle.
  function outline(u, p) {
    const man = clamp(3 * p.sex - 1, 0, 1);
    const shown = {};

    const height = (y) => (y > 0 ? 0.97 + 0.1 * u[26] : 0.98);
    shown.head = range(72, 0, 2 * Math.PI).map((angle) => {
      const y = height(Math.sin(angle)) * Math.sin(angle);
      const low = Math.max(y, 0) ** 2;
      const wide = 0.72 + 0.1 * p.width + 0.02 * man;
      return [wide * (1 - (0.17 + 0.16 * p.jaw - 0.1 * man) * low) * Math.cos(angle), y];
    });

    const brow = range(20, 0, 1).map((t) => {
      const inner = clamp(1 - t, 0, 1.1) ** 1.5;
      const frown = u[4] * (1 - 0.75 * u[1]);
      const lift = inner * (0.15 * u[1] - 0.13 * frown - 0.07 * u[9]) + t * (0.16 * u[2] - 0.05 * u[4]);
      const rise = (0.05 + 0.05 * p.brow_arch * (1.3 - 0.6 * man)) * 4 * t * (1 - t);
      const middle = -0.285 - 0.05 * p.brow_height + 0.02 * man - lift - 0.6 * rise;
      const thick = (0.026 + 0.024 * p.brow_thickness) * (0.75 + 0.4 * man) * clamp(1.15 - 0.7 * t, 0.3, 1.2);
      return [0.13 - 0.055 * u[4] + 0.42 * t, middle, thick];
    });
    shown.brow = [...brow.map(([x, y, h]) => [x, y - h]), ...brow.map(([x, y, h]) => [x, y + h]).reverse()];

    const size = 0.92 + 0.25 * p.eye_size - 0.04 * man;
    const center = 0.3 + 0.04 * p.eye_space;
    const raised = 0.085 + 0.08 * u[5] - 0.055 * u[7] - 0.015 * u[6] - 0.025 * u[9] - 0.012 * u[4] * (1 - u[5]);
    const lower = 0.055 + 0.015 * u[5] - 0.05 * u[7] - 0.04 * u[6] - 0.02 * u[9];
    const lid = (lift) => (x) => {
      const across = (x - center) / (0.165 * size);
      return -lift * size * Math.max(1 - across ** 2, 0) - 0.1 - (p.eye_tilt - 0.4) * 0.04 * across;
    };
    const [top, bottom] = [lid(Math.max(raised, 0.018)), lid(-Math.max(lower, 0.004))];
    const along = range(20, center - 0.165 * size, center + 0.165 * size);
    shown.eye = [...along.map((x) => [x, top(x)]), ...along.map((x) => [x, bottom(x)]).reverse()];
    shown.lid = along.map((x) => [x, top(x) - 0.055 + 0.025 * u[5]]);
    const disc = (radius) => {
      const ring = range(32, 0, 2 * Math.PI).map((a) => [center + radius * Math.cos(a), -0.112 + radius * Math.sin(a)]);
      return ring.map(([x, y]) => [x, clamp(y, top(x), bottom(x))]);
    };
    shown.iris = disc(0.082 * size);
    shown.pupil = disc(0.037 * size);

    const wide = 0.26 + 0.04 * p.mouth_width + 0.11 * u[12] + 0.19 * u[20] - 0.11 * u[23] - 0.07 * u[26] - 0.02 * u[17] + 0.03 * u[24];
    const full = (0.75 + 0.5 * p.lip) * (1.1 - 0.25 * man) * (1 - 0.9 * u[24]) * (1 - 0.45 * u[23]) * (1 - 0.25 * u[12]) * (1 - 0.3 * u[20]);
    const shut = (1 - 0.6 * u[24]) * (1 - 0.25 * u[17]);
    const part = 0.1 * u[25] * (1 - 0.5 * u[24]);
    const drop = 0.26 * u[26] * (1 - 0.4 * u[24]);
    const corner = -0.19 * u[12] + 0.19 * u[15] + 0.07 * u[20] - 0.025 + 0.03 * u[17];
    const mouth = range(40, -1, 1).map((across) => {
      const square = across ** 2;
      const [arch, flat] = [1 - square, 1 - square * square];
      const oval = Math.sqrt(arch);
      const sneer = Math.max(1 - 1.3 * square, 0);
      const middle = corner * Math.min(square - 0.45, 0.7);
      const opened = mix(arch, flat, Math.min(u[20] + 0.6 * u[12], 1));
      const up = middle - 0.3 * opened * part * (1 - u[12]) - 0.1 * sneer * u[10] * shut - 0.3 * oval * drop;
      const low = middle + 0.7 * opened * part * (1 + 0.5 * u[12]) + 0.7 * oval * drop + 0.015 * sneer * u[10] * shut;
      const bow = 1.1 - 0.3 * Math.max(1 - ((across * wide) / 0.04) ** 2 / 4, 0) ** 4;
      const above = up - mix(arch, flat, 0.35) * bow * 0.062 * full * (1 + 0.25 * u[10]) - 0.02 * sneer * u[10];
      const below = low + mix(arch, oval, 0.3) * 0.088 * full * (1 + 0.4 * u[17]);
      const y = 0.5 - 0.06 * u[17] - 0.01 * u[10] + 0.01 * u[20];
      return { x: across * wide, above: y + above, up: y + up, low: y + low, below: y + below };
    });
    const between = (a, b) => [...mouth.map((m) => [m.x, m[a]]), ...mouth.map((m) => [m.x, m[b]]).reverse()];
    shown.lips = between("above", "below");
    shown.opening = between("up", "low");

    const tip = 0.17 + 0.07 * p.nose_length - 0.065 * u[9] - 0.02 * u[10];
    const nose = 0.8 + 0.4 * p.nose_width + 0.25 * u[9];
    shown.nose = range(10, -0.14 * nose, 0.14 * nose).map((x) => [x, tip + 0.035 - 0.3 * Math.abs(x)]);
    shown.wing = range(8, -1.3, 1.3).map((a) => [0.115 * nose + 0.05 * Math.cos(a), tip - 0.02 + 0.05 * Math.sin(a)]);
    return shown;
  }

  // Folds of the skin, seen as strongly as their units are set.
  const FOLDS = [
    [(u) => u[1], range(8, -0.22, 0.22).map((x) => [x, -0.585 - 0.05 * x * x])],
    [(u) => u[2], range(8, 0.24, 0.6).map((x) => [x, -0.585 - 0.05 * x * x])],
    [(u) => u[4], range(8, -0.41, -0.17).map((y) => [0.05 + 0.1 * Math.abs(y + 0.3), y])],
    [(u) => u[9], range(8, 0, 0.16).map((x) => [x, -0.07 - 0.3 * x])],
    [(u) => u[6], range(8, 0.16, 0.5).map((x) => [x, 0.075 - 0.35 * (x - 0.32) ** 2])],
    [(u) => u[7], range(8, 0.11, 0.51).map((x) => [x, -0.1 * (x - 0.31) ** 2])],
    [(u) => Math.min(u[11] + 0.4 * (u[9] + u[10] + u[12]), 1), range(10, 0.1, 0.9).map((t) =>
      [0.14 + 0.25 * t * (1.25 - 0.4 * t), 0.14 + 0.42 * t])],
    [(u) => u[10], range(8, -0.19, 0.19).map((x) => [x, 0.315 + 2.2 * x * x])],
    [(u) => u[15], range(6, 0.6, 0.76).map((y) => [0.31 + 0.35 * (y - 0.6), y])],
    [(u) => u[17], range(8, -0.2, 0.2).map((x) => [x, 0.66 + 0.9 * x * x])],
    [(u) => u[20], range(8, 0.38, 0.66).map((y) => [0.49 - 1.2 * (y - 0.52) ** 2, y])],
    [(u) => u[24], range(8, -0.19, 0.19).map((x) => [x, 0.615 + 0.4 * x * x])],
  ];

  figure("face", (stage) => {
    const { units, person, expressions } = stage.data;
    const names = Object.keys(expressions);
    const first = expressions[names[stage.data.first]];
    const state = (stage.state = { u: first.typical });
    const board = stage.board([-0.95, 0.95, 1.12, -1.08], 360, 400);
    const parts = {};
    for (const [name, look] of Object.entries({
      head: "curve", nose: "", wing: "", brow: "dots", eye: "eye", iris: "dots k2", pupil: "pupil",
      lid: "grid", lips: "lips", opening: "opening",
    })) parts[name] = board.path(look);
    const folds = FOLDS.map(() => board.path("fold"));
    stage.outline = (strengths) =>
      outline(Object.fromEntries(units.map(([number], k) => [number, strengths[k]])), person);

    // From the face that is shown to another one, in half a second.
    let goal = null;
    const choose = (name) => {
      const from = state.u;
      const start = performance.now();
      goal = name;
      const step = (now) => {
        if (goal !== name) return;
        const share = calm() ? 1 : clamp((now - start) / 500, 0, 1);
        state.u = from.map((value, k) => mix(value, expressions[name].typical[k], share));
        stage.changed();
        if (share < 1) requestAnimationFrame(step);
      };
      step(start);
    };
    stage.pause = () => (goal = null);
    names.forEach((name) => stage.button(name, () => choose(name)));
    units.forEach(([number, words], k) =>
      stage.slider(`${number} ${words}:`, ["u", k], range(20, 0, 1), (value) => {
        stage.pause();
        state.u = state.u.with(k, value);
      }, (value) => two(value).slice(0, -1)));
    stage.show = () => {
      const found = stage.outline(state.u);
      for (const [name, draw] of Object.entries(parts)) {
        const line = board.line(found[name]);
        const both = ["head", "nose", "lips", "opening"].includes(name) ? "" : board.line(mirrored(found[name]));
        const close = ["brow", "eye", "iris", "pupil", "lips", "opening"].includes(name) ? "Z" : "";
        draw(line, close, both, both && close);
      }
      const u = Object.fromEntries(units.map(([number], k) => [number, state.u[k]]));
      folds.forEach((draw, k) => {
        const [strength, line] = FOLDS[k];
        draw(board.line(line), board.line(mirrored(line)));
        draw.node.style.opacity = strength(u);
      });
      const set = units.filter((_, k) => state.u[k] >= 0.05).map(([number]) => number);
      if (!set.length) return { text: "No unit is set: neutral.", alt: "The outline of a neutral face." };
      const near = names.filter((name) => E.length(expressions[name].shares) > 0)
        .map((name) => [E.cosine(state.u, expressions[name].shares), name])
        .sort((a, b) => b[0] - a[0]);
      const text = `Units ${set.join(", ")}. Nearest in the table: ${near[0][1]}, cosine ${two(near[0][0])}; then ${near[1][1]}, ${two(near[1][0])}.`;
      return { text, alt: `The outline of a face. ${text}` };
    };
  });
})();
