// A verdict to argue with: the rules on controls, judged anew from the recorded values.
(() => {
  "use strict";
  const S = globalThis.liveStatistics;
  const { figure, make, Board } = globalThis.liveStage;
  const [LOOKS, SIGNS] = [["k2 o", "k5 s", "k6 D"], ["●", "■", "◆"]];

  const bits = (text, n) => {
    const bytes = atob(text);
    return Float64Array.from({ length: n }, (_, i) =>
      100 * ((bytes.charCodeAt(i >> 3) >> (7 - (i & 7))) & 1));
  };

  figure("verdict", (stage) => {
    const { seeds, planned, arms, claims, right, images, counts } = stage.data;
    const names = Object.keys(arms);
    const hits = Object.fromEntries(Object.entries(right ?? {}).map(([arm, runs]) =>
      [arm, runs.map((text) => bits(text, images))]));
    const state = (stage.state = {
      level: 0.05, holm: "holm", rule: "all",
      seeds: seeds.map(() => 1), margin: claims.map((claim) => claim.margin),
    });

    const estimate = (claim, arm, kept) => {
      if (claim.kind === "images")
        return S.ofSeedsAndImages(kept.map((s) =>
          Array.from(hits[arm][s], (v, i) => v - hits.softmax[s][i])));
      const values = kept.map((s) => claim.values[arm][s]);
      if (claim.kind === "seeds") return S.ofSeeds(values, claim.noise?.[arm]);
      const means = values[0].map((_, j) => values.reduce((sum, row) => sum + row[j], 0) / kept.length);
      return S.ofOrder(means, counts);
    };
    let [measured, measuredAs] = [[], ""];
    const measure = ({ rule, seeds }) => {
      if (measuredAs === rule + seeds) return measured;
      measuredAs = rule + seeds;
      const kept = seeds.flatMap((on, s) => (on ? [s] : []));
      const asked = rule === "all" ? names : [rule];
      return (measured = claims.map((claim) => asked.map((arm) => estimate(claim, arm, kept))));
    };
    const strengthsOf = (how, k) => measure(how)[k].map((arm) =>
      S.strength(arm, how.margin[k], how.level, how.holm === "holm" ? measure(how).flat().length : 1));
    // The words of each claim's arms, under a state.
    const words = (how, strengths = claims.map((_, k) => strengthsOf(how, k))) => {
      const every = strengths.flat();
      const found = how.holm === "holm" ? S.holm(every) : every.map((tests) => tests > 0);
      let next = 0;
      return measure(how).map((arms, k) => arms.map(({ mean }) => {
        if (!found[next++]) return "undecided";
        return mean > how.margin[k] === (claims[k].direction === "above") ? "holds" : "fails";
      }));
    };
    const join = (said) => (new Set(said).size === 1 ? said[0] : "depends");
    // The margin up to which a claim holds while the others stay; null if at none.
    const breaking = (how, k, strengths) => {
      const sign = claims[k].direction === "above" ? 1 : -1;
      const holds = (margin) => {
        const other = { ...how, margin: how.margin.with(k, margin) };
        return join(words(other, strengths.with(k, strengthsOf(other, k)))[k]) === "holds";
      };
      const arms = measure(how)[k];
      let strict = sign * Math.min(...arms.map(({ mean }) => sign * mean));
      let easy = strict - sign * (1e-3 + 1e3 * Math.max(...arms.map(S.error)));
      if (!holds(easy)) return null;
      for (let t = 0; t < 40; t++) {
        const middle = (strict + easy) / 2;
        if (holds(middle)) easy = middle;
        else strict = middle;
      }
      return strict;
    };
    stage.measure = measure;
    stage.judge = (how) => {
      const strengths = claims.map((_, k) => strengthsOf(how, k));
      const said = words(how, strengths);
      const verdicts = said.map(join);
      const stands = (k) => verdicts[k] === "holds" && claims[k].rests_on.every((j) => stands(j));
      return claims.map((claim, k) => ({
        verdict: verdicts[k], words: said[k], stands: stands(k), breaking: breaking(how, k, strengths),
        weak: claim.rests_on.filter((j) => !stands(j)),
      }));
    };

    stage.slider("level:", "level", [0.001, 0.01, 0.05, 0.1, 0.2]);
    stage.choice("many claims:", "holm", { holm: "Holm's rule", none: "each alone" });
    stage.choice("rule of the centers:", "rule", { all: "all three", ...arms });
    make("span", stage.buttons, {}, "seeds:");
    seeds.forEach((seed, s) => {
      const node = stage.button(seed, () => {
        const left = state.seeds.reduce((a, b) => a + b) - state.seeds[s];
        if (left >= 2) state.seeds = state.seeds.with(s, 1 - state.seeds[s]);
      });
      node.setAttribute("aria-label", `seed ${seed}`);
      stage.refresh.push(() => node.setAttribute("aria-pressed", Boolean(state.seeds[s])));
    });

    stage.allowed.seeds = [0, 1];
    stage.restart = () => {
      if (state.seeds.reduce((a, b) => a + b) < 2) state.seeds = seeds.map(() => 1);
    };

    // One row for each claim: its words, a strip with the intervals above the slider of
    // the margin, on one scale, and the verdict.
    const say = (k, value) => value.toFixed(claims[k].digits).replace("-", "−");
    const rows = claims.map((claim, k) => {
      const row = make("div", stage.place, { class: "claim" });
      const about = make("p", row);
      make("b", about, {}, `${k + 1}. ${claim.says}`);
      const note = make("span", about, { class: "note" });
      const strip = make("div", row, { class: "strip" });
      const word = make("span", row, { class: "word" });
      stage.slider("margin:", ["margin", k], claim.stops,
        (value) => (state.margin = state.margin.with(k, value)), (value) => say(k, value), row);
      return { strip, word, note };
    });
    const strips = rows.map(({ strip }, k) => {
      const { stops } = claims[k];
      const [left, end] = [stops[0], stops[stops.length - 1]];
      const aside = (end - left) / 5; // for the numbers of the ends
      const board = new Board(strip, [left - aside, end + aside, -1, 1], 280, 36);
      board.svg.setAttribute("aria-hidden", "true");
      board.path("grid")(board.line([[left, 0], [end, 0]]));
      board.text("small end", [left - 0.12 * aside, -0.2], say(k, left));
      board.text("small", [end + 0.12 * aside, -0.2], say(k, end));
      const floor = board.path("push");
      const marks = LOOKS.map((look) => [board.path(`pull ${look.slice(0, 2)}`), board.path(`dots ${look.slice(0, 2)}`)]);
      return (estimates, looks, margin) => {
        floor(board.line([[margin, -1], [margin, 1]]));
        marks.forEach(([line, dot], r) => {
          const at = looks.indexOf(r);
          if (at < 0) return line(), dot();
          const y = 0.6 * (1 - r);
          const [low, high] = estimates[at].exact === undefined ? S.interval(estimates[at], 1 - state.level) : [0, 0];
          const clip = (v) => Math.min(end, Math.max(left, v));
          line(low < high ? board.line([[clip(low), y], [clip(high), y]]) : "");
          dot(board.mark(LOOKS[r].slice(3), [clip(estimates[at].mean), y], 5));
        });
      };
    });
    stage.show = () => {
      const judged = stage.judge(state);
      const found = measure(state);
      const looks = state.rule === "all" ? names.map((_, r) => r) : [names.indexOf(state.rule)];
      judged.forEach(({ verdict, words, weak, breaking }, k) => {
        const { word, note } = rows[k];
        strips[k](found[k], looks, state.margin[k]);
        word.textContent = verdict;
        word.dataset.verdict = verdict;
        const way = claims[k].direction === "above" ? "up" : "down";
        const parts = [breaking === null ? "at no margin would all rules hold" : `all rules would hold ${way} to a margin of ${say(k, breaking)}`];
        if (verdict === "depends") parts.unshift(words.map((w, r) => `${SIGNS[looks[r]]} ${w}`).join(", "));
        const stand = weak.length > 1 ? "do not stand" : "does not stand";
        if (weak.length) parts.push(`rests on ${weak.map((j) => j + 1).join(" and ")}, which ${stand}`);
        note.textContent = parts.join("; ");
      });
      const count = (wanted) => judged.filter(({ verdict }) => verdict === wanted).length;
      const kept = state.seeds.reduce((a, b) => a + b);
      const tally = ["holds", "fails", "undecided", "depends"].map((w) => `${w} ${count(w)}`).join(", ");
      const early = seeds.length < planned ? ` No verdict before all ${planned} seeds are recorded: this is what ${kept} say so far.` : "";
      const text = `Of the ${judged.length} claims on the main experiment, ${kept} seeds: ${tally}; ${judged.filter((j) => j.stands).length} stand with all that they rest on.${early}`;
      return { text, alt: text };
    };
  });
})();
