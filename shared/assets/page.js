// The page's own behaviour: language, light and dark, tabs and links. Loaded before gradio mounts.
(() => {
  const SEPARATOR = "\u2063"; // as in shared/i18n.py
  const ATTRIBUTES = ["placeholder", "aria-label", "title", "alt"];
  const originals = new WeakMap(); // text node -> both halves
  const attributeOriginals = new WeakMap(); // element -> {attribute: both halves}
  const listeners = new Set(); // figures to redraw when language or theme change
  const kx = (window.kx = { listeners });

  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window: for this page only */ } };

  // ---- language
  const fromBrowser = (navigator.languages || [navigator.language]).find((l) => /^(zh|en)/i.test(l)) || "en";
  let language = stored("kx-language") || (/^zh/i.test(fromBrowser) ? "zh" : "en");
  kx.language = () => language;
  kx.pick = (text) => {
    const at = typeof text === "string" ? text.indexOf(SEPARATOR) : -1;
    return at < 0 ? text : language === "en" ? text.slice(at + 1) : text.slice(0, at);
  };

  // gradio names its toasts in English, whatever their title
  const TOASTS = { Error: ["请检查", "Please check"], Warning: ["请注意", "Please note"], Info: ["提示", "Note"], Success: ["好了", "Done"] };
  const titled = (node) => node.parentNode?.classList?.contains("toast-title") && TOASTS[node.data.trim()];
  const skipped = (node) => /^(SCRIPT|STYLE|TEXTAREA)$/.test(node.parentNode?.nodeName || "");
  const TYPES = /^Invalid file type: (.*?)\. Only (.*?) allowed\.?$/; // gradio's page says it before the file is sent
  const showText = (node) => {
    const title = titled(node), [, file, types] = node.data.match(TYPES) || [];
    if (title) node.data = title.join(SEPARATOR);
    if (types) node.data = `${file}：格式须为 ${types} 之一。${SEPARATOR}${file}: must be one of ${types}.`;
    if (node.data.includes(SEPARATOR) && !skipped(node)) originals.set(node, node.data);
    const both = originals.get(node);
    if (both === undefined) return;
    const halves = [both.slice(0, both.indexOf(SEPARATOR)), both.slice(both.indexOf(SEPARATOR) + 1)];
    if (node.data !== both && !halves.includes(node.data)) return void originals.delete(node); // gradio wrote anew
    const wanted = kx.pick(both);
    if (node.data !== wanted) node.data = wanted;
  };
  const showAttributes = (element) => {
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute?.(name);
      if (value?.includes(SEPARATOR)) attributeOriginals.set(element, { ...attributeOriginals.get(element), [name]: value });
      const both = attributeOriginals.get(element)?.[name];
      if (both && value !== kx.pick(both)) element.setAttribute(name, kx.pick(both));
    }
  };
  const showTree = (root) => {
    if (root.nodeType === Node.TEXT_NODE) return showText(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = root; node; node = walker.nextNode()) node.nodeType === Node.TEXT_NODE ? showText(node) : showAttributes(node);
  };
  new MutationObserver((mutations) => {
    for (const m of mutations) {
      if (m.type === "childList") m.addedNodes.forEach(showTree);
      else if (m.type === "characterData") showText(m.target);
      else showAttributes(m.target);
    }
  }).observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });

  const applyLanguage = () => {
    document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
    document.documentElement.dataset.language = language;
  };
  kx.setLanguage = (value) => {
    if (value !== "zh" && value !== "en") return;
    language = value;
    store("kx-language", value);
    applyLanguage();
    showTree(document.documentElement);
    listeners.forEach((redraw) => redraw());
  };
  applyLanguage();

  // ---- light and dark
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  kx.dark = () => document.body?.classList.contains("dark") ?? prefersDark.matches;
  kx.setDark = (dark) => {
    store("kx-dark", dark ? "1" : "0");
    document.body.classList.toggle("dark", dark);
    listeners.forEach((redraw) => redraw());
  };
  kx.start = () => { // after gradio has set its own class
    const choice = new URLSearchParams(location.search).get("__theme") ? null : stored("kx-dark");
    if (choice !== null) document.body.classList.toggle("dark", choice === "1");
    showTree(document.documentElement);
  };

  // ---- tabs and links
  const url = () => new URL(location.href);
  kx.settled = false; // true once the link has been read: until then its settings must stay in the address bar
  kx.tabSelected = (slug) => {
    if (!kx.settled) return;
    const next = url();
    if (next.searchParams.get("tab") === slug) return;
    next.search = slug === "home" ? "" : `?tab=${slug}`; // another tab's settings do not belong to this one
    history.replaceState(null, "", next);
  };
  kx.openTab = (slug) => document.querySelector(`button[data-tab-id="${slug}"]`)?.click();
  const settingsLink = (slug, names, defaults, values) => {
    const link = new URL(location.pathname, location.origin);
    link.searchParams.set("tab", slug);
    names.forEach((name, i) => {
      if (JSON.stringify(values[i]) === JSON.stringify(defaults[i])) return;
      link.searchParams.set(name, String(values[i] ?? "")); // a list is joined by commas
    });
    return link.href;
  };
  kx.keepLink = (...settings) => { history.replaceState(null, "", settingsLink(...settings)); };
  kx.copyLink = async (slug, names, defaults, values) => {
    const link = settingsLink(slug, names, defaults, values);
    history.replaceState(null, "", link); // the address bar is the second place to copy it from
    try {
      await navigator.clipboard.writeText(link);
      kx.notice(`链接已复制，打开即恢复这些设置。${SEPARATOR}Link copied: it opens this tab with these settings.`);
    } catch {
      kx.notice(`请从地址栏复制链接。${SEPARATOR}Copy the link from the address bar.`);
    }
    return link;
  };
  kx.notice = (text) => {
    const box = Object.assign(document.createElement("div"), { className: "kx-notice", textContent: text });
    box.setAttribute("role", "status");
    document.body.append(box);
    setTimeout(() => box.remove(), 4000);
  };

  // ---- what the scripts of shared/component.py build with
  const node = (tag, kind, text, parent) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text) made.textContent = text;
    parent?.append(made);
    return made;
  };
  const button = (kind, text, parent, click) => {
    const made = node("button", kind, text, parent);
    made.type = "button";
    made.addEventListener("click", click);
    return made;
  };
  const reader = (props, watch, draw) => { // draw(value, before), the newest value only
    let value = null;
    const read = () => {
      let next = null;
      try { next = JSON.parse(props.value || "null"); } catch { return; }
      if (!next || (value && next.serial <= value.serial)) return; // overtaken on the way
      const before = value;
      value = next;
      draw(value, before);
    };
    watch("value", read);
    read();
  };
  const tr = (zh, en) => zh + SEPARATOR + en; // the observer above shows the half that the visitor chose
  kx.parts = { tr, node, button, reader };

  document.addEventListener("keydown", (event) => { // arrow keys between tabs, as everywhere
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key], tab = event.target.closest?.("[role=tab]");
    if (!way || !tab) return;
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")].filter((t) => t.offsetParent);
    const next = tabs[(tabs.indexOf(tab) + way + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });

  document.addEventListener("click", (event) => {
    const action = event.target.closest?.("[data-kx]");
    if (!action) return;
    const [verb, value] = action.dataset.kx.split(":");
    if (verb === "tab") { event.preventDefault(); kx.openTab(value); scrollTo({ top: 0 }); }
    if (verb === "language") kx.setLanguage(value);
    if (verb === "theme") kx.setDark(!kx.dark());
  });
})();
