// Eq. 1-9 of the paper and Algorithm 1, in the paper's order and letters.
//
// A vector is an array of numbers of any length. x: features, y: their class numbers,
// c: centers, theta: weights of the softmax layer. A browser test feeds random vectors
// to these functions and to fersep.equations, and asks for the same numbers.
globalThis.separateLoss = (() => {
  "use strict";
  const dot = (a, b) => {
    let sum = 0;
    for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
    return sum;
  };
  const length = (a) => Math.sqrt(dot(a, a));
  // Plain loops: these three take most of the time.
  const times = (factor, a) => {
    const product = a.slice();
    for (let k = 0; k < a.length; k++) product[k] *= factor;
    return product;
  };
  const plus = (a, b, factor = 1) => {
    const sum = a.slice();
    for (let k = 0; k < a.length; k++) sum[k] += factor * b[k];
    return sum;
  };
  const add = (vectors, like) => {
    const sum = times(0, like);
    for (const v of vectors) for (let k = 0; k < sum.length; k++) sum[k] += v[k];
    return sum;
  };
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const middle = (vectors) => times(1 / vectors.length, add(vectors, vectors[0]));
  const unit = (a) => times(1 / length(a), a);
  const cosine = (a, b) => dot(a, b) / (length(a) * length(b));

  // Eq. 1
  const similarity = (a, b) => (cosine(a, b) + 1) / 2;

  // Eq. 2
  const intraLoss = (x, c, y) => 1 - mean(x.map((xi, i) => similarity(xi, c[y[i]])));

  // Eq. 3
  const interLoss = (c) =>
    mean(c.flatMap((ck, k) => c.filter((_, j) => j !== k).map((cj) => similarity(ck, cj))));
  const interFloor = (s) => (s - 2) / (2 * (s - 1));

  // Eq. 4
  const separate = (x, c, y) => intraLoss(x, c, y) + interLoss(c);

  // The bracket of Eq. 5, 6 and 7: the derivative of cos(v, u) for u,
  // v / (|v| |u|) - (v . u) u / (|v| |u|^3).
  const bracket = (v, u) => {
    const square = dot(u, u);
    const both = length(v) * Math.sqrt(square);
    const along = dot(v, u) / (both * square);
    return u.map((value, k) => v[k] / both - along * value);
  };

  // Eq. 5
  const featuresGradient = (x, c, y) =>
    x.map((xi, i) => times(-1 / (2 * x.length), bracket(c[y[i]], xi)));

  // Eq. 6
  const intraIncrement = (x, c, y, rule = "exact") =>
    c.map((cj, j) => {
      const own = x.filter((_, i) => y[i] === j);
      const m = x.length;
      const n = own.length;
      const weight = { exact: m, published: m * (1 + n), mean: 1 + n }[rule];
      return times(-1 / (2 * weight), add(own.map((xi) => bracket(xi, cj)), cj));
    });

  // Eq. 7, read as a sum over k != j
  const interIncrement = (c, rule = "exact") =>
    c.map((cj, j) => {
      const others = c.filter((_, k) => k !== j).map((ck) => bracket(ck, cj));
      const pairs = c.length * (c.length - 1);
      return times(rule === "exact" ? 1 / pairs : 1 / (2 * pairs), add(others, cj));
    });

  // Eq. 8
  const updateCenters = (c, increment, alpha) =>
    c.map((cj, j) => plus(cj, increment[j], -alpha));

  // Eq. 9, and the softmax loss that it adds to
  const totalLoss = (softmax, separated, lambda) => softmax + lambda * separated;
  const chances = (xi, theta) => {
    const scores = theta.map((row) => dot(row, xi));
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  };
  const softmaxLoss = (x, theta, y) =>
    -mean(x.map((xi, i) => Math.log(chances(xi, theta)[y[i]])));

  // Center loss, for comparison: its gradient, and its step with the factor 1 + n
  const centerLoss = (x, c, y) =>
    mean(x.map((xi, i) => length(plus(xi, c[y[i]], -1)) ** 2)) / 2;
  const centerLossGradient = (x, c, y) =>
    x.map((xi, i) => times(1 / x.length, plus(xi, c[y[i]], -1)));
  const centerLossIncrement = (x, c, y) =>
    c.map((cj, j) => {
      const own = x.filter((_, i) => y[i] === j);
      return times(1 / (1 + own.length), add(own.map((xi) => plus(cj, xi, -1)), cj));
    });

  // One step of Algorithm 1 on the rows of a batch; there is no network, so the points
  // are the features. Everything sees the centers and the layer from before the step.
  function step({ points, centers, theta }, rows, labels, how) {
    const [x, y] = [rows.map((i) => points[i]), rows.map((i) => labels[i])];
    const m = rows.length;
    const error = x.map((xi, i) =>
      chances(xi, theta).map((p, j) => (p - (j === y[i] ? 1 : 0)) / m));
    const isCenter = how.loss === "center";
    const lambda = how.loss === "softmax" ? 0 : how.lambda;
    const gradient = (isCenter ? centerLossGradient : featuresGradient)(x, centers, y);
    const back = x.map((_, i) =>
      plus(add(theta.map((row, j) => times(error[i][j], row)), theta[0]), gradient[i], lambda));
    const pull = intraIncrement(x, centers, y, how.rule);
    const push = interIncrement(centers, how.rule);
    const increment = isCenter
      ? centerLossIncrement(x, centers, y)
      : pull.map((row, j) => plus(row, push[j]));
    const moved = [...points];
    rows.forEach((i, k) => (moved[i] = plus(points[i], back[k], -how.etaPoints)));
    return {
      points: moved,
      centers: updateCenters(centers, increment, how.alpha),
      theta: theta.map((row, j) =>
        plus(row, add(x.map((xi, i) => times(error[i][j], xi)), row), -how.eta)),
    };
  }

  return {
    dot, length, times, plus, add, mean, middle, unit, cosine, similarity, intraLoss, interLoss,
    interFloor, separate, featuresGradient, intraIncrement, interIncrement,
    updateCenters, totalLoss, softmaxLoss, chances, centerLoss, step,
  };
})();
