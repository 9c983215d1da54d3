"use strict";
// Takes the page anew every few seconds, and puts what it shows in place of what is shown: scroll positions and what was
// unfolded stay. If the daemon does not answer, the page says so: an old page must not look like a good one.
const EVERY = 5000;

function place(next) {
  const old = document.querySelector("main");
  const main = next.querySelector("main");
  for (const details of main.querySelectorAll("details")) {
    const before = document.getElementById(details.id);
    if (before) details.open = before.open;
  }
  const scrolled = [...old.querySelectorAll(".scroll")].map((e) => [e.closest("section").id, e.scrollLeft]);
  old.replaceWith(document.adoptNode(main));
  for (const [id, left] of scrolled) {
    const scroll = main.querySelector(`#${id} .scroll`);
    if (scroll) scroll.scrollLeft = left;
  }
  document.title = next.title;
}

async function refresh() {
  // Who marks some text to copy it keeps it; who does not look needs nothing.
  if (!document.hidden && getSelection().isCollapsed) {
    const lost = document.getElementById("lost");
    try {
      const answer = await fetch("./", { cache: "no-store", signal: AbortSignal.timeout(EVERY) });
      if (!answer.ok) throw new Error(answer.statusText);
      place(new DOMParser().parseFromString(await answer.text(), "text/html"));
      lost.hidden = true;
    } catch {
      lost.querySelector("time").textContent = document.getElementById("now").textContent;
      lost.hidden = false;
      document.title = "No answer · landfall";
    }
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, EVERY);
