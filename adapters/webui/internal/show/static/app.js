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
  const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const zone = `times in ${new Intl.DateTimeFormat().resolvedOptions().timeZone}`;
  const write = (el, text) => { if (el.textContent !== text) el.textContent = text; };
  const tell = () => {
    const now = Date.now();
    for (const el of all("#zone, .zone")) write(el, zone);
    for (const el of all("text[data-at]")) write(el, ("day" in el.dataset ? day : minute).format(new Date(el.dataset.at)));
    for (const el of all(".cols a[data-from]")) {
      const from = new Date(el.dataset.from);
      const text = `${day.format(from)} ${minute.format(from)} to ${minute.format(new Date(el.dataset.to))}: ${el.dataset.text}`;
      write($("title", el), text);
      el.setAttribute("aria-label", text);
    }
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
  // News is asked for less often while there is none: at most five times as seldom.
  let due = 0, asked = 0, idle = 0;
  setInterval(() => {
    const el = live();
    if (!el || document.hidden) return;
    if (busy()) { pulse("held", "held"); return; }
    if (Date.now() < due) return;
    asked = Date.now();
    due = asked + Number(el.dataset.refresh) * Math.min(5, 1 + idle);
    htmx.trigger(el, "live");
  }, 250);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) due = idle = 0; });

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
  // What comes in the way of a lever is said in its form, where what was typed stays.
  const unsent = "atone-unsent";
  const form = (el) => el?.closest?.("form.lever") || (dialog.open && $("form.lever", dialog));
  // say writes to the form of the element; then are the text, links and buttons that follow.
  const say = (el, ...then) => {
    let f = form(el);
    if (!f) {
      $("#sheet").innerHTML = '<form class="lever" method="dialog"><div class="buttons"><button class="btn" data-close>Close</button></div></form>';
      f = $("form.lever", dialog);
    }
    $("[data-said]", f)?.remove();
    const out = document.createElement("p");
    out.className = "problem";
    out.dataset.said = "";
    out.setAttribute("role", "alert");
    out.append(...then);
    $(".buttons", f).before(out);
    if (dialog.contains(f) && !dialog.open) dialog.showModal();
    out.scrollIntoView({ block: "nearest" });
  };
  const button = (label, act) => {
    const b = document.createElement("button");
    b.type = "button";
    b.textContent = label;
    b.addEventListener("click", act);
    return b;
  };
  const link = (label, href) => {
    const a = document.createElement("a");
    a.textContent = label;
    a.href = href;
    return a;
  };
  const login = () => {
    const f = [form(), $("#desk")].find((x) => x?.method === "post");
    if (f) {
      const values = [...new FormData(f)].filter(([, v]) => typeof v === "string");
      try { sessionStorage.setItem(unsent, JSON.stringify({ page: location.pathname, desk: f.id === "desk", verb: f.dataset.resend || "get", path: f.getAttribute("action"), values })); } catch { /* then the text stays in this tab's history */ }
    }
    location.href = `${base}/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  };
  const ofDesk = (el) => el?.closest?.("#desk");
  document.addEventListener("htmx:beforeOnLoad", (e) => {
    if (!e.detail.xhr.getResponseHeader("HX-Redirect")?.startsWith(`${base}/login`)) return;
    e.preventDefault();
    if (form(e.detail.elt) || ofDesk(e.detail.elt)) say(e.detail.elt, "Your session has ended. Nothing was done; what you typed is kept. ", button("Log in and come back", login));
    else login();
  });
  // A form is carried out once: a form that comes without an id gets one, which lasts until it has an
  // answer or is filled in otherwise.
  const sent = new WeakMap();
  document.addEventListener("htmx:configRequest", (e) => {
    const { elt, verb, parameters } = e.detail;
    if (verb !== "post" || parameters.once) return;
    const body = JSON.stringify([e.detail.path, ...parameters]);
    const of = elt.form || elt;
    const last = sent.get(of);
    const once = last?.body === body ? last.once : [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    sent.set(of, { body, once });
    parameters.once = once;
  });
  document.addEventListener("htmx:afterRequest", (e) => {
    const { xhr, elt } = e.detail;
    if (xhr?.status && xhr.status < 500) sent.delete(elt.form || elt);
  });
  // Requests that a browser without a network did not send: to this very machine it would send them.
  const here = /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
  const held = new WeakSet();
  document.addEventListener("htmx:beforeSend", (e) => { if (!navigator.onLine && !here) held.add(e.detail.xhr); });
  // unanswered says what came in the way of a request; null where the answer speaks for itself. reads
  // means that the request changes nothing, off that it was never sent.
  const unanswered = (e) => {
    const { xhr, requestConfig, elt } = e.detail;
    const status = xhr?.status || 0;
    if (status && status < 500) return null;
    const off = !status && e.type === "htmx:sendError" && held.has(xhr);
    const what = off ? "This browser is offline." : status ? `The server answers with an error (${status}).`
      : e.type === "htmx:timeout" ? `The server has not answered for ${took(htmx.config.timeout)}.` : "The server does not answer.";
    return { what, off, reads: requestConfig?.verb === "get" || ("asks" in elt.dataset && !requestConfig?.parameters?.sure) };
  };
  // finds is where a reader sees whether a form was carried out.
  const finds = (f) => {
    const key = f?.elements?.key?.value.trim();
    if (key && f.dataset.findKey) return link("Look whether it was started", f.dataset.findKey + encodeURIComponent(key));
    return link(f?.dataset.findText || "Reload the page", f?.dataset.find || location.href);
  };
  // A request without an answer says so where the hand is: in the form, or in the place of the part of
  // the page that did not come, with a way to find out or to try again.
  const away = (e) => {
    const { target, xhr, elt, requestConfig } = e.detail;
    const part = target?.matches?.(".tl-open, .act") && target;
    if (!part && target?.id !== "sheet") return;
    const why = unanswered(e);
    if (part) {
      const refused = !why && $(".empty p", new DOMParser().parseFromString(xhr.responseText, "text/html"))?.textContent;
      const out = document.createElement("p");
      out.className = "bad";
      out.dataset.missing = "";
      out.setAttribute("role", "alert");
      out.textContent = why ? why.what : refused ? `The server refuses this: ${refused}.` : `The server answers with an error (${xhr.status}).`;
      if (part.matches(".tl-open")) {
        out.append(" ", button("Try again", () => unfold(part)));
        part.replaceChildren(out);
        return;
      }
      if (requestConfig.verb === "get") out.append(" What becomes of this is not known; the page goes on asking.");
      else out.append(why && !why.off ? " It is not known whether it was dismissed: try again." : " It was not dismissed: try again.");
      $("[data-missing]", part)?.remove();
      part.append(out);
      return;
    }
    if (!why) return;
    const kept = form(elt) || ofDesk(elt) ? " What you typed is kept." : "";
    if (why.off) say(elt, `${why.what} Nothing was sent, so nothing was done.${kept} Try again when it is back.`);
    else if (why.reads) say(elt, `${why.what} Nothing was done.${kept} Try again when it is back.`);
    else say(elt, `${why.what} It is not known whether this was done: it may have been. `, finds(elt.form || elt.closest("form")), `.${kept} Sending the same again does nothing twice.`);
  };
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(name, away);
  const refill = (root, values) => {
    for (const [name, value] of values) {
      const box = all("input[type=checkbox]", root).find((x) => x.name === name && x.value === value);
      const field = box || all("input:not([type=hidden], [type=checkbox]), textarea, select", root).find((x) => x.name === name);
      if (box) box.checked = true;
      else if (field) field.value = value;
    }
  };
  addEventListener("load", () => {
    let kept;
    try { kept = JSON.parse(sessionStorage.getItem(unsent)); } catch { return; }
    if (!kept || location.pathname !== kept.page) return;
    sessionStorage.removeItem(unsent);
    if (kept.desk) {
      if ($("#desk")) refill($("#desk"), kept.values);
      count();
      return;
    }
    const fill = (e) => {
      if (e.detail.target.id !== "sheet") return;
      document.removeEventListener("htmx:afterSwap", fill);
      refill(dialog, kept.values);
    };
    document.addEventListener("htmx:afterSwap", fill);
    const values = {};
    if (kept.verb === "post") for (const [name, value] of kept.values) (values[name] ??= []).push(value);
    htmx.ajax(kept.verb, kept.path, { target: "#sheet", swap: "innerHTML", values });
  });
  document.addEventListener("htmx:afterRequest", (e) => {
    if (e.detail.elt.id !== "live") return;
    if (e.detail.successful) {
      idle = e.detail.xhr.status === 204 ? idle + 1 : 0;
      pulse("on", "live");
      answered = Date.now();
      $("#offline").hidden = true;
      const title = e.detail.xhr.getResponseHeader("X-Title");
      const counted = (id, n) => { const badge = $(id); if (badge && n !== null) { badge.textContent = n; badge.classList.toggle("none", n === "0"); } };
      const stuck = e.detail.xhr.getResponseHeader("X-Stuck");
      counted("#rejected-badge", e.detail.xhr.getResponseHeader("X-Rejected"));
      if (stuck !== null) {
        counted("#stuck-badge", stuck);
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
      if (node.tagName === "svg" && node.classList.contains("graph") && (name === "width" || name === "height")) return false;
      if (name === "tabindex" || (name === "class" && node.id === "timeline")) return false;
      return true;
    };
    cb.beforeNodeMorphed = (old, fresh) => {
      if (old.nodeType !== 1) return true;
      if (old.classList.contains("tl-open") && old.dataset.loaded) return false;
      if (old.tagName === "INPUT" && old.type === "checkbox" && fresh.tagName === "INPUT") return false;
      if (old.matches(".bulk input, .bulk textarea, .bulk select")) return false;
      if (old.tagName === "TIME" && fresh.tagName === "TIME" && old.dataset.since === fresh.dataset.since
        && old.getAttribute("datetime") === fresh.getAttribute("datetime")) return false;
      return true;
    };
    Idiomorph.defaults.ignoreActiveValue = true;
  }
  document.addEventListener("htmx:afterSettle", (e) => {
    tell();
    zoom(0);
    plan(0);
    count();
    // What takes long is asked for less often, so that news never fills the day of page or server.
    if (e.detail.target?.id === "live") due = Math.max(due, Date.now() + 5 * (Date.now() - asked));
  });

  // --- a step unfolds ----------------------------------------------------------------------
  const opened = (step) => {
    const box = step.open && $(".tl-open", step);
    if (!box || !step.classList.contains("tl-step")) return;
    box.dataset.loaded = "1";
    htmx.process(box); // a child's step may be opened before it has settled
    unfold(box);
  };
  document.addEventListener("toggle", (e) => opened(e.target), true);
  const unfold = (box) => {
    if ($(":scope > [data-missing]", box)) box.textContent = "Loading…";
    box.dispatchEvent(new CustomEvent("opened")); // it does not bubble: what lies around it is not loaded again
  };
  for (const step of all("details.tl-step[open]")) opened(step); // before this script was there

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

  // --- the drawing of a plan ---------------------------------------------------------------
  let scale = 0; // 0 until somebody has chosen
  const plan = (by) => {
    const box = $(".canvas"), svg = box && $(".graph", box);
    if (!svg) return;
    const { width, height } = svg.viewBox.baseVal, style = getComputedStyle(box);
    const fit = () => Math.min(1, (box.clientWidth - parseFloat(style.paddingLeft) * 2) / width, (parseFloat(style.maxHeight) - parseFloat(style.paddingTop) * 2) / height);
    const old = svg.clientWidth / width || 1;
    if (by === "fit") scale = fit();
    else if (by) scale = Math.min(4, Math.max(0.1, old * 1.25 ** by));
    const now = scale || 1;
    const at = [(box.scrollLeft + box.clientWidth / 2) / box.scrollWidth, (box.scrollTop + box.clientHeight / 2) / box.scrollHeight];
    svg.setAttribute("width", width * now);
    svg.setAttribute("height", height * now);
    if (by) box.scrollTo(at[0] * box.scrollWidth - box.clientWidth / 2, at[1] * box.scrollHeight - box.clientHeight / 2);
    const out = $("#plan-now");
    if (out) write(out, `${Math.round(now * 100)}%`);
  };
  // It is moved by dragging, with a mouse; fingers and arrow keys scroll by themselves.
  document.addEventListener("pointerdown", (e) => {
    const box = e.button === 0 && e.pointerType === "mouse" && e.target.closest(".canvas");
    if (!box || e.target.closest("a")) return;
    e.preventDefault();
    box.focus({ preventScroll: true });
    box.classList.add("held");
    const from = [e.clientX + box.scrollLeft, e.clientY + box.scrollTop];
    const move = (m) => box.scrollTo(from[0] - m.clientX, from[1] - m.clientY);
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", () => { document.removeEventListener("pointermove", move); box.classList.remove("held"); }, { once: true });
  });

  // --- clicks ------------------------------------------------------------------------------
  const fold = (except) => { for (const m of all(".more[open]")) if (!m.contains(except)) m.open = false; };
  document.addEventListener("click", async (e) => {
    fold(e.target);
    const t = e.target.closest("button, a, tr[data-href], summary, input, label, textarea, select, pre");
    if (!t) return;
    if (t.dataset.zoom) zoom(Number(t.dataset.zoom));
    else if (t.dataset.plan) plan(t.dataset.plan === "fit" ? "fit" : Number(t.dataset.plan));
    else if (t.id === "theme") {
      const dark = document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
      const next = dark === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try { localStorage.setItem("atone-theme", next); } catch { /* then it holds for this page */ }
    } else if (t.id === "help-open") $("#help").showModal();
    else if ("close" in t.dataset && dialog.open) { e.preventDefault(); dialog.close(); }
    else if (t.dataset.copy || "copyPre" in t.dataset) {
      try { await navigator.clipboard.writeText(t.dataset.copy ?? $("pre", t.parentElement).textContent); t.classList.add("copied"); setTimeout(() => t.classList.remove("copied"), 1200); } catch { /* the text can be selected */ }
    } else if (t.id === "pick-all") { for (const c of all("input[name=incident]")) c.checked = t.checked; count(); }
    else if (t.name === "incident") count();
    else if (t.matches("tr[data-href]") && String(getSelection()) === "") {
      if (aside(e)) window.open(t.dataset.href, "_blank", "noopener");
      else location.href = t.dataset.href;
    }
  });
  // A row opens a tab like a link: with Ctrl or Cmd, or with the middle button.
  const aside = (e) => e.button === 1 || e.ctrlKey || e.metaKey;
  document.addEventListener("auxclick", (e) => {
    const row = e.button === 1 && !e.target.closest("a, button, input, summary") && e.target.closest("tr[data-href]");
    if (row) window.open(row.dataset.href, "_blank", "noopener");
  });
  for (const d of all("dialog")) d.addEventListener("click", (e) => { if (e.target === d) d.close(); });
  document.addEventListener("change", (e) => { if ("submit" in e.target.dataset) e.target.form.submit(); });
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id !== "sheet") return;
    if (!dialog.open) dialog.showModal();
    ($("[aria-invalid]", dialog) || $("[autofocus]", dialog) || $("input:not([type=hidden]), textarea", dialog))?.focus();
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
    const column = at?.closest?.(".cols a");
    if (column && /^Arrow(Left|Right)$/.test(e.key)) {
      e.preventDefault();
      (e.key === "ArrowLeft" ? column.previousElementSibling : column.nextElementSibling)?.closest("a")?.focus();
      return;
    }
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
      case "+": case "=": zoom(1); plan(1); break;
      case "-": zoom(-1); plan(-1); break;
      case "0": plan("fit"); break;
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

  // --- shift chooses all rows between two ---------------------------------------------------
  let chosen = null;
  document.addEventListener("click", (e) => {
    const box = e.target;
    if (!box.matches?.("tbody input[type=checkbox]")) return;
    const list = all("input[type=checkbox]", box.closest("tbody"));
    const [a, b] = [list.indexOf(chosen), list.indexOf(box)];
    if (e.shiftKey && a >= 0) {
      for (const c of list.slice(Math.min(a, b), Math.max(a, b) + 1)) c.checked = box.checked;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }
    chosen = box;
  }, true);

  // A plan that is wider than its frame is shown from its middle.
  for (const box of all(".canvas")) box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;

  tell();
  count();
  setInterval(() => { if (!document.hidden) tell(); }, 1000);
})();
