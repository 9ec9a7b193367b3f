// Every page works without this script. It copies secrets, counts down to a rollback, and keeps the live parts of a page
// up to date.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

document.getElementById("errors")?.focus();
// On a phone, the navigation is a line that scrolls.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const time of document.querySelectorAll("[data-until]")) {
  const show = () => {
    const left = Math.max(0, Math.round(Number(time.dataset.until) - Date.now() / 1000));
    const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
    const two = (number) => String(number).padStart(2, "0");
    time.textContent = hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
    if (left > 0) setTimeout(show, 1000);
    else setTimeout(() => location.reload(), 2000);
  };
  show();
}

const control = document.getElementById("live-control");
if (control) {
  let stream = null;
  let fetching = false;
  let again = false;

  // What tells a row, a link or a form from its neighbours. Other nodes have only their place.
  const identity = (node) => {
    if (node.nodeName === "TR") return node.firstElementChild?.textContent;
    if (node.nodeName === "A") return node.getAttribute("href");
    if (node.nodeName !== "FORM") return undefined;
    return [...node.querySelectorAll("input")].reduce((all, { value }) => `${all} ${value}`, node.getAttribute("action"));
  };
  const isSame = (node, fresh) => node.nodeName === fresh.nodeName && identity(node) === identity(fresh);

  // Makes a part equal to its new version. What is in both stays in the page: it keeps the focus, and a click on it is not
  // lost. A link or a form that leads elsewhere is another one, so nobody activates it with a click that was meant for the
  // one before it.
  const update = (part, fresh) => {
    if (part.isEqualNode(fresh)) return;
    if (part.nodeType === Node.TEXT_NODE) {
      part.data = fresh.data;
      return;
    }
    for (const { name } of [...part.attributes]) fresh.hasAttribute(name) || part.removeAttribute(name);
    for (const { name, value } of fresh.attributes) part.setAttribute(name, value);
    let next = part.firstChild;
    for (const child of [...fresh.childNodes]) {
      let match = next;
      if (identity(child)) while (match && !isSame(match, child)) match = match.nextSibling;
      if (!match || !isSame(match, child)) {
        part.insertBefore(child, next);
        continue;
      }
      while (next !== match) {
        next = next.nextSibling;
        next.previousSibling.remove();
      }
      next = next.nextSibling;
      update(match, child);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  };

  // Requests the page, and updates its live parts.
  const refetch = async () => {
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) location.reload();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        if (fresh) update(part, fresh);
      }
    } catch {
      // The gateway restarts, or the network is away: the stream reports it.
    }
    fetching = false;
    if (again) {
      again = false;
      refetch();
    }
  };

  const text = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  const pause = () => {
    stream?.close();
    stream = null;
    text.textContent = "Paused.";
    button.textContent = "Resume";
  };
  const resume = () => {
    stream = new EventSource(control.dataset.stream);
    stream.onmessage = () => document.hidden || refetch();
    stream.onopen = () => (text.textContent = "Live.");
    stream.onerror = () => (text.textContent = "Not connected; trying again.");
    text.textContent = "Connecting.";
    button.textContent = "Pause";
  };
  button.addEventListener("click", () => (stream ? pause() : resume()));
  control.replaceChildren(text, button);
  document.addEventListener("visibilitychange", () => !document.hidden && stream && refetch());
  resume();
}
