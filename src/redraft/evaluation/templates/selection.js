"use strict";
const sheet = document.querySelector("main");
const collection = sheet.dataset.collection;
const cards = Array.from(sheet.querySelectorAll("button.card"));
const count = document.getElementById("count");
const storageName = "redraft-selection-" + collection;

const kept = () => cards.filter((card) => card.getAttribute("aria-pressed") === "true");

function remember() {
  count.textContent = kept().length + " of " + cards.length + " kept";
  try {
    localStorage.setItem(storageName, JSON.stringify(kept().map((card) => card.dataset.picture)));
  } catch (error) {
    // A page opened from a file may have no storage; then a reload forgets what was chosen.
  }
}

function mark(card, keep) {
  card.setAttribute("aria-pressed", String(keep));
}

function toggle(card) {
  mark(card, card.getAttribute("aria-pressed") !== "true");
  remember();
}

function columns() {
  const top = cards[0].offsetTop;
  const next = cards.findIndex((card) => card.offsetTop !== top);
  return next < 0 ? cards.length : next;
}

function move(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
  const place = cards.indexOf(document.activeElement);
  if (!step || place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = cards[place + step];
  if (next) next.focus();
  event.preventDefault();
}

function lines() {
  return kept()
    .map((card) =>
      JSON.stringify({ collection, picture: Number(card.dataset.picture), prompt: card.dataset.prompt }) + "\n")
    .join("");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines()], { type: "application/jsonl" }));
  link.download = sheet.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

cards.forEach((card) => card.addEventListener("click", () => toggle(card)));
document.addEventListener("keydown", move);
document.getElementById("save").addEventListener("click", save);
document.getElementById("none").addEventListener("click", () => {
  cards.forEach((card) => mark(card, false));
  remember();
});
document.getElementById("first").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = Number(document.getElementById("number").value);
  cards.forEach((card, place) => mark(card, place < wanted));
  remember();
});
try {
  const before = new Set(JSON.parse(localStorage.getItem(storageName) || "[]"));
  cards.forEach((card) => mark(card, before.has(card.dataset.picture)));
} catch (error) {
  // As above: nothing was remembered.
}
remember();
