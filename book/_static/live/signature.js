// Pull and push: features of some classes and their centers.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { figure, toward, angle, two, CLASSES } = globalThis.liveStage;

  figure("signature", (stage) => {
    const { labels: y, features } = stage.data;
    const first = stage.data.centers.map(E.unit);
    const state = (stage.state = { x: features, c: first });
    const board = stage.board([-1.5, 1.5, -1.5, 1.5]);
    board.path("grid")(board.circle());
    const looks = first.map((_, j) => ({
      stem: board.path(`stem k${j}`), pull: board.path(`pull k${j}`), dots: board.path(`dots k${j}`),
    }));
    const push = board.path("push");
    const past = stage.memory("separate loss, Eq. 4", 0, 1.5);
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
      const text = `L_intra ${two(intra)} + L_inter ${two(inter)} ≈ L_sep ${two(intra + inter)}.`;
      return { text, alt: `${x.length} features of ${c.length} classes, their centers, and arrows that pull features to their center and push centers apart. ${text}` };
    };
  });
})();
