// A click on a head sorts the table by that column, a second click the other way round.
document.querySelectorAll("th").forEach((th) => th.addEventListener("click", () => {
  const column = th.cellIndex, body = th.closest("table").tBodies[0];
  const down = th.dataset.down !== "1";
  th.dataset.down = down ? "1" : "0";
  const key = (row) => {
    const text = row.cells[column].textContent.replace("−", "-").trim();
    const number = parseFloat(text.replace(/,/g, ""));
    return [number, text];
  };
  [...body.rows].sort((a, b) => {
    const [x, s] = key(a), [y, t] = key(b);
    const order = Number.isNaN(x) || Number.isNaN(y) ? s.localeCompare(t, undefined, { numeric: true }) : x - y;
    return down ? order : -order;
  }).forEach((row) => body.append(row));
}));
