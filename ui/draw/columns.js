// One column for each model that reads the drawing.

/**
 * Return one column for each model that reads, in the order of the readings. Columns are made
 * from the component's <template>; the test ids of the second end in -beside.
 * @param {Element} element
 * @param {{ model: string }[]} readings
 * @returns {HTMLElement[]}
 */
export function columns(element, readings) {
  const count = readings.length;
  const row = element.querySelector(".columns");
  const template = element.querySelector("template");
  while (row.children.length > count) row.lastElementChild.remove();
  while (row.children.length < count) {
    const column = /** @type {Element} */ (template.content.firstElementChild.cloneNode(true));
    if (row.children.length) {
      for (const part of column.querySelectorAll("[data-testid]")) {
        part.setAttribute("data-testid", `${part.getAttribute("data-testid")}-beside`);
      }
    }
    row.append(column);
  }
  const columns = /** @type {HTMLElement[]} */ ([...row.children]);
  row.classList.toggle("two", count === 2);
  readings.forEach(({ model }, i) => (columns[i].dataset.model = model));
  return columns;
}
