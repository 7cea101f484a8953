// Sets the theme before the first paint: the stored choice, else what the system asks for.
(() => {
  const asked = new URLSearchParams(location.search).get('theme');
  let stored = null;
  try {
    stored = localStorage.getItem('theme');
  } catch {
    // Storage may be refused; the system's wish decides then.
  }
  const wanted = asked || stored || (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
  document.documentElement.dataset.theme = wanted === 'light' ? 'light' : 'dark';
})();
