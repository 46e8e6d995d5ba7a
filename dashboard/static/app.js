// Keyboard, palette, confirmations and live regions. Pages work without it; texts stand in the page, not here.
import { listen } from "./live.js";

const byId = (id) => document.getElementById(id);
const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;
const modal = () => document.querySelector("dialog[open]");
let waitsForLetter = 0;

function openDialog(dialog) {
  if (dialog === null || modal() !== null) return;
  dialog.showModal();
  const input = dialog.querySelector("input[hx-get]");
  if (input) {
    input.value = "";
    input.dispatchEvent(new Event("opened"));
  }
}

function go(letter) {
  document.querySelector(`.menu a[data-letter="${CSS.escape(letter)}"]`)?.click();
}

function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-rows] tr:has(a), [data-rows] > li:has(a)")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
  next?.querySelector("a")?.focus();
}

function chooseRow() {
  document.activeElement.closest("tr, li")?.querySelector("input[type=checkbox]")?.click();
}

const KEYS = {
  "/": () => (document.querySelector("main input[type=search]") ?? null)?.focus() ?? openIfNoSearch(),
  "?": () => openDialog(byId("help")),
  g: () => (waitsForLetter = Date.now()),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  x: chooseRow,
};

function openIfNoSearch() {
  if (!document.querySelector("main input[type=search]")) openDialog(byId("palette"));
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openDialog(byId("palette"));
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || modal()) return;
  if (Date.now() - waitsForLetter < 1500 && event.key.length === 1) {
    waitsForLetter = 0;
    event.preventDefault();
    go(event.key.toLowerCase());
    return;
  }
  const own = document.querySelector(`main [data-key="${CSS.escape(event.key)}"]:not([disabled])`);
  if (own) {
    event.preventDefault();
    own.click();
  } else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// The palette: arrows move, Enter opens.
const palette = byId("palette");
function select(option) {
  for (const other of palette.querySelectorAll("[role=option]")) other.setAttribute("aria-selected", other === option);
  palette.querySelector("input").setAttribute("aria-activedescendant", option?.id ?? "");
  option?.scrollIntoView({ block: "nearest" });
}
palette?.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const options = [...palette.querySelectorAll("[role=option]")];
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    select(options[(at + step + options.length) % options.length]);
  } else if (event.key === "Enter" && options[Math.max(at, 0)]) {
    event.preventDefault();
    location.href = options[Math.max(at, 0)].dataset.href;
  }
});
palette?.addEventListener("htmx:afterSwap", () => select(palette.querySelector("[role=option]")));
palette?.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) location.href = option.dataset.href;
  else if (event.target === palette) palette.close();
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) openDialog(byId(opener.dataset.open));
  const all = event.target.closest("input[data-all]");
  if (all) for (const box of all.form.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  const inserter = event.target.closest("[data-insert]");
  if (inserter) {
    const area = byId(inserter.dataset.into);
    area.value = `${area.value.trimEnd()}\n${inserter.dataset.insert}\n`;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const kept = event.target.closest("a[data-keep-hash]");
  if (kept) kept.hash = location.hash;
});

// What cannot be undone is asked for once more; without this script the server does what the button says.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const question = button?.dataset.confirm;
  if (question && button.dataset.confirmed !== "yes") {
    event.preventDefault();
    const dialog = byId("confirm");
    byId("confirm-text").textContent = question;
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      button.dataset.confirmed = "yes";
      button.form.requestSubmit(button);
    }, { once: true });
    dialog.returnValue = "";
    dialog.showModal();
  } else if (button && !event.target.dataset.again) {
    setTimeout(() => { button.disabled = true; }); // once is enough; what was sent is not touched any more
    setTimeout(() => { button.disabled = false; }, 8000);
  }
});
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-submit]")) event.target.form.requestSubmit();
});

for (const region of document.querySelectorAll("[data-live]")) listen(region.dataset.live, byId("lost"));
