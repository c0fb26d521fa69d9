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

// A field over each longer table leaves only the rows that hold every word in it; a word with - in front must not be there.
document.querySelectorAll(".scroll").forEach((box) => {
  const rows = [...box.querySelectorAll("tbody tr")];
  if (rows.length < 6) return;
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "filter rows";
  field.setAttribute("aria-label", "filter rows");
  const shown = document.createElement("span");
  const bar = document.createElement("p");
  bar.className = "filter";
  bar.append(field, shown);
  box.before(bar);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter((word) => word && word !== "-");
    let count = 0;
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => word[0] === "-" ? !text.includes(word.slice(1)) : text.includes(word));
      count += row.hidden ? 0 : 1;
    });
    shown.textContent = words.length ? `${count} of ${rows.length} rows` : "";
  });
});

// The values of the point that is nearest to the pointer, beside it; a click on a figure shows it as large as the window.
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
document.body.append(tip);
const NEAR = 40;
const explain = (svg) => {
  const points = [...svg.querySelectorAll("circle")].filter((c) => c.querySelector("title"));
  const texts = points.map((c) => {
    const title = c.querySelector("title"), text = title.textContent;
    title.remove(); // the browser's own tip would show as well, later
    c.setAttribute("aria-label", text);
    return text;
  });
  svg.addEventListener("pointermove", (event) => {
    let best = -1, least = NEAR;
    points.forEach((c, i) => {
      const r = c.getBoundingClientRect();
      const distance = Math.hypot(r.x + r.width / 2 - event.clientX, r.y + r.height / 2 - event.clientY);
      if (distance < least) [best, least] = [i, distance];
    });
    points.forEach((c, i) => c.setAttribute("fill-opacity", i === best ? "0.18" : "0"));
    tip.hidden = best < 0;
    if (best < 0) return;
    tip.textContent = texts[best];
    const right = event.clientX + 18 + tip.offsetWidth < window.innerWidth;
    tip.style.left = `${right ? event.clientX + 18 : event.clientX - 18 - tip.offsetWidth}px`;
    tip.style.top = `${Math.min(event.clientY + 12, window.innerHeight - tip.offsetHeight - 8)}px`;
  });
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    points.forEach((c) => c.setAttribute("fill-opacity", "0"));
  });
};
document.querySelectorAll("figure svg").forEach((svg) => {
  explain(svg);
  const figure = svg.closest("figure");
  svg.addEventListener("click", () => {
    const large = figure.classList.toggle("large");
    document.body.classList.toggle("still", large);
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("figure.large").forEach((figure) => figure.classList.remove("large"));
  document.body.classList.remove("still");
});
