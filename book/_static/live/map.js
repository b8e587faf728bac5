// A map of test images: point at one, and it says what it shows and what was said.
(() => {
  "use strict";
  const { figure, make, mark, CLASSES } = globalThis.liveStage;

  figure("map", (stage) => {
    const { views, labels, classes, faces } = stage.data;
    const titles = Object.keys(views);
    const state = (stage.state = { view: titles[0], show: "all", at: 1 });
    const board = stage.board([-1.06, 1.06, -1.06, 1.06], 420, 420, "map");
    const looks = classes.map((_, j) => ({
      dots: board.path(`dots k${j}`), centers: board.path(`dots edge k${j}`),
    }));
    const ring = board.path("push");
    const picture = faces && make("div", stage.row, { class: "face" });
    const isWrong = (i) => views[state.view].predictions[i] !== labels[i];
    const isShown = (i) => state.show === "all" || (state.show === "wrong" ? isWrong(i)
      : classes[labels[i]] === state.show);

    const choose = (event) => {
      const place = board.from(event);
      let [best, near] = [-1, 0.06];
      views[state.view].points.forEach(([x, y], i) => {
        const far = Math.hypot(x - place[0], y - place[1]);
        if (far < near && isShown(i)) [best, near] = [i, far];
      });
      if (best < 0 || best + 1 === state.at) return;
      state.at = best + 1;
      stage.changed();
    };
    for (const kind of ["pointermove", "pointerdown"]) board.svg.addEventListener(kind, choose);

    if (titles.length > 1) stage.choice("map:", "view", Object.fromEntries(titles.map((t) => [t, t])));
    stage.choice("show:", "show", {
      all: "all images", wrong: "only what is recognized wrongly",
      ...Object.fromEntries(classes.map((name) => [name, `only ${name}`])),
    });
    stage.slider("image:", "at", labels.map((_, i) => i + 1));
    const legend = make("p", stage.place, { class: "legend" });
    classes.forEach((name, j) => {
      const look = { viewBox: "0 0 14 14", class: `k${j}`, "aria-hidden": "true" };
      const sample = make("svg", legend, look);
      make("path", sample, { class: "dots", d: mark(CLASSES[j], [7, 7], 5) });
      make("span", legend, {}, name);
    });

    let drawn = "";
    stage.show = () => {
      const { points, predictions, learned, true: means } = views[state.view];
      const i = Math.min(Math.max(Math.round(state.at), 1), labels.length) - 1;
      if (drawn !== state.view + state.show) {
        drawn = state.view + state.show;
        looks.forEach(({ dots, centers }, j) => {
          dots(points.map((p, k) => (labels[k] === j && isShown(k) ? board.mark(CLASSES[j], p, 2.4) : "")));
          centers(learned ? board.mark("^", learned[j], 8) : "", board.mark("v", means[j], 7));
        });
      }
      ring(board.mark("o", points[i], 9));
      if (picture) {
        const [row, column] = [Math.floor(i / faces.columns), i % faces.columns];
        picture.style.background = `url(${faces.sheet}) -${column * faces.side}px -${row * faces.side}px`;
        picture.style.width = picture.style.height = `${faces.side}px`;
      }
      const right = labels.filter((_, k) => !isWrong(k)).length;
      const said = isWrong(i) ? `taken for ${classes[predictions[i]]}` : "recognized";
      const text = `Image ${i + 1} of ${labels.length}: ${classes[labels[i]]}, ${said}. ` +
        `${state.view}: ${right} are recognized.`;
      return { text, alt: `A map of ${labels.length} test images, marked by class; ▽ true${learned ? ", △ learned" : ""} centers. ${text}` };
    };
  });
})();
