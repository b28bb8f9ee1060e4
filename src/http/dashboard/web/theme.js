// Sets the theme before anything is painted. "auto" follows the system.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const wanted = () => { try { return localStorage.getItem("dossier.theme") ?? "auto"; } catch { return "auto"; } };
  const apply = () => {
    const theme = wanted();
    document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
  };
  apply();
  dark.addEventListener("change", apply);
  addEventListener("theme", apply);
})();
