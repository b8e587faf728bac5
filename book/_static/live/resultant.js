// Centers in the plane: their sum decides L_inter.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { figure, toward, angle, two, clamp, TURN } = globalThis.liveStage;

  figure("resultant", (stage) => {
    const state = (stage.state = { c: [0, 25, 70, 95, 135].map(toward) });
    const s = state.c.length;
    const board = stage.board([-1.45, 1.45, -1.45, 1.45]);
    board.path("grid")(board.circle());
    const stems = state.c.map((_, j) => board.path(`stem k${j}`));
    const sum = board.path("sum");
    const past = stage.memory("loss between centers, Eq. 3", 0, 1, E.interFloor(s));
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
      const text = `Length of the sum of the directions ${two(E.length(r))}: L_inter ${two(value)}, floor ${two(E.interFloor(s))}. ` +
        `Closest two centers: ${(Math.acos(clamp(Math.max(...pairs), -1, 1)) * TURN).toFixed(0)}° apart.`;
      const alt = `${s} centers on a circle at ${units.map((u) => Math.round(angle(u))).join(", ")} degrees; a thick arrow is their sum divided by ${s}. ${text}`;
      return { text, alt };
    };
  });
})();
