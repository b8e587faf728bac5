// Student's t, intervals and Holm's rule: what fersep.analysis computes, in the page.
globalThis.liveStatistics = (() => {
  "use strict";
  const { mean } = globalThis.separateLoss;
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const variance = (values) => {
    const middle = mean(values);
    return sum(values.map((v) => (v - middle) ** 2)) / (values.length - 1);
  };

  // The logarithm of the gamma function: up the ladder, then Stirling's series.
  function logGamma(x) {
    let below = 0;
    for (; x < 15; x += 1) below += Math.log(x);
    const [u, v] = [1 / x, 1 / (x * x)];
    const series = u * (1 / 12 - v * (1 / 360 - v * (1 / 1260 - v * (1 / 1680 - v / 1188))));
    return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - below;
  }

  // The regularized incomplete beta function by its continued fraction (Lentz).
  function incompleteBeta(x, a, b) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) +
      a * Math.log(x) + b * Math.log1p(-x)) / a;
    let [c, d, value] = [1, 0, 1];
    for (let k = 0; k < 500; k++) {
      const m = k >> 1;
      const part = k === 0 ? 1 : k % 2
        ? (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
        : (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / (1 + part * d);
      c = 1 + part / c;
      value *= c * d;
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return front * (value - 1);
  }

  // An estimate: its mean, and the parts of its noise as pairs of a variance and its
  // degrees of freedom; with at least the noise of other such pairs.
  const chanceOf = (t, freedom) =>
    incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
  const density = (t, freedom) =>
    Math.exp(logGamma((freedom + 1) / 2) - logGamma(freedom / 2) -
      ((freedom + 1) / 2) * Math.log1p((t * t) / freedom)) / Math.sqrt(freedom * Math.PI);
  // How many standard errors an interval reaches that misses the truth with a chance:
  // Newton's steps on logarithms.
  function reach(freedom, chance) {
    let log = 0;
    for (let k = 0; k < 60; k++) {
      const t = Math.exp(log);
      const p = chanceOf(t, freedom);
      const step = (Math.log(p / chance) * p) / (2 * t * density(t, freedom));
      log += Math.max(-1, Math.min(1, step));
      if (Math.abs(step) < 1e-12) break;
    }
    return Math.exp(log);
  }
  // Half the width of the interval that misses the truth with a chance of level / tests.
  function half(estimate, level, tests = 1) {
    const known = ((estimate.halves ??= {})[level] ??= []);
    const square = (pairs = []) =>
      sum(pairs.map(([v, freedom]) => v && v * reach(freedom, level / tests) ** 2));
    return (known[tests] ??= Math.sqrt(Math.max(square(estimate.parts), square(estimate.least))));
  }
  // Of how many tests, `most` at the most, this one could be and share their level evenly,
  // and still find the mean off `value`: the number of them that its p-value bears.
  function strength(estimate, value, level, most) {
    const { mean, exact } = estimate;
    const found = (tests) => exact === undefined
      ? Math.abs(mean - value) > half(estimate, level, tests) : exact < level / tests;
    let tests = 0;
    while (tests < most && found(tests + 1)) tests++;
    return tests;
  }
  function interval(estimate, level = 0.95) {
    const reached = half(estimate, 1 - level);
    return [estimate.mean - reached, estimate.mean + reached];
  }
  const error = ({ parts }) => Math.sqrt(sum(parts.map(([v]) => v)));
  // Values of seeds; where test images decide too, with the noise of these.
  function ofSeeds(values, ofImages = []) {
    const n = values.length;
    const spread = Math.max(...values) - Math.min(...values);
    const equal = spread <= 1e-12 * Math.max(...values.map(Math.abs));
    return { mean: mean(values), parts: [[equal ? 0 : variance(values) / n, n - 1], ...ofImages] };
  }

  // Seeds and images are two samples: rows of values, one for each seed.
  function ofSeedsAndImages(rows) {
    const [seeds, images] = [rows.length, rows[0].length];
    const byImage = rows[0].map((_, i) => mean(rows.map((row) => row[i])));
    const bySeed = rows.map(mean);
    const middle = mean(bySeed);
    const rest = sum(rows.map((row, s) =>
      sum(row.map((v, i) => (v - byImage[i] - bySeed[s] + middle) ** 2))));
    const ofBoth = rest / ((seeds - 1) * (images - 1)) / (images * seeds);
    const [ofSeed, ofImage] = [variance(bySeed) / seeds, variance(byImage) / images];
    const parts = [[ofSeed, seeds - 1], [Math.max(ofImage - ofBoth, 0), images - 1]];
    return { mean: middle, parts, least: [[ofImage, images - 1]] };
  }

  // Spearman's correlation over classes; its chance counts all orders of the classes.
  const ranks = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    const place = (v) => (sorted.indexOf(v) + sorted.lastIndexOf(v)) / 2;
    return values.map((v) => place(v) - (values.length - 1) / 2);
  };
  const orders = (items) => items.length < 2 ? [items]
    : items.flatMap((item, k) =>
        orders(items.filter((_, j) => j !== k)).map((rest) => [item, ...rest]));
  function ofOrder(values, counts) {
    const { dot } = globalThis.separateLoss;
    const [a, b] = [ranks(values), ranks(counts)];
    const scale = Math.sqrt(dot(a, a) * dot(b, b));
    if (scale === 0) return { mean: 0, parts: [], exact: 1 };
    const found = dot(a, b) / scale;
    const all = orders(a);
    const as = all.filter((order) => Math.abs(dot(order, b) / scale) >= Math.abs(found) - 1e-12);
    return { mean: found, parts: [], exact: as.length / all.length };
  }

  // Which tests find something, by Holm's rule: the strongest of m must bear m tests, the
  // next m − 1, and so on until one fails.
  function holm(strengths) {
    const order = strengths.map((_, k) => k).sort((a, b) => strengths[b] - strengths[a]);
    const found = strengths.map(() => false);
    order.every((k, rank) => (found[k] = strengths[k] >= strengths.length - rank));
    return found;
  }

  return { strength, interval, error, ofSeeds, ofSeedsAndImages, ofOrder, holm };
})();
