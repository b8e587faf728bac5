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

  // An estimate: its mean, standard error and degrees of freedom.
  // Two-sided chance of a mean at least as far from `value`, were that the true one.
  function pValue({ mean, error, freedom, exact }, value) {
    if (exact !== undefined) return exact;
    if (error === 0) return mean === value ? 1 : 0;
    const t = (mean - value) / error;
    return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
  }
  // How many standard errors an interval reaches; each answer is kept.
  const reaches = {};
  function reach(freedom, level) {
    const rest = (t) => pValue({ mean: t, error: 1, freedom }, 0) - (1 - level);
    let [low, high] = [0, 1];
    while (rest(high) > 0 && high < 1e9) high *= 2;
    for (let k = 0; k < 80; k++) {
      const half = (low + high) / 2;
      if (rest(half) > 0) low = half;
      else high = half;
    }
    return high;
  }
  function interval({ mean, error, freedom }, level = 0.95) {
    const half = error && error * (reaches[[freedom, level]] ??= reach(freedom, level));
    return [mean - half, mean + half];
  }
  function ofSeeds(values) {
    const n = values.length;
    const spread = Math.max(...values) - Math.min(...values);
    const equal = spread <= 1e-12 * Math.max(...values.map(Math.abs));
    return { mean: mean(values), error: equal ? 0 : Math.sqrt(variance(values) / n), freedom: n - 1 };
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
    const all = Math.max(ofSeed + ofImage - ofBoth, ofSeed, ofImage);
    const freedom = all ** 2 / (ofSeed ** 2 / (seeds - 1) + ofImage ** 2 / (images - 1));
    return { mean: middle, error: Math.sqrt(all), freedom };
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
    if (scale === 0) return { mean: 0, error: 0, exact: 1 };
    const found = dot(a, b) / scale;
    const all = orders(a);
    const as = all.filter((order) => Math.abs(dot(order, b) / scale) >= Math.abs(found) - 1e-12);
    return { mean: found, error: 0, exact: as.length / all.length };
  }

  function holm(chances) {
    const order = chances.map((_, k) => k).sort((a, b) => chances[a] - chances[b]);
    const adjusted = [];
    let least = 0;
    order.forEach((k, rank) => {
      least = Math.max(least, (chances.length - rank) * chances[k]);
      adjusted[k] = Math.min(least, 1);
    });
    return adjusted;
  }

  return { pValue, interval, ofSeeds, ofSeedsAndImages, ofOrder, holm };
})();
