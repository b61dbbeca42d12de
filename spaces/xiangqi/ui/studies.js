// The list of studies: a click on a number triggers "pick".
element.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-n]");
  if (chip) trigger("pick", { n: +chip.dataset.n });
});
