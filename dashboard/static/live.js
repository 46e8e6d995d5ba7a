// Live regions: the server sends parts of the page by id; only what changed is touched, focus and scroll stay.

function replace(element, html) {
  if (element.innerHTML === html) return;
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const again = focused && (focused.id ? `#${CSS.escape(focused.id)}` : focused.getAttribute("href") && `a[href="${CSS.escape(focused.getAttribute("href"))}"]`);
  const left = [...element.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  const open = new Set([...element.querySelectorAll("details[open][id]")].map((one) => one.id));
  const checked = new Set([...element.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value));
  element.innerHTML = html;
  [...element.querySelectorAll(".scroll")].forEach((box, at) => { box.scrollLeft = left[at] ?? 0; });
  for (const one of element.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
  for (const box of element.querySelectorAll("input[type=checkbox]")) if (checked.has(box.value)) box.checked = true;
  if (again) element.querySelector(again)?.focus({ preventScroll: true });
}

// A log only grows; it follows its end as long as the reader is there.
function append(element, html) {
  const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 8;
  element.insertAdjacentHTML("beforeend", html);
  while (element.childElementCount > 200) element.firstElementChild.remove();
  if (atEnd) element.scrollTop = element.scrollHeight;
}

export function listen(address, lost) {
  const source = new EventSource(address);
  let timer = 0;
  source.onopen = () => { clearTimeout(timer); lost.hidden = true; };
  source.onmessage = (event) => {
    const { parts = {}, added = {}, done = false, reload = false } = JSON.parse(event.data);
    for (const [id, html] of Object.entries(parts)) {
      const element = document.getElementById(id);
      if (element && !element.querySelector("[data-typing]:focus")) replace(element, html);
    }
    for (const [id, html] of Object.entries(added)) {
      const element = document.getElementById(id);
      if (element) append(element, html);
    }
    if (done) source.close();
    if (reload) location.reload();
  };
  source.onerror = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { lost.hidden = false; }, 4000);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(address, lost), 5000);
  };
  addEventListener("pagehide", () => source.close());
}
