// Comfort only: every page can be read and every form sent without it.
"use strict";

// Of the connect form, only the fields of the chosen way.
const ways = document.querySelectorAll("input[name=way]");
const showChosen = () => {
  const chosen = document.querySelector("input[name=way]:checked")?.value;
  for (const part of document.querySelectorAll("[data-ways]")) {
    part.hidden = chosen !== undefined && !part.dataset.ways.split(" ").includes(chosen);
  }
};
for (const way of ways) way.addEventListener("change", showChosen);
if (ways.length) showChosen();

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-once] button")) button.disabled = false;
});

const selectAll = document.querySelector("[data-select-all]");
if (selectAll) {
  selectAll.hidden = false;
  selectAll.addEventListener("click", () => {
    for (const box of document.querySelectorAll("input[name=row]")) box.checked = true;
  });
}

// What goes on is looked at again, unless somebody has begun to write, or to read what was folded.
if (document.querySelector("[data-refresh]") && !document.querySelector("main[data-posted]")) {
  let touched = false;
  addEventListener("input", () => { touched = true; });
  addEventListener("toggle", () => { touched = true; }, true);
  setInterval(() => { if (!touched && !document.hidden) location.reload(); }, 5000);
}
