// Keeps a page of the stand-in fresh: the waiting tab goes on by itself, the outbox shows new mail.
const EVERY = 1000;
const waiting = document.querySelector("[data-poll]");
const list = document.querySelector("[data-live]");

async function look() {
  try {
    if (waiting) {
      const answer = await fetch(waiting.dataset.poll, { cache: "no-store" });
      if (answer.ok && (await answer.json()).done) return location.assign(location.pathname);
    }
    if (list) {
      const answer = await fetch(list.dataset.live, { cache: "no-store" });
      const html = answer.ok ? await answer.text() : null;
      if (html !== null && html !== look.last) {
        if (look.last !== undefined) list.innerHTML = html;
        look.last = html;
      }
    }
  } catch {
    // The service is away for a moment; the next look will tell.
  }
  setTimeout(look, EVERY);
}
look();
