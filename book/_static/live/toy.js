// Algorithm 1 on points in the plane.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { figure, two, clamp, CLASSES } = globalThis.liveStage;

  const EVERY = 4; // steps between two points of a curve

  figure("toy", (stage) => {
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
    const CURVES = { loss: "k4", intra: "k2", inter: "k5", agreement: "k6", accuracy: "k0" };
    Object.entries(CURVES).forEach(([name, k], i) => {
      graph.path(`curve ${k}`)(graph.line([[0.03 * last, -0.3 - 0.17 * i], [0.1 * last, -0.3 - 0.17 * i]]));
      graph.text("small", [0.125 * last, -0.33 - 0.17 * i], i ? name : "loss, 1 at the start");
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
      measured = path.filter((_, t) => t % EVERY === 0).map((at) => stage.measure(at, settings));
    };
    stage.run = (start, settings) => {
      const way = [start];
      for (const rows of start.batches) way.push(E.step(way[way.length - 1], rows, labels, settings));
      return way;
    };
    const own = (points, j) => points.filter((_, i) => labels[i] === j);
    stage.measure = ({ points, centers, theta }, { loss, lambda }) => {
      const means = centers.map((_, j) => E.middle(own(points, j)));
      const added = { separate: E.separate, center: E.centerLoss, softmax: () => 0 }[loss];
      return {
        loss: E.totalLoss(E.softmaxLoss(points, theta, labels), added(points, centers, labels), lambda),
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
      const here = stage.measure(path[at], state);
      looks.forEach(([dots, marks], j) => {
        const mine = own(points, j);
        dots(mine.map((x) => board.mark(CLASSES[j], E.times(0.9 / reach, x), 4)));
        marks(board.mark("^", E.times(0.95, E.unit(centers[j])), 8),
          board.mark("v", E.times(0.82, E.unit(E.middle(mine))), 7));
      });
      const told = Object.keys(CURVES).map((name, k) => {
        const [curve, dot] = curves[k];
        const scale = k ? 1 : 1 / measured[0].loss;
        const spot = (t, m) => [t, Math.min(scale * m[name], 1.25)];
        curve(graph.line(measured.map((m, t) => spot(EVERY * t, m))));
        dot(graph.mark("o", spot(at, here), 4));
        const beside = k ? "" : ` (${two(scale * here.loss)} of the start)`;
        return `${name} ${two(here[name])}${beside}`;
      });
      now(graph.line([[at, -1.1], [at, 1.1]]));
      const text = `Step ${at}: ${told.join(", ")}.`;
      return { text, alt: `Features in the plane in ${s} colors, learned and true centers on a ring, and the loss and four measures over the steps. ${text}` };
    };
  });
})();
