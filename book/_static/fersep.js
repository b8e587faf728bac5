// What is wider than the column scrolls: formulas shrink a little first, the cut
// edge fades, and the keyboard reaches it.
const WIDE =
  ".bd-article pre, .bd-article div.math > mjx-container, .bd-article .scroll, " +
  ".bd-article .pst-scrollable-table-container, .bd-article .fersep-figure";

function fit() {
  for (const box of document.querySelectorAll(WIDE)) {
    if (box.matches("mjx-container")) {
      box.style.fontSize = "";
      const full = parseFloat(getComputedStyle(box).fontSize);
      const share = box.clientWidth / box.scrollWidth;
      if (share < 1) box.style.fontSize = `${full * Math.max(0.7, share * 0.98)}px`;
    }
    mark(box);
    if (!box.onscroll) box.onscroll = () => mark(box);
  }
}

function mark(box) {
  const hidden = box.scrollWidth - box.clientWidth;
  if (hidden > 1) box.tabIndex = 0;
  box.classList.toggle("cut", hidden - box.scrollLeft > 2);
}

// A reference shows what it leads to, on hover and on focus; Escape closes it.
let preview;

function hide() {
  preview?.remove();
  preview = undefined;
}

function show(link, shown) {
  hide();
  preview = document.createElement("div");
  preview.id = "fersep-preview";
  preview.setAttribute("role", "tooltip");
  preview.append(...shown.cloneNode(true).childNodes);
  (document.querySelector("main") ?? document.body).append(preview);
  const at = link.getBoundingClientRect();
  const left = Math.min(at.left, innerWidth - preview.offsetWidth - 12);
  const zero = preview.getBoundingClientRect();
  preview.style.left = `${Math.max(8, left) - zero.left}px`;
  preview.style.top = `${at.bottom + 4 - zero.top}px`;
  link.setAttribute("aria-describedby", preview.id);
  window.MathJax?.typesetPromise?.([preview]);
}

function offerPreviews() {
  const shelf = document.getElementById("fersep-previews");
  const shown = new Map();
  for (const entry of shelf?.content.children ?? []) shown.set(entry.dataset.for, entry);
  let waiting;
  const soon = (act, ms) => {
    clearTimeout(waiting);
    waiting = setTimeout(act, ms);
  };
  for (const link of document.querySelectorAll("article a.reference.internal")) {
    const entry = shown.get(link.getAttribute("href"));
    if (!entry) continue;
    link.addEventListener("mouseenter", () => soon(() => show(link, entry), 150));
    link.addEventListener("focus", () => show(link, entry));
    link.addEventListener("mouseleave", () => soon(hide, 300));
    link.addEventListener("blur", hide);
  }
  document.addEventListener("mouseover", (event) => {
    if (preview?.contains(event.target)) clearTimeout(waiting);
    else if (preview && !event.target.closest?.("a.reference")) soon(hide, 300);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

// A symbol of a numbered formula shows its entry in the list below the formula: under
// the pointer, and by the arrow keys on the formula.
function explainSymbols() {
  for (const list of document.querySelectorAll(".fersep-symbols")) {
    const formula = list.previousElementSibling.querySelector("mjx-container");
    const symbols = [...formula.querySelectorAll("mjx-math .fersep-symbol")];
    const entries = list.querySelectorAll("li");
    let at = -1;
    const choose = (next) => {
      symbols[at]?.classList.remove("chosen");
      at = next;
      if (at < 0) return hide();
      symbols[at].classList.add("chosen");
      show(symbols[at], entries[/at-(\d+)/.exec(symbols[at].className)[1]]);
      formula.setAttribute("aria-describedby", preview.id);
    };
    symbols.forEach((symbol, k) => {
      symbol.addEventListener("mouseenter", () => choose(k));
      symbol.addEventListener("mouseleave", () => choose(-1));
    });
    formula.tabIndex = 0;
    formula.addEventListener("blur", () => choose(-1));
    formula.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      choose((Math.max(at, step < 0 ? 0 : -1) + step + symbols.length) % symbols.length);
    });
  }
}

// On paper solutions and derivations are open, setup is gone.
function nameFolds() {
  for (const fold of document.querySelectorAll("details.hide")) {
    const name = fold.querySelector("summary p")?.textContent.toLowerCase() ?? "";
    fold.classList.add(name.split(/\s/)[0]);
  }
}

// The theme's search fetches each page for an excerpt, which a browser refuses to
// do from a disk. The texts come with the page; each hit lists its sections.
function searchFromDisk() {
  if (!window.searchTexts || typeof Search === "undefined") return;
  window.fetch = (url) => {
    const page = new URL(url, location).pathname;
    return Promise.resolve({ text: () => page });
  };
  Search.makeSearchSummary = (page, words) => {
    const list = document.createElement("ul");
    const name = Object.keys(window.searchTexts).find((key) => page.endsWith(key));
    const within = (window.searchTexts[name] ?? []).map(([id, title, text]) => {
      const low = `${title} ${text}`.toLowerCase();
      return { id, title, text, hits: [...words].filter((w) => low.includes(w)).length };
    });
    const best = within.filter((part) => part.hits).sort((a, b) => b.hits - a.hits);
    for (const part of best.slice(0, 3)) {
      const link = document.createElement("a");
      link.href = `${name}#${part.id}`;
      link.textContent = part.title;
      const low = part.text.toLowerCase();
      const found = [...words].map((w) => low.indexOf(w)).filter((i) => i >= 0);
      const from = Math.max(0, Math.min(...found, low.length) - 90);
      const excerpt = document.createElement("p");
      excerpt.className = "context";
      excerpt.textContent = `… ${part.text.slice(from, from + 240)} …`;
      const item = document.createElement("li");
      item.append(link, excerpt);
      list.append(item);
    }
    return list;
  };
}

document.addEventListener("DOMContentLoaded", () => {
  searchFromDisk();
  nameFolds();
  offerPreviews();
  fit();
  window.MathJax?.startup?.promise?.then(() => {
    explainSymbols();
    fit();
  });
});
window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(fit));
window.addEventListener("resize", fit);
window.addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details:not(.setup, .fersep-checks)"))
    fold.open = true;
});
