// What a browser tab remembers across reloads and pages.

export const SAVED = "drawing"; // key of the sketchpad's content and models in `tab`

// sessionStorage with JSON values. If the visitor blocks storage, merely accessing sessionStorage
// throws; then nothing is kept.
export const tab = {
  get(name) {
    try {
      return JSON.parse(sessionStorage.getItem(name));
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
      tab.remove(name); // storage is full or blocked: do not keep an outdated value
    }
  },
  remove(name) {
    try {
      sessionStorage.removeItem(name);
    } catch {
      // Storage is blocked: there is nothing to remove.
    }
  },
};
