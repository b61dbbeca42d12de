// A floor of pipes: an inlet that is clicked, or reached with the tabulator and pressed, is clogged or cleared.
kx.aquariumFloor ??= (element, chosen) => {
  let focused = null; // the inlet under the keyboard, to be found again after a redraw
  const choose = (inlet) => {
    kx.aquariumInlet = inlet;
    chosen({ inlet });
  };
  const dress = () => {
    element.querySelector("svg")?.setAttribute("role", "group");
    for (const inlet of element.querySelectorAll("[data-inlet]")) {
      if (inlet.hasAttribute("tabindex")) continue;
      inlet.setAttribute("tabindex", "0");
      inlet.setAttribute("role", "button");
      inlet.setAttribute("aria-pressed", String(!!inlet.querySelector(".clogged")));
      if (inlet.dataset.inlet === focused) inlet.focus({ preventScroll: true });
    }
  };
  element.addEventListener("click", (event) => {
    const inlet = event.target.closest("[data-inlet]");
    if (inlet) choose(inlet.dataset.inlet);
  });
  element.addEventListener("keydown", (event) => {
    const inlet = event.target.closest("[data-inlet]");
    if (!inlet || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    focused = inlet.dataset.inlet;
    choose(focused);
  });
  element.addEventListener("pointerdown", () => { focused = null; });
  new MutationObserver(dress).observe(element, { childList: true, subtree: true });
  dress();
};
kx.aquariumToggled ??= (clogged) => { // the list of clogged inlets after the last choice, as gradio's one output
  const inlet = kx.aquariumInlet;
  return [clogged.includes(inlet) ? clogged.filter((other) => other !== inlet) : [...clogged, inlet]];
};
