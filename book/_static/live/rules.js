// Centers under the three rules, from the same features.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { figure, toward, two, clamp, TURN } = globalThis.liveStage;

  figure("rules", (stage) => {
    const { names, counts, first, rest, printed } = stage.data;
    const s = names.length;
    const state = (stage.state = { n: [...counts], alpha: 0.5, first: 1 });
    const axes = names.map((_, j) => names.map((_, k) => (j === k ? 1 : 0)));
    const RULES = { exact: "o", published: "s", mean: "D" }; // colors are those of classes
    const WORDS = { exact: "exact", published: "as printed", mean: "mean" };
    const faces = Object.keys(RULES).map((rule) => {
      const board = stage.board([-1.35, 1.35, -1.35, 1.75], 210, 241, "third");
      board.path("grid")(board.circle());
      board.text("name large", [-0.45, 1.5], WORDS[rule]);
      board.path("dots")(board.mark(RULES[rule], [-0.65, 1.56], 6));
      const parts = names.map((_, j) => ["arc", "dots"].map((look) => board.path(`${look} k${j}`)));
      return { rule, board, parts };
    });
    const graph = stage.board([-1.15, s - 0.4, -0.75, 1.3], 430, 240);
    const grid = graph.path("grid");
    grid([-0.5, 0, 0.5, 1].map((v) => graph.line([[-0.5, v], [s - 0.4, v]])));
    for (const v of [-0.5, 0, 0.5, 1]) graph.text("end", [-0.6, v - 0.04], two(v).slice(0, -1));
    graph.text("name", [-1.1, 1.18], "cosine of learned and true center; the paper hollow");
    names.forEach((name, j) => {
      graph.text("middle small", [j, -0.7], name);
      graph.path(`dots k${j}`)(graph.mark("o", [j, -0.52], 4)); // its color in the wheels
    });
    graph.path("paper")(printed.map((v, j) => graph.mark("o", [j, v], 7)));
    const dots = Object.keys(RULES).map(() => graph.path("dots"));
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
        dots[r](cosines.map((v, j) => graph.mark(RULES[rule], [j + 0.24 * (r - 1), Math.max(v, -0.55)], 4.5)));
        const least = cosines.indexOf(Math.min(...cosines));
        told.push(`${WORDS[rule]}: ${names[least]} lowest, ${two(cosines[least])}`);
      });
      const text = `${done ? `After ${done} steps` : "At rest"}, batch of ${state.n.reduce((a, b) => a + b)}: ${told.join("; ")}.`;
      return { text, alt: `Learned centers beside the true centers under three rules, and their cosines for each class with the paper's as open circles. ${text}` };
    };
  });
})();
