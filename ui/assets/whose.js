// What the browser remembers of the page is one person's: where another signed in, it goes.
(() => {
  const whose = document.cookie.match(/(?:^|; )rankloop-whose=([^;]*)/)?.[1] || "";
  if ((localStorage.getItem("rankloop-whose") || "") === whose) return;
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith("rankloop-")) localStorage.removeItem(name);
  }
  localStorage.setItem("rankloop-whose", whose);
})();
