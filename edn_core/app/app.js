"use strict";
// What works is looked at every two seconds, while somebody looks; what is new loads the page.
const live = document.querySelector("#live");
setInterval(async () => {
  if (document.hidden || document.activeElement?.matches("input:not([type])")) return;
  const answer = await fetch("/live" + location.search).catch(() => null);
  if (!answer || !answer.ok) return;
  if (answer.headers.get("X-Version") !== live.dataset.version)
    location.pathname === "/" ? location.reload() : location.replace("/" + location.search);
  else live.innerHTML = await answer.text();
}, 2000);
// A file that was chosen or dropped is sent at once, unless it is too large.
for (const input of document.querySelectorAll("input[type=file]")) input.onchange = () => {
  const file = input.files[0];
  if (file.size > input.dataset.most) input.nextElementSibling.textContent = `${file.name} is larger than ${input.dataset.most / 1e9} GB`;
  else { input.nextElementSibling.textContent = `sending ${file.name} …`; input.form.submit(); }
};
// Elsewhere a dropped file would take the page's place.
for (const event of ["dragover", "drop"]) addEventListener(event, one => one.target.matches?.("input[type=file]") || one.preventDefault());
for (const one of document.querySelectorAll("[data-now]")) one.onchange = () => one.form.submit();
