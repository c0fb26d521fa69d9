//! The page in a real browser, from disk and without a network: it sorts, filters, tells values on hovering, shows a
//! figure large, and prints.

mod simulator;

use reports::formats;
use reports::store::Stored;
use reports::summary::Summary;
use simulator::Test;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a person does with the page, and what must have come of it. An exception would leave no result.
const DRIVER: &str = r#"<script>
addEventListener("load", () => {
  const said = {};
  const table = document.querySelector("section table");
  const cells = (n) => [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[n].textContent.replace(/,/g, "")));
  const total = [...table.tHead.rows[0].cells].findIndex((th) => th.textContent.startsWith("total"));
  const head = table.tHead.rows[0].cells[total];
  head.click();
  const up = cells(total);
  said.sorted = up.every((v, i) => i === 0 || up[i - 1] <= v);
  head.click();
  const down = cells(total);
  said.turned = down.every((v, i) => i === 0 || down[i - 1] >= v);
  const field = document.querySelector(".filter input");
  const type = (text) => { field.value = text; field.dispatchEvent(new Event("input")); };
  const rows = [...table.tBodies[0].rows];
  said.rows = rows.length;
  type("prefilter");
  said.filtered = rows.filter((row) => !row.hidden).length;
  said.right = rows.every((row) => row.hidden !== row.textContent.includes("prefilter"));
  type("");
  said.all = rows.filter((row) => !row.hidden).length;
  const svg = document.querySelector("figure svg");
  const point = svg.querySelector("circle[aria-label]");
  const r = point.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove", { clientX: r.x + r.width / 2, clientY: r.y + r.height / 2 }));
  const tip = document.getElementById("tip");
  said.tip = !tip.hidden && tip.textContent;
  const box = tip.getBoundingClientRect();
  said.tipInside = box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
  svg.dispatchEvent(new PointerEvent("pointerleave"));
  said.gone = tip.hidden;
  const width = svg.getBoundingClientRect().width;
  svg.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  said.larger = svg.closest("figure").getBoundingClientRect().width >= innerWidth && svg.getBoundingClientRect().width >= width;
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  said.closed = !document.querySelector("figure.large");
  said.figures = document.querySelectorAll("figure svg").length;
  said.fits = document.documentElement.scrollWidth <= innerWidth;
  said.loaded = performance.getEntriesByType("resource").length;
  const out = document.createElement("pre");
  out.id = "said";
  out.textContent = JSON.stringify(said);
  document.body.append(out);
});
</script>"#;

/// A browser that this machine has.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)))
        .find(|file| file.is_file())
}

/// The page of a simulated run, with what is put behind its body.
fn page(dir: &Path, test: Test, behind: &str) -> PathBuf {
    let records = simulator::lines(&simulator::records(test, 5, 3));
    let summary = Summary::of(&Stored::read(records.as_bytes()).unwrap());
    let mut html = Vec::new();
    formats::find("html").unwrap().documents(&summary)[0].write(&mut html).unwrap();
    let html = String::from_utf8(html).unwrap().replace("</body>", &format!("{behind}</body>"));
    let file = dir.join("report.html");
    std::fs::write(&file, html).unwrap();
    file
}

/// Runs the browser without a window and without names of hosts, in a profile of its own.
fn headless(program: &Path, dir: &Path, args: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=5000",
            "--window-size=1200,900",
        ])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .args(args)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_person_can_sort_filter_look_closely_and_print() {
    let Some(program) = browser() else {
        println!("skipped: no Chromium (apt-get install chromium)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let driven = page(dir.path(), Test::Filter, DRIVER);
    let dom = String::from_utf8(headless(&program, dir.path(), &["--dump-dom"], &driven)).unwrap();
    let said = dom.split("<pre id=\"said\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let said = said.unwrap_or_else(|| panic!("a script failed: {}", &dom[dom.len().saturating_sub(2000)..]));
    let said: serde_json::Value = serde_json::from_str(&said.replace("&amp;", "&")).unwrap();
    for must in ["sorted", "turned", "right", "tipInside", "gone", "larger", "closed", "fits"] {
        assert_eq!(said[must], true, "{must}: {said}");
    }
    assert_eq!(
        (&said["rows"], &said["filtered"], &said["all"]),
        (&12.into(), &6.into(), &12.into()),
        "{said}"
    );
    assert!(said["tip"].as_str().is_some_and(|tip| tip.contains("rules")), "{said}");
    assert!(said["figures"].as_u64() >= Some(2), "{said}");
    assert_eq!(said["loaded"], 0, "nothing may be loaded: {said}");

    for test in [Test::NumberOfRules, Test::WorstCase, Test::Filter, Test::Meters] {
        let printed = dir.path().join("report.pdf");
        let file = page(dir.path(), test, "");
        headless(&program, dir.path(), &[&format!("--print-to-pdf={}", printed.display())], &file);
        let pdf = std::fs::read(&printed).unwrap();
        assert!(pdf.starts_with(b"%PDF") && pdf.len() > 20_000, "{} bytes", pdf.len());
    }
}
