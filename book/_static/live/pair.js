// Two vectors: Eq. 1, or the push of Eq. 5 with the field around.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const { figure, toward, angle, two, clamp, TURN } = globalThis.liveStage;

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
  figure("vectors", (stage) => pair(stage, false));
  figure("push", (stage) => pair(stage, true));
})();
