// The live figures, one function each: it sets a state, lays out what can be moved, and
// says how to draw. The numbers come from equations.js, the stage from stage.js.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { Stage, toward, angle, two, clamp, TURN, CLASSES } = globalThis.liveStage;
  const figures = {};

  // A curve of what has happened so far, newest at the right.
  function memory(stage, words, low, high, floor = null) {
    const board = stage.board([0, 1, low - 0.08 * (high - low), high], 300, 220);
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

  // Two vectors: Eq. 1, or the push of Eq. 5 with the field around.
  function pair(stage, isPush) {
    const state = (stage.state = isPush
      ? { x: [-0.72, 0.3], c: [0.95, 0.55] }
      : { x: [0.35, 0.95], c: [1.1, -0.3] });
    const board = stage.board([-1.45, 1.45, -1.45, 1.45]);
    const field = board.path("field");
    board.path("grid")(board.circle(), board.line([[-0.05, 0], [0.05, 0]]), board.line([[0, -0.05], [0, 0.05]]));
    const [arc, stems, trail, push] = ["arc", "stem", "trail", "push"].map((look) => board.path(look));
    const high = isPush ? 1.3 : 1;
    const curve = stage.board([-22, 190, -0.17 * high, 1.08 * high]);
    const [grid, line, dot] = [curve.path("grid"), curve.path("curve"), curve.path("dot")];
    grid(curve.line([[0, high], [0, 0], [180, 0]]));
    for (const at of [0, 90, 180]) curve.text("middle", [at, -0.09 * high], `${at}°`);
    curve.text("name", [6, high * 1.01], isPush ? "length of the push" : "Sim, Eq. 1");
    const names = isPush ? ["feature x", "center c"] : ["vector a", "vector b"];
    const far = (v) => {
      const long = E.length(v);
      return long < 0.2 ? E.times(0.2 / (long || 1), long ? v : [1, 0]) : v.map((p) => clamp(p, -1.35, 1.35));
    };
    stage.handle(board, "k1", isPush ? "o" : "s", names[0], () => state.x, (v) => {
      state.x = far(v);
      way = [];
    });
    stage.handle(board, "k2", isPush ? "^" : "D", names[1], () => state.c, (v) => (state.c = far(v)), 10);
    let way = [];
    const gradient = (x) => E.featuresGradient([x], [state.c], [0])[0];
    const size = (degrees) => isPush
      ? E.length(E.featuresGradient([E.times(E.length(state.x), toward(degrees))], [[1, 0]], [0])[0])
      : E.similarity(toward(degrees), [1, 0]);
    const step = () => {
      const g = gradient(state.x);
      if (E.length(g) < 2e-3) return false;
      way.push(state.x);
      state.x = E.plus(state.x, g, -0.05);
      return true;
    };
    stage.restart = () => (way = []);
    if (isPush) stage.player(step, 1, "Let it go");
    stage.show = () => {
      const { x, c } = state;
      const cosine = E.cosine(x, c);
      const between = Math.acos(clamp(cosine, -1, 1)) * TURN;
      stems(board.line([[0, 0], x]), board.line([[0, 0], c]));
      const [from, turn] = [angle(c), ((angle(x) - angle(c) + 540) % 360) - 180];
      arc(board.line([...Array(25)].map((_, k) => E.times(0.24, toward(from + (turn * k) / 24)))));
      const stops = [...Array(46)].map((_, k) => 4 * k);
      line(curve.line(stops.map((a) => [a, Math.min(size(a), 1.1 * high)])));
      dot(curve.mark("o", [between, Math.min(size(between), 1.1 * high)]));
      if (!isPush) {
        const text = `Angle ${between.toFixed(0)}°: cosine ${two(cosine)}, Sim ${two(E.similarity(x, c))}. ` +
          `The lengths ${two(E.length(x))} and ${two(E.length(c))} play no part.`;
        return { text, alt: `Two vectors from one point, and the curve of Eq. 1 over the angle. ${text}` };
      }
      const g = gradient(x);
      const arrows = [];
      for (let u = -1.375; u < 1.4; u += 0.25)
        for (let v = -1.375; v < 1.4; v += 0.25)
          if (Math.hypot(u, v) > 0.4) arrows.push(board.arrow([u, v], E.times(-0.3, gradient([u, v])), 4));
      field(arrows);
      push(board.arrow(x, E.times(-1.2, g), 9));
      trail(board.line([...way, x]));
      const text = `Angle ${between.toFixed(0)}°, length of x ${two(E.length(x))}: ` +
        `loss ${two(E.intraLoss([x], [c], [0]))}, push ${two(E.length(g))}, x · push ${two(E.dot(x, g))}.`;
      return { text, alt: `A feature, its center and the push of Eq. 5 as an arrow, in the field of all pushes. ${text}` };
    };
  }
  figures.vectors = (stage) => pair(stage, false);
  figures.push = (stage) => pair(stage, true);

  // Centers in the plane: their sum decides L_inter.
  figures.resultant = (stage) => {
    const state = (stage.state = { c: [0, 25, 70, 95, 135].map(toward) });
    const s = state.c.length;
    const board = stage.board([-1.45, 1.45, -1.45, 1.45]);
    board.path("grid")(board.circle());
    const stems = state.c.map((_, j) => board.path(`stem k${j}`));
    const sum = board.path("sum");
    const past = memory(stage, "loss between centers, Eq. 3", 0, 1, E.interFloor(s));
    state.c.forEach((_, j) =>
      stage.handle(board, `k${j}`, "^", `center ${j + 1}`, () => E.unit(state.c[j]),
        (v) => E.length(v) > 0.05 && (state.c[j] = E.unit(v))));
    const put = (angles) => () => {
      stage.pause();
      state.c = angles.map(toward);
    };
    stage.button("Spread evenly", put(state.c.map((_, j) => 20 + (360 * j) / s)));
    const open = Math.acos(-1 / (s - 1)) * TURN;
    stage.button("Clumps", put([20, ...Array(s - 1).fill(0).map((_, j) => 20 + (j % 2 ? open : -open))]));
    stage.player(() => {
      const increment = E.interIncrement(state.c);
      state.c = E.updateCenters(state.c, increment, 0.5);
      return Math.max(...increment.map(E.length)) > 1e-4;
    }, 1, "Let them go");
    stage.restart = past.clear;
    stage.show = () => {
      const units = state.c.map(E.unit);
      const r = E.add(units, [0, 0]);
      stems.forEach((draw, j) => draw(board.line([[0, 0], units[j]])));
      sum(board.arrow([0, 0], E.times(1 / s, r), 10));
      const value = E.interLoss(state.c);
      past.show(value);
      const pairs = units.flatMap((a, k) => units.slice(k + 1).map((b) => E.dot(a, b)));
      const text = `Sum of the directions ${two(E.length(r))}: L_inter ${two(value)}, floor ${two(E.interFloor(s))}. ` +
        `Closest two centers: ${(Math.acos(clamp(Math.max(...pairs), -1, 1)) * TURN).toFixed(0)}° apart.`;
      const alt = `${s} centers on a circle at ${units.map((u) => Math.round(angle(u))).join(", ")} degrees; a thick arrow is their sum divided by ${s}. ${text}`;
      return { text, alt };
    };
  };

  // Pull and push: features of some classes and their centers.
  figures.signature = (stage) => {
    const { labels: y, features } = stage.data;
    const first = stage.data.centers.map(E.unit);
    const state = (stage.state = { x: features, c: first });
    const board = stage.board([-1.5, 1.5, -1.5, 1.5]);
    board.path("grid")(board.circle());
    const looks = first.map((_, j) => ({
      stem: board.path(`stem k${j}`), pull: board.path(`pull k${j}`), dots: board.path(`dots k${j}`),
    }));
    const push = board.path("push");
    const past = memory(stage, "separate loss, Eq. 4", 0, 1.5);
    const mean = (j) => E.unit(E.add(state.x.filter((_, i) => y[i] === j).map(E.unit), [0, 0]));
    first.forEach((_, j) => {
      stage.handle(board, `k${j}`, "v", `features of class ${j + 1}, all together`,
        () => E.times(1.28, mean(j)), (v) => {
          const turn = angle(v) - angle(mean(j));
          const [cos, sin] = toward(turn);
          state.x = state.x.map(([a, b], i) => (y[i] === j ? [cos * a - sin * b, sin * a + cos * b] : [a, b]));
        }, 8);
      stage.handle(board, `k${j}`, "^", `center of class ${j + 1}`, () => E.unit(state.c[j]),
        (v) => E.length(v) > 0.05 && (state.c[j] = E.unit(v)), 10);
    });
    const increment = () => {
      const pushes = E.interIncrement(state.c);
      return E.intraIncrement(state.x, state.c, y).map((row, j) => E.plus(row, pushes[j]));
    };
    stage.player(() => {
      const [g, d] = [E.featuresGradient(state.x, state.c, y), increment()];
      state.x = state.x.map((xi, i) => E.plus(xi, g[i], -1));
      state.c = E.updateCenters(state.c, d, 0.2);
      return Math.max(...d.map(E.length), ...g.map((row) => y.length * E.length(row))) > 0.01;
    }, 1, "Let them go");
    stage.restart = past.clear;
    stage.show = () => {
      const { x, c } = state;
      const [g, d] = [E.featuresGradient(x, c, y), increment()];
      looks.forEach(({ stem, pull, dots }, j) => {
        const own = x.map((_, i) => i).filter((i) => y[i] === j);
        stem(board.line([[0, 0], E.unit(c[j])]));
        dots(own.map((i) => board.mark(CLASSES[j], x[i], 4)));
        pull(own.map((i) => board.arrow(x[i], E.times(-0.6 * x.length, g[i]), 5)));
      });
      push(c.map((cj, j) => board.arrow(E.unit(cj), E.times(-1.2, d[j]), 8)));
      const [intra, inter] = [E.intraLoss(x, c, y), E.interLoss(c)];
      past.show(intra + inter);
      const text = `L_intra ${two(intra)} + L_inter ${two(inter)} = L_sep ${two(intra + inter)}.`;
      return { text, alt: `${x.length} features of ${c.length} classes, their centers, and arrows that pull features to their center and push centers apart. ${text}` };
    };
  };

  // Centers under the three rules, from the same features.
  figures.rules = (stage) => {
    const { names, counts, first, rest, printed } = stage.data;
    const s = names.length;
    const state = (stage.state = { n: [...counts], alpha: 0.5, first: 1 });
    const axes = names.map((_, j) => names.map((_, k) => (j === k ? 1 : 0)));
    const RULES = { exact: "k2 o", published: "k5 s", mean: "k6 D" };
    const WORDS = { exact: "exact", published: "as printed", mean: "mean" };
    const faces = Object.keys(RULES).map((rule) => {
      const board = stage.board([-1.35, 1.35, -1.35, 1.75], 210, 241, "third");
      board.path("grid")(board.circle());
      board.text("name large", [-0.45, 1.5], WORDS[rule]);
      board.path(`dots ${RULES[rule].slice(0, 2)}`)(board.mark(RULES[rule].slice(3), [-0.65, 1.56], 6));
      const parts = names.map((_, j) => ["arc", "dots"].map((look) => board.path(`${look} k${j}`)));
      return { rule, board, parts };
    });
    const graph = stage.board([-1.15, s - 0.4, -0.75, 1.3], 430, 240);
    const grid = graph.path("grid");
    grid([-0.5, 0, 0.5, 1].map((v) => graph.line([[-0.5, v], [s - 0.4, v]])));
    for (const v of [-0.5, 0, 0.5, 1]) graph.text("end", [-0.6, v - 0.04], two(v).slice(0, -1));
    graph.text("name", [-1.1, 1.18], "cosine of learned and true center; the paper hollow");
    names.forEach((name, j) => graph.text("middle small", [j, -0.7], name));
    graph.path("paper")(printed.map((v, j) => graph.mark("o", [j, v], 7)));
    const dots = Object.values(RULES).map((look) => graph.path(`dots ${look.slice(0, 2)}`));
    let [centers, done, last] = [rest, 0, 0];
    const batch = () => {
      const y = state.n.flatMap((n, j) => Array(n).fill(j));
      return [y.map((j) => axes[j]), y];
    };
    const step = () => {
      const [x, y] = batch();
      let most = 0;
      for (const rule of Object.keys(RULES)) {
        const [pull, push] = [E.intraIncrement(x, centers[rule], y, rule), E.interIncrement(centers[rule], rule)];
        const both = pull.map((row, j) => E.plus(row, push[j]));
        most = Math.max(most, ...both.map((row, j) => E.length(row) / E.length(centers[rule][j])));
        centers[rule] = E.updateCenters(centers[rule], both, state.alpha);
      }
      done += 1;
      return most > 1e-5 && done < last;
    };
    const walk = () => {
      last = done + 20000;
      stage.play();
    };
    const over = () => {
      done = 0;
      centers = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, first.map((row) => E.times(state.first, row))]));
      walk();
    };
    stage.player(step, 6, "Play", () => (last = done + 20000));
    stage.button("From the start", over);
    names.forEach((name, j) =>
      stage.slider(`${name}:`, ["n", j], [...Array(41)].map((_, k) => k), (n) => {
        state.n[j] = n;
        if (state.n.every((v) => !v)) state.n[j] = 1;
        walk();
      }));
    stage.slider("α:", "alpha", [0.05, 0.1, 0.2, 0.5, 1, 2, 5], (v) => {
      state.alpha = v;
      over();
    });
    stage.slider("first length:", "first", [1, 2, 3, 5, 8], (v) => {
      state.first = v;
      over();
    });
    stage.restart = () => {
      [centers, done] = [structuredClone(rest), 0];
      if (state.alpha !== 0.5 || state.first !== 1) over();
      else if (`${state.n}` !== `${counts}`) walk();
    };
    stage.show = () => {
      const told = [];
      faces.forEach(({ rule, board, parts }, r) => {
        const cosines = centers[rule].map((c, j) => E.cosine(c, axes[j]));
        parts.forEach(([arc, point], j) => {
          const own = 90 - (360 * j) / s;
          const off = Math.acos(clamp(cosines[j], -1, 1)) * TURN;
          const way = [...Array(25)].map((_, k) => toward(own - (off * k) / 24));
          arc(board.line([[0, 0], way[24]]), board.line(way), board.mark("v", E.times(1.16, way[0]), 5));
          point(board.mark("^", way[24], 7));
        });
        dots[r](cosines.map((v, j) => graph.mark(RULES[rule].slice(3), [j + 0.24 * (r - 1), Math.max(v, -0.55)], 4.5)));
        const least = cosines.indexOf(Math.min(...cosines));
        told.push(`${WORDS[rule]}: ${names[least]} lowest, ${two(cosines[least])}`);
      });
      const text = `${done ? `After ${done} steps` : "At rest"}, batch of ${state.n.reduce((a, b) => a + b)}: ${told.join("; ")}.`;
      return { text, alt: `Learned centers beside the true centers under three rules, and their cosines for each class with the paper's as open circles. ${text}` };
    };
  };

  // Algorithm 1 on points in the plane.
  figures.toy = (stage) => {
    const { starts, labels, how } = stage.data;
    const last = Object.values(starts)[0].batches.length;
    const state = (stage.state = { step: last, seed: Object.keys(starts)[0], loss: "separate", rule: how.rule, lambda: how.lambda, alpha: how.alpha });
    const s = Math.max(...labels) + 1;
    const board = stage.board([-1, 1, -1, 1]);
    board.path("grid")(board.circle(0.9));
    const looks = [...Array(s)].map((_, j) => ["dots", "dots edge"].map((look) => board.path(`${look} k${j}`)));
    const graph = stage.board([-0.12 * last, 1.04 * last, -1.2, 1.25]);
    graph.path("grid")(graph.line([[0, -1], [0, 1], [0, 0], [last, 0]]));
    for (const v of [-1, 0, 1]) graph.text("end", [-0.02 * last, v - 0.03], two(v).slice(0, -3));
    const CURVES = { intra: "k2", inter: "k5", agreement: "k6", accuracy: "k0" };
    Object.entries(CURVES).forEach(([name, k], i) => {
      graph.path(`curve ${k}`)(graph.line([[0.03 * last, -0.38 - 0.17 * i], [0.1 * last, -0.38 - 0.17 * i]]));
      graph.text("small", [0.125 * last, -0.41 - 0.17 * i], name);
    });
    const curves = Object.values(CURVES).map((k) => [graph.path(`curve ${k}`), graph.path(`dots ${k}`)]);
    const now = graph.path("floor");
    let [path, measured, key, reach] = [[], [], "", 1];
    const rerun = () => {
      const { step, ...settings } = state;
      if (key === JSON.stringify(settings)) return;
      key = JSON.stringify(settings);
      path = stage.run(starts[state.seed], { ...how, ...settings });
      reach = 1.15 * Math.max(...path.flatMap(({ points }) => points.map(E.length)));
      measured = path.map((at) => stage.measure(at));
    };
    stage.run = (start, settings) => {
      const way = [start];
      for (const rows of start.batches) way.push(E.step(way[way.length - 1], rows, labels, settings));
      return way;
    };
    const own = (points, j) => points.filter((_, i) => labels[i] === j);
    stage.measure = ({ points, centers, theta }) => {
      const means = centers.map((_, j) => E.middle(own(points, j)));
      return {
        intra: E.mean(points.map((x, i) => E.cosine(x, means[labels[i]]))),
        inter: 2 * E.interLoss(means) - 1,
        agreement: E.mean(means.map((m, j) => E.cosine(m, centers[j]))),
        accuracy: E.mean(points.map((x, i) => {
          const scores = theta.map((row) => E.dot(row, x));
          return scores.indexOf(Math.max(...scores)) === labels[i] ? 1 : 0;
        })),
      };
    };
    const step = () => {
      state.step = Math.min(state.step + 1, last);
      return state.step < last;
    };
    stage.player(step, 1, "Play", () => {
      if (state.step >= last) state.step = 0;
    });
    stage.button("Step", () => {
      stage.pause();
      step();
    });
    stage.slider("step:", "step", [...Array(last + 1)].map((_, k) => k));
    stage.choice("loss:", "loss", { separate: "softmax + separate", center: "softmax + center", softmax: "softmax alone" });
    stage.choice("rule:", "rule", { exact: "exact", published: "as printed", mean: "mean" });
    stage.slider("λ:", "lambda", [0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9, 1.5, 2, 3, 5]);
    stage.slider("α:", "alpha", [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]);
    stage.choice("start:", "seed", Object.fromEntries(Object.keys(starts).map((seed) => [seed, `seed ${seed}`])));
    stage.show = () => {
      rerun();
      const at = clamp(Math.round(state.step), 0, last);
      const { points, centers } = path[at];
      looks.forEach(([dots, marks], j) => {
        const mine = own(points, j);
        dots(mine.map((x) => board.mark(CLASSES[j], E.times(0.9 / reach, x), 4)));
        marks(board.mark("^", E.times(0.95, E.unit(centers[j])), 8),
          board.mark("v", E.times(0.82, E.unit(E.middle(mine))), 7));
      });
      const told = Object.keys(CURVES).map((name, k) => {
        const [curve, dot] = curves[k];
        curve(graph.line(measured.map((m, t) => [t, m[name]])));
        dot(graph.mark("o", [at, measured[at][name]], 4));
        return `${name} ${two(measured[at][name])}`;
      });
      now(graph.line([[at, -1.1], [at, 1.1]]));
      const text = `Step ${at}: ${told.join(", ")}.`;
      return { text, alt: `Features in the plane in ${s} colors, learned and true centers on a ring, and four measures over the steps. ${text}` };
    };
  };

  function start() {
    for (const host of document.querySelectorAll(".fersep-live:not([data-ready])")) {
      host.dataset.ready = "";
      host.stage = new Stage(host, figures[host.dataset.figure]);
    }
  }
  start();
  addEventListener("DOMContentLoaded", start);
})();
