// Runs before the first paint, so that nobody who chose a theme sees the other one flash.
"use strict";
try {
  const chosen = localStorage.getItem("atone-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* storage may be off; the system's theme is fine */ }
