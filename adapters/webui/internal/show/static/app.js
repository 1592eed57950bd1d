// The page works without this script; with it, it keeps itself up to date, and the keyboard is enough.
"use strict";
(() => {
  const $ = (sel, root = document) => root.querySelector(sel);
  const all = (sel, root = document) => [...root.querySelectorAll(sel)];
  const base = document.body.dataset.base;
  const dialog = $("#dialog");

  // --- times -------------------------------------------------------------------------------
  const took = (ms) => {
    const s = Math.max(0, ms) / 1000;
    const two = (a, u, b, v) => (b ? `${a}${u}${String(b).padStart(2, "0")}${v}` : `${a}${u}`);
    if (s < 60) return `${Math.floor(s)}s`;
    if (s < 3600) return two(Math.floor(s / 60), "m", Math.floor(s % 60), "s");
    if (s < 172800) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
    return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
  };
  const ago = (ms) => {
    const s = ms / 1000;
    if (s < 1) return "now";
    if (s < 60) return `${Math.floor(s)}s ago`;
    if (s < 3600) return `${Math.floor(s / 60)}m ago`;
    if (s < 86400) return `${Math.floor(s / 3600)}h ago`;
    return `${Math.floor(s / 86400)}d ago`;
  };
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const write = (el, text) => { if (el.textContent !== text) el.textContent = text; };
  const tell = () => {
    const now = Date.now();
    for (const el of all("time[datetime], time[data-since]")) {
      const iso = el.dataset.since || el.getAttribute("datetime");
      const at = new Date(iso);
      if (!el.title) el.title = `${at.toLocaleString()} (${iso})`;
      if (el.dataset.since) write(el, took(now - at));
      else if ("ago" in el.dataset) write(el, ago(now - at));
      else write(el, (Math.abs(now - at) > 72e6 ? day.format(at) + " " : "") + time.format(at));
    }
  };

  // --- staying up to date ------------------------------------------------------------------
  const live = () => $("#live[data-refresh]");
  const pulse = (state, text) => {
    const p = $("#pulse");
    if (!p) return;
    p.dataset.state = state;
    p.title = { held: "News waits while you type, select or have something open", off: "The server does not answer" }[state] ?? "This page keeps itself up to date";
    write($("b", p), text);
  };
  // What is shown may be old: that has to be said where nobody overlooks it.
  let answered = Date.now();
  const offline = (status) => {
    pulse("off", "offline");
    const out = $("#offline");
    const what = status ? `The server answers with an error (${status})` : "The server does not answer";
    write(out, `${what}. What you see is from ${time.format(answered)}; the page goes on asking.`);
    out.hidden = false;
  };
  const busy = () => {
    const at = document.activeElement;
    const typing = at && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) && at.type !== "checkbox" && live()?.contains(at);
    return typing || dialog.open || !!$(".more[open]") || String(getSelection()) !== "";
  };
  let due = 0, asked = 0;
  setInterval(() => {
    const el = live();
    if (!el || document.hidden) return;
    if (busy()) { pulse("held", "held"); return; }
    if (Date.now() < due) return;
    asked = Date.now();
    due = asked + Number(el.dataset.refresh);
    htmx.trigger(el, "live");
  }, 250);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) due = 0; });

  document.addEventListener("htmx:configRequest", (e) => {
    const { key, fresh } = e.detail.elt.dataset;
    if (e.detail.elt.id !== "live") return;
    if (key) e.detail.headers["X-Live-Key"] = key;
    if (fresh) e.detail.headers["X-Fresh-Key"] = fresh;
  });
  document.addEventListener("htmx:beforeSwap", (e) => {
    const { xhr, target } = e.detail;
    if (target.id === "live" && e.detail.requestConfig.verb === "get") {
      if (busy()) { e.detail.shouldSwap = false; return; }
      const key = xhr.getResponseHeader("X-Live-Key");
      if (key) target.dataset.key = key;
      target.dataset.fresh = xhr.getResponseHeader("X-Fresh-Key") || "";
    }
    // A lever that was refused comes back as its form, with the reason.
    if (target.id === "sheet" && xhr.status >= 400 && xhr.status < 500) e.detail.shouldSwap = true;
  });
  document.addEventListener("htmx:afterRequest", (e) => {
    if (e.detail.elt.id !== "live") return;
    if (e.detail.successful) {
      pulse("on", "live");
      answered = Date.now();
      $("#offline").hidden = true;
      const title = e.detail.xhr.getResponseHeader("X-Title");
      const stuck = e.detail.xhr.getResponseHeader("X-Stuck");
      if (stuck !== null) {
        const badge = $("#stuck-badge");
        if (badge) { badge.textContent = stuck; badge.classList.toggle("none", stuck === "0"); }
        if (title) document.title = (stuck === "0" ? "" : `(${stuck}) `) + decodeURIComponent(title) + " · atone";
      }
    } else offline(e.detail.xhr.status);
  });

  // What the reader opened, chose or typed stays as it is when news is morphed in.
  if (window.Idiomorph) {
    const cb = Idiomorph.defaults.callbacks;
    cb.beforeAttributeUpdated = (name, node) => {
      if (name === "open" && node.tagName === "DETAILS") return false;
      if (name === "title" && node.tagName === "TIME") return false;
      if (name === "tabindex" || (name === "class" && node.id === "timeline")) return false;
      return true;
    };
    cb.beforeNodeMorphed = (old, fresh) => {
      if (old.nodeType !== 1) return true;
      if (old.classList.contains("tl-open") && old.dataset.loaded) return false;
      if (old.tagName === "INPUT" && old.type === "checkbox" && fresh.tagName === "INPUT") return false;
      if (old.tagName === "TIME" && fresh.tagName === "TIME" && old.dataset.since === fresh.dataset.since
        && old.getAttribute("datetime") === fresh.getAttribute("datetime")) return false;
      return true;
    };
    Idiomorph.defaults.ignoreActiveValue = true;
  }
  document.addEventListener("htmx:afterSettle", (e) => {
    tell();
    zoom(0);
    count();
    // What takes long is asked for less often, so that news never fills the day of page or server.
    if (e.detail.target?.id === "live") due = Math.max(due, Date.now() + 5 * (Date.now() - asked));
  });

  // --- a step unfolds ----------------------------------------------------------------------
  document.addEventListener("toggle", (e) => {
    const box = e.target.open && $(".tl-open", e.target);
    if (!box || !e.target.classList.contains("tl-step")) return;
    box.dataset.loaded = "1";
    htmx.trigger(box, "opened");
  }, true);

  // --- zoom --------------------------------------------------------------------------------
  let level = 0;
  const zoom = (by) => {
    const tl = $("#timeline");
    if (!tl) return;
    const middle = (tl.scrollLeft + tl.clientWidth / 2) / tl.scrollWidth;
    level = Math.min(6, Math.max(0, level + by));
    tl.className = `tl z${level}`;
    const out = $("#zoom-now");
    if (out) out.textContent = `${2 ** level}×`;
    if (by) tl.scrollLeft = middle * tl.scrollWidth - tl.clientWidth / 2;
  };

  // --- clicks ------------------------------------------------------------------------------
  const fold = (except) => { for (const m of all(".more[open]")) if (!m.contains(except)) m.open = false; };
  document.addEventListener("click", async (e) => {
    fold(e.target);
    const t = e.target.closest("button, a, tr[data-href], summary, input, label, textarea, select, pre");
    if (!t) return;
    if (t.dataset.zoom) zoom(Number(t.dataset.zoom));
    else if (t.id === "theme") {
      const dark = document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
      const next = dark === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try { localStorage.setItem("atone-theme", next); } catch { /* then it holds for this page */ }
    } else if (t.id === "help-open") $("#help").showModal();
    else if ("close" in t.dataset && dialog.open) { e.preventDefault(); dialog.close(); }
    else if (t.dataset.copy) {
      try { await navigator.clipboard.writeText(t.dataset.copy); t.classList.add("copied"); setTimeout(() => t.classList.remove("copied"), 1200); } catch { /* the text can be selected */ }
    } else if (t.id === "pick-all") { for (const c of all("input[name=incident]")) c.checked = t.checked; count(); }
    else if (t.name === "incident") count();
    else if (t.matches("tr[data-href]") && String(getSelection()) === "") location.href = t.dataset.href;
  });
  for (const d of all("dialog")) d.addEventListener("click", (e) => { if (e.target === d) d.close(); });
  document.addEventListener("change", (e) => { if ("submit" in e.target.dataset) e.target.form.submit(); });
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id !== "sheet") return;
    if (!dialog.open) dialog.showModal();
    ($("[autofocus]", dialog) || $("input:not([type=hidden]), textarea", dialog))?.focus();
  });
  const count = () => {
    const out = $("#picked");
    if (!out) return;
    const n = all("input[name=incident]:checked").length;
    write(out, n ? `${n} chosen` : "none chosen");
    $("#desk")?.classList.toggle("some", n > 0);
    for (const b of all(".bulk button")) b.disabled = n === 0;
  };

  // --- keys --------------------------------------------------------------------------------
  let going = 0;
  const rows = () => all(".row").filter((r) => r.offsetParent !== null);
  const step = (by) => {
    const list = rows();
    if (!list.length) return;
    const now = list.findIndex((r) => r.contains(document.activeElement));
    const next = list[Math.min(list.length - 1, Math.max(0, now < 0 ? (by > 0 ? 0 : list.length - 1) : now + by))];
    if (!next.matches("summary, a")) next.tabIndex = -1;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const pages = { r: "/runs", i: "/incidents", a: "/audit", d: "/sagas", s: "/stats", e: "/events" };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || dialog.open || $("#help").open) return;
    const at = document.activeElement;
    const typing = at && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) && at.type !== "checkbox";
    if (e.key === "Escape") { fold(null); if (typing) at.blur(); }
    if (typing) return;
    const row = at?.closest?.(".row");
    if (going && Date.now() - going < 1200 && pages[e.key]) { location.href = base + pages[e.key]; return; }
    going = 0;
    switch (e.key) {
      case "g": going = Date.now(); break;
      case "/": { const s = $("#search"); if (s) { e.preventDefault(); s.focus(); s.select(); } break; }
      case "j": step(1); break;
      case "k": step(-1); break;
      case "Enter": if (row?.dataset.href && at === row) location.href = row.dataset.href; break;
      case "x": { const c = row && $("input[name=incident]", row); if (c) { c.checked = !c.checked; count(); } break; }
      case "+": case "=": zoom(1); break;
      case "-": zoom(-1); break;
      case "[": $(".past a[rel=prev], .rewind")?.click(); break;
      case "]": $(".past a[rel=next]")?.click(); break;
      case "?": $("#help").showModal(); break;
      default: {
        const tab = /^[1-5]$/.test(e.key) && all(".tabs a")[Number(e.key) - 1];
        if (tab) tab.click();
      }
    }
  });

  // A link on another site's page brings no session along, for the session's cookie is strict; a request of this page does.
  const next = $(".login input[name=next]")?.value;
  if (next) fetch(next, { method: "HEAD", redirect: "manual" }).then((r) => { if (r.ok) location.replace(next); }, () => { /* then the form is the way in */ });

  // A note that was read needs no place in the address.
  const url = new URL(location.href);
  if (url.searchParams.has("note") || url.searchParams.has("seen")) {
    url.searchParams.delete("note");
    url.searchParams.delete("seen");
    history.replaceState(null, "", url);
  }

  // A step that the address names is unfolded.
  const named = location.hash.startsWith("#s-") && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named) addEventListener("load", () => { named.open = true; named.scrollIntoView({ block: "center" }); });

  tell();
  count();
  setInterval(() => { if (!document.hidden) tell(); }, 1000);
})();
