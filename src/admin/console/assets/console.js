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

  // Replaces each live part by its new version. What has the focus keeps it.
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
        if (!fresh || fresh.innerHTML === part.innerHTML) continue;
        const focused = part.contains(document.activeElement) ? document.activeElement : null;
        const href = focused?.getAttribute("href");
        part.replaceWith(fresh);
        if (href) fresh.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
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
