/* JupyterHub's admin page offers to edit every group: those that this person may not change become
   text. Its elements are used again for other groups, so each change of the page is looked at. */
const { managed, fixed } = document.currentScript.dataset;
const mayChange = managed
  ? (group) => JSON.parse(managed).includes(group)
  : (group) => !JSON.parse(fixed).includes(group);

const look = () => {
  for (const link of document.querySelectorAll('a[href$="/group-edit"]')) {
    link.inert = !mayChange(link.textContent);
  }
};
const changes = { childList: true, subtree: true, characterData: true };
new MutationObserver(look).observe(document.documentElement, changes);
