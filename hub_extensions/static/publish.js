// Publishing: a file that is dropped, a check that ends, a link that is copied.
const { largest, check, xsrf } = document.currentScript.dataset;
const by = (id) => document.getElementById(id);

const file = by("notebook");
if (file) {
  const drop = by("drop"), name = by("name"), form = by("choice");
  const chosen = () => {
    const given = file.files[0];
    by("too-large").hidden = !given || given.size <= Number(largest);
    if (given && !name.dataset.typed) name.value = given.name.replace(/\.ipynb$/, "");
  };
  name.addEventListener("input", () => (name.dataset.typed = "1"));
  if (name.value) name.dataset.typed = "1";
  file.addEventListener("change", chosen);
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      chosen();
    }
  });
  form.addEventListener("submit", (event) => {
    if (!by("too-large").hidden) event.preventDefault();
    else form.querySelector(".primary").setAttribute("aria-disabled", "true");
  });
}

if (check) {
  const ask = async () => {
    try {
      const answer = await fetch(`${check}?wait=20`, { headers: { "X-XSRFToken": xsrf } });
      if (answer.ok && (await answer.json()).state === "running") return ask();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2000)); // the hub is away for a moment
    }
    location.reload();
  };
  ask();
}

const copy = by("copy");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(by("link").value);
    copy.textContent = "Copied";
  });
}
