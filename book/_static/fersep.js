// Cells and tables wider than the column scroll; the keyboard must reach them too.
document.addEventListener("DOMContentLoaded", () => {
  const wide = ".bd-article pre, .bd-article div.math, .bd-article .fersep-table";
  for (const box of document.querySelectorAll(wide)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
