// The same experiment again and again, with pairs of seeds and with strangers.
(() => {
  "use strict";
  const E = globalThis.separateLoss;
  const S = globalThis.liveStatistics;
  const { figure, two, clamp } = globalThis.liveStage;

  figure("pairs", (stage) => {
    const { draws, gain, sd, r } = stage.data;
    const state = (stage.state = { n: 5, r, gain });
    const reach = 2.5;
    const sides = [["strangers", "k5"], ["pairs", "k2"]].map(([name, look]) => {
      const board = stage.board([-reach, reach, -2, draws.length + 2], 300, 260);
      board.text("name", [-reach, draws.length + 0.5], name);
      for (const v of [-2, -1, 0, 1, 2]) board.text("middle small", [v, -1.9], two(v).slice(0, -3));
      board.text("end small", [reach, -0.4], "points");
      board.path("grid")(board.line([[0, 0], [0, draws.length]]));
      return { name, board, truth: board.path("floor"), found: board.path(`curve ${look}`), missed: board.path(`pull ${look}`) };
    });
    stage.slider("seeds in each experiment:", "n", draws[0].map((_, k) => k + 1).slice(1));
    stage.slider("correlation of a pair:", "r", [0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95], undefined, two);
    stage.slider("true gain, in points:", "gain", [0, 0.1, 0.25, 0.5, 0.75, 1, 1.5], undefined, two);
    const once = (draw) => {
      const [common, own] = [Math.sqrt(state.r), Math.sqrt(1 - state.r)];
      const seeds = draw.slice(0, state.n);
      const losses = [1, 2].map((k) => seeds.map((luck) => sd * (common * luck[0] + own * luck[k])));
      const paired = S.ofSeeds(losses[1].map((v, s) => v - losses[0][s]));
      const [first, other] = [losses[0], seeds.map((luck) => sd * luck[3])].map((values) => S.ofSeeds(values));
      const noise = first.parts[0][0] + other.parts[0][0];
      return [
        S.interval({ mean: other.mean - first.mean + state.gain, parts: [[noise, 2 * state.n - 2]] }),
        S.interval({ ...paired, mean: paired.mean + state.gain }),
      ];
    };
    stage.show = () => {
      const all = draws.map(once);
      const told = sides.map(({ name, board, truth, found, missed }, side) => {
        truth(board.line([[state.gain, 0], [state.gain, draws.length]]));
        const bars = all.map((both, k) => {
          const ends = both[side].map((v) => [clamp(v, -reach, reach), k + 0.5]);
          return { bar: board.line(ends), sees: both[side][0] > 0 || both[side][1] < 0 };
        });
        found(bars.filter(({ sees }) => sees).map(({ bar }) => bar));
        missed(bars.filter(({ sees }) => !sees).map(({ bar }) => bar));
        const wide = E.mean(all.map((both) => both[side][1] - both[side][0]));
        const seen = bars.filter(({ sees }) => sees).length;
        return `${name}: ${seen} of ${draws.length} intervals leave out zero, mean width ${two(wide)} points`;
      });
      const text = `${state.n} seeds, true gain ${two(state.gain)}: ${told.join("; ")}.`;
      return { text, alt: `${draws.length} intervals as bars, thick where they leave out zero, beside a dashed line at the true gain. ${text}` };
    };
  });
})();
