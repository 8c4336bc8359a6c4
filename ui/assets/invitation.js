// What an invitation opens stands behind the #: into the form with it, and out of the address bar.
const told = new URLSearchParams(location.hash.slice(1));
for (const name of ["name", "invitation"]) {
  const field = document.querySelector(`[name="${name}"]`);
  if (told.get(name)) field.value = told.get(name);
}
history.replaceState(null, "", location.pathname);
