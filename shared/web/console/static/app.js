// Comfort only: every page can be read and every form sent without it.
"use strict";

// Of a form with a choice, only the fields of what is chosen; what must be filled in follows it, too.
const isFor = (part, chosen) => (part.dataset.for ?? part.dataset.neededFor).split(" ").includes(chosen);
for (const name of new Set([...document.querySelectorAll("[data-choice]")].map((part) => part.dataset.choice))) {
  const form = document.querySelector(`input[name=${name}]`).form;
  const showChosen = () => {
    const chosen = form.querySelector(`input[name=${name}]:checked`)?.value;
    for (const part of form.querySelectorAll(`[data-choice=${name}]`)) part.hidden = chosen !== undefined && !isFor(part, chosen);
    for (const input of form.querySelectorAll("[data-needed-for]")) {
      if (isFor(input, chosen)) input.setAttribute("aria-required", "true");
      else input.removeAttribute("aria-required");
    }
  };
  form.addEventListener("change", (event) => { if (event.target.name === name) showChosen(); });
  showChosen();
}

// An id is suggested from the name, until somebody types another.
for (const input of document.querySelectorAll("[data-id-of]")) {
  const name = document.getElementById(input.dataset.idOf);
  let own = input.value !== "";
  input.addEventListener("input", () => { own = input.value !== ""; });
  name.addEventListener("input", () => {
    if (own) return;
    const plain = name.value.normalize("NFKD").replace(/\p{Mark}/gu, "").toLowerCase();
    input.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, 63).replace(/-$/, "");
  });
}

// What an answer says beside the fields of a form, in the form that was sent: nothing that was typed is touched.
const showProblems = (form, page) => {
  for (const holder of form.querySelectorAll("[data-holds]")) {
    const input = document.getElementById(holder.dataset.holds);
    const answered = page.getElementById(input.id);
    for (const name of ["aria-invalid", "aria-describedby"]) {
      if (answered?.hasAttribute(name)) input.setAttribute(name, answered.getAttribute(name));
      else input.removeAttribute(name);
    }
    document.getElementById(`${input.id}-problem`)?.remove();
    const problem = page.getElementById(`${input.id}-problem`);
    if (problem) holder.append(problem);
  }
};

// What came of a form that a script sent. Whoever is not signed in any more is sent elsewhere, where none may follow.
const sent = async (button, signal, extra = {}) => {
  const body = new URLSearchParams(new FormData(button.form));
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  const answer = await fetch(button.formAction, { method: "POST", body, redirect: "manual", signal });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const trouble = answer.status === 401 || answer.type === "opaqueredirect"
    ? "You are not signed in any more: keep what you typed, load the page again, and sign in."
    : page.querySelector("[data-detail]")?.textContent ?? (answer.ok || answer.status === 422 ? "" : `The app answered HTTP ${answer.status}.`);
  return { ok: answer.ok, page, trouble };
};
const warning = (text) => {
  const line = document.createElement("p");
  line.className = "alert warn";
  line.textContent = text;
  return line;
};

// A test answers in place, so that keys, which no page has, stay typed; and a hub that was found is taken by a click.
const testButton = document.querySelector("[data-test]");
if (testButton) {
  const report = document.getElementById("report");
  testButton.addEventListener("click", async (event) => {
    event.preventDefault();
    testButton.disabled = true;
    try {
      const { page, trouble } = await sent(testButton);
      if (trouble) {
        report.replaceChildren(warning(trouble));
      } else {
        page.querySelector("[data-retyped]")?.remove();
        document.querySelector("[data-summary]")?.remove();
        showProblems(testButton.form, page);
        report.replaceChildren(...page.getElementById("report").children);
        testButton.form.querySelector("[aria-invalid]")?.focus();
      }
    } catch {
      report.replaceChildren(warning("The app did not answer."));
    } finally {
      testButton.disabled = false;
      report.firstElementChild?.scrollIntoView({ block: "nearest" });
    }
  });
  report.addEventListener("click", (event) => {
    const field = document.getElementById(event.target.dataset.fill ?? "");
    if (!field) return;
    event.preventDefault();
    field.value = event.target.value;
    field.focus();
  });
}

// Of many boxes, only those that are searched for; how many are ticked.
for (const picker of document.querySelectorAll("[data-picker]")) {
  const ticks = [...picker.querySelectorAll(".tick")];
  const search = picker.querySelector("[data-search]");
  const group = picker.querySelector("[data-group-filter]");
  const all = picker.querySelector("[data-all]");
  const boxes = ticks.map((tick) => tick.querySelector("input"));
  const count = document.querySelector(`[data-count=${boxes[0].name}]`);

  const sought = () => search.value.trim() !== "" || Boolean(group?.value);
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const tick of ticks) {
      const text = tick.textContent.toLowerCase();
      tick.hidden = !words.every((word) => text.includes(word)) || Boolean(group?.value && tick.dataset.group !== group.value);
      found += !tick.hidden;
    }
    picker.querySelector("[data-found]").textContent = sought() ? `${found} found` : "";
    all.hidden = !sought() || !found;
  };
  const recount = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    count.textContent = ticked.toLocaleString("en");
    const limit = count.closest("[data-limit]");
    limit?.classList.toggle("text-bad", ticked > Number(limit.dataset.limit));
  };

  picker.querySelector(".picker-head").hidden = false;
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  group?.addEventListener("change", filter);
  picker.addEventListener("change", recount);
  all.addEventListener("click", () => {
    for (const [index, box] of boxes.entries()) if (!ticks[index].hidden) box.checked = true;
    boxes[0].dispatchEvent(new Event("input", { bubbles: true }));
    recount();
  });
  if (boxes.some((box) => box.checked !== box.defaultChecked)) recount();
}

// The preview follows the form as it is typed; what is typed, and where, is left alone.
const previewButton = document.querySelector("[data-live]");
if (previewButton) {
  const form = previewButton.form;
  const said = document.getElementById("preview-said");
  const body = document.getElementById("preview-body");
  const changes = document.getElementById("changes");
  let pause, underWay;

  const say = (text) => { said.replaceChildren(warning(`${text} What is below is older than the form.`)); };

  const showExport = (page) => {
    const open = body.querySelector("details")?.open;
    const top = body.querySelector("pre")?.scrollTop ?? 0;
    body.replaceChildren(...page.getElementById("preview-body").children);
    if (open) body.querySelector("details")?.setAttribute("open", "");
    body.querySelector("pre")?.scrollTo(0, top);
    said.replaceChildren(...page.getElementById("preview-said").children);
    changes.replaceChildren(...page.getElementById("changes").childNodes);
  };

  const refresh = async (signal) => {
    body.setAttribute("aria-busy", "true");
    try {
      const { ok, page, trouble } = await sent(previewButton, signal, { live: "on" });
      if (trouble) {
        say(trouble);
      } else {
        showProblems(form, page);
        showExport(page);
        if (ok) form.querySelector("[data-summary]")?.remove();
      }
    } catch (error) {
      if (!signal.aborted) say("The app did not answer.");
    } finally {
      if (!signal.aborted) body.removeAttribute("aria-busy");
    }
  };

  const follow = () => {
    // What was asked before is not wanted any more, so its answer can't come late and overwrite a newer one.
    underWay?.abort();
    underWay = new AbortController();
    clearTimeout(pause);
    pause = setTimeout(refresh, 400, underWay.signal);
  };
  // What has no name is not sent: it is only searched with.
  form.addEventListener("input", (event) => { if (event.target.name) follow(); });

  // Somebody may type before this script is there, and a browser that goes back fills in what was typed.
  const altered = (field) => field.type === "checkbox" || field.type === "radio"
    ? field.checked !== field.defaultChecked
    : "defaultValue" in field && field.value !== field.defaultValue;
  if ([...form.elements].some((field) => field.name && altered(field))) follow();
}

// A file is read into its field. Bytes that are no UTF-8 would be replaced in silence, and ids be others than they are.
for (const part of document.querySelectorAll("[data-file]")) {
  const input = part.querySelector("input");
  const said = part.querySelector("[role=status]");
  const area = document.getElementById(part.dataset.file);
  part.hidden = false;
  input.addEventListener("change", async () => {
    const [file] = input.files;
    said.textContent = "";
    if (!file) return;
    if (file.size > Number(part.dataset.most)) {
      said.textContent = `The file has ${file.size.toLocaleString("en")} bytes, more than is taken here.`;
      return;
    }
    try {
      area.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      said.textContent = "The file is not in UTF-8: save it in that encoding, then choose it again.";
    }
  });
}

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", ({ target: form }) => {
  if (form.matches("[data-once]")) setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-once] button")) button.disabled = false;
});

// Copies what is in the block beside the button.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const name = button.textContent;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied: select it instead";
    }
    setTimeout(() => { button.textContent = name; }, 2000);
  });
}

// Parts of a page that speak of now follow what is. What somebody does there stays: what is typed, in focus, unfolded.
const unfolded = new WeakSet();
document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details) unfolded.add(details);
});
const inUse = (item) => item.contains(document.activeElement)
  || [...item.querySelectorAll("details[open]")].some((details) => unfolded.has(details));
const alike = (one, other) => one.nodeName === other.nodeName && one.id === other.id && !one.dataset?.key && !other.dataset?.key;

const follow = (old, now) => {
  const kept = (name) => name === "open" && unfolded.has(old);
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
  const items = new Map([...old.children].map((child) => [child.dataset.key, child]));
  let place = old.firstChild;
  for (const fresh of [...now.childNodes]) {
    const key = fresh.dataset?.key;
    const same = key ? items.get(key) : place && alike(place, fresh) ? place : undefined;
    if (same === place && place) place = place.nextSibling;
    else old.insertBefore(same ?? fresh, place);
    if (same?.nodeType === Node.ELEMENT_NODE) follow(same, fresh);
    else if (same && same.data !== fresh.data) same.data = fresh.data;
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    // An item that somebody reads is left until the page is loaded again.
    if (!gone.dataset?.key || !inUse(gone)) gone.remove();
  }
};

const live = document.getElementById("live");
if (live) {
  let { etag, every } = live.dataset;
  let current = new Date();
  let failed = 0;
  let pause;
  const address = new URL(location.href);
  address.searchParams.delete("done");

  const asOf = document.getElementById("as-of");
  const clock = () => `${current.toISOString().slice(11, 19)} UTC`;

  const look = async () => {
    try {
      const answer = await fetch(address, { headers: { "If-None-Match": etag }, redirect: "manual" });
      if (!answer.ok && answer.status !== 304) throw new Error(`HTTP ${answer.status}`);
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-part]")) {
          const now = page.getElementById(part.id);
          if (now) follow(part, now);
        }
        etag = answer.headers.get("etag");
        every = page.getElementById("live")?.dataset.every ?? every;
      }
      current = new Date(answer.headers.get("date") ?? Date.now());
      if (asOf) {
        asOf.dateTime = current.toISOString();
        asOf.textContent = clock();
      }
      failed = 0;
    } catch {
      failed += 1;
    }
    // One that is missed may be chance; a page that looks well and is old must not.
    live.hidden = failed < 2;
    live.textContent = live.hidden ? "" : `This page is of ${clock()}: since then the app did not answer it. Load it again, and sign in if you are asked to.`;
    wait();
  };
  const wait = () => {
    clearTimeout(pause);
    pause = setTimeout(() => { if (!document.hidden) look(); }, Number(every) * 1000);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  wait();
}
