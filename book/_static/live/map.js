// Maps of test images: point at one, and it says what it shows and what was said.
(() => {
  "use strict";
  const { figure, make, mark, CLASSES } = globalThis.liveStage;

  figure("map", (stage) => {
    const { views, labels, classes, faces } = stage.data;
    // More than seven classes: the colors again, with other markers.
    const color = (j) => `k${j % 7}`;
    const kind = (j) => CLASSES[(j + 3 * Math.floor(j / 7)) % 7];
    const isMissed = (i) => Object.values(views).some((view) => view.predictions[i] !== labels[i]);
    const first = labels.findIndex((_, i) => isMissed(i));
    const state = (stage.state = { show: "all", at: Math.max(first, 0) + 1 });
    const maps = Object.entries(views).map(([title, view]) => {
      const board = stage.board([-1.06, 1.06, -1.06, 1.2], 330, 352, "map");
      board.text("name middle", [0, 1.1], title);
      const looks = classes.map((_, j) => ({
        dots: board.path(`dots ${color(j)}`), centers: board.path(`dots edge ${color(j)}`),
      }));
      const ring = board.path("push");
      const isWrong = (i) => view.predictions[i] !== labels[i];
      const isShown = (i) => state.show === "all" || (state.show === "wrong" ? isWrong(i)
        : classes[labels[i]] === state.show);
      const choose = (event) => {
        const place = board.from(event);
        let [best, near] = [-1, 0.06];
        view.points.forEach(([x, y], i) => {
          const far = Math.hypot(x - place[0], y - place[1]);
          if (far < near && isShown(i)) [best, near] = [i, far];
        });
        if (best < 0 || best + 1 === state.at) return;
        state.at = best + 1;
        stage.changed();
      };
      for (const kind of ["pointermove", "pointerdown"]) board.svg.addEventListener(kind, choose);
      const right = labels.filter((_, i) => !isWrong(i)).length;
      return { title, ...view, board, looks, ring, isWrong, isShown, right };
    });
    const picture = faces && make("div", stage.row, { class: "face" });
    stage.choice("show:", "show", {
      all: "all images", wrong: "those recognized wrongly",
      ...Object.fromEntries(classes.map((name) => [name, `only ${name}`])),
    });
    stage.slider("image:", "at", labels.map((_, i) => i + 1));
    const legend = make("p", stage.place, { class: "legend" });
    classes.forEach((name, j) => {
      const look = { viewBox: "0 0 14 14", class: color(j), "aria-hidden": "true" };
      const sample = make("svg", legend, look);
      make("path", sample, { class: "dots", d: mark(kind(j), [7, 7], 5) });
      make("span", legend, {}, name);
    });

    let drawn = "";
    stage.show = () => {
      const i = state.at - 1;
      for (const { board, looks, ring, points, learned, true: means, isShown } of maps) {
        ring(board.mark("o", points[i], 9));
        if (drawn === state.show) continue;
        looks.forEach(({ dots, centers }, j) => {
          dots(points.map((p, k) => (labels[k] === j && isShown(k) ? board.mark(kind(j), p, 2.2) : "")));
          centers(learned ? board.mark("^", learned[j], 8) : "", board.mark("v", means[j], 7));
        });
      }
      drawn = state.show;
      if (picture) {
        const [row, column] = [Math.floor(i / faces.columns), i % faces.columns];
        picture.style.background = `url(${faces.sheet}) -${column * faces.side}px -${row * faces.side}px`;
        picture.style.width = picture.style.height = `${faces.side}px`;
      }
      const said = maps.map(({ title, predictions, isWrong }) =>
        `${title}: ${isWrong(i) ? `taken for ${classes[predictions[i]]}` : "recognized"}`);
      const text = `Image ${i + 1} of ${labels.length}: ${classes[labels[i]]}. ${said.join("; ")}. ` +
        `Of all, ${maps.map(({ right }) => right).join(" and ")} are recognized.`;
      return { text, alt: `Maps of ${labels.length} test images, marked by class; ▽ true, △ learned centers. ${text}` };
    };
  });
})();
