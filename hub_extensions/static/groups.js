/* JupyterHub's admin page offers to edit every group: those that this person may not change become
   text. Its elements are used again for other groups, so each change of the page is looked at. */
const { managed, fixed } = document.currentScript.dataset;
const mine = managed && JSON.parse(managed);
const provided = fixed ? JSON.parse(fixed) : [];
const mayChange = (group) => !provided.includes(group) && (!mine || mine.includes(group));

document.addEventListener("DOMContentLoaded", () => {
  const look = () => {
    for (const link of document.querySelectorAll('a[href$="/group-edit"]')) {
      link.inert = !mayChange(link.textContent);
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
});
