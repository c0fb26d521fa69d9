//! `csnbench doctor`: what this machine can do, what is missing, and what would mend it.

use super::exit::Exit;

/// Arguments of `doctor`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  csnbench doctor")]
pub struct Args {
    /// JSON Lines
    #[arg(long)]
    json: bool,
}

/// One finding.
struct Finding {
    what: String,
    good: bool,
    detail: String,
    cure: String,
}

/// Tries each part; exit 77 where nothing could be measured here.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let host = harness::host::facts();
    let mut findings = vec![lab()];
    findings.extend(meters::METERS.iter().map(|m| meter(*m)));
    if !args.json {
        println!("{} on {}, {} CPUs, kernel {}", host.cpu, host.system, host.cpus, host.kernel);
    }
    for f in &findings {
        if args.json {
            println!(
                "{}",
                serde_json::json!({"part": f.what, "ok": f.good, "detail": f.detail, "cure": f.cure})
            );
        } else {
            println!("{:<8} {:<18} {}", if f.good { "ok" } else { "missing" }, f.what, f.detail);
            if !f.good {
                println!("{:<27} cure: {}", "", f.cure);
            }
        }
    }
    for warning in &host.warnings {
        if args.json {
            println!("{}", serde_json::json!({"part": "host", "ok": true, "warning": warning}));
        } else {
            println!("{:<8} {:<18} {warning}", "warning", "host");
        }
    }
    let able = findings[0].good && findings[1..].iter().any(|f| f.good);
    if able { Ok(Exit::Done) } else { Err(Exit::Nothing) }
}

/// Makes a lab and takes it down again.
fn lab() -> Finding {
    match harness::lab::Lab::create(&harness::lab::LabOptions::default()) {
        Ok(lab) => {
            let facts = lab.facts();
            let notes =
                if facts.notes.is_empty() { String::new() } else { format!("; {}", facts.notes.join("; ")) };
            Finding {
                what: "lab".into(),
                good: true,
                detail: format!("{}{notes}", facts.kind),
                cure: String::new(),
            }
        }
        Err(e) => {
            let text = e.to_string();
            let (detail, cure) = text.split_once("\n  cure: ").unwrap_or((&text, ""));
            Finding { what: "lab".into(), good: false, detail: detail.into(), cure: cure.into() }
        }
    }
}

fn meter(meter: &dyn meters::Meter) -> Finding {
    let what = format!("meter {}", meter.name());
    match meter.version() {
        Ok(version) => {
            let place = match meter.place() {
                meters::Place::Process => "",
                meters::Place::Kernel => "in the kernel, ",
            };
            let detail = format!("{version}; {place}classes by {}", meter.tells_classes().words());
            Finding { what, good: true, detail, cure: String::new() }
        }
        Err(meters::MeterError::Unavailable { reason, cure, .. }) => {
            Finding { what, good: false, detail: reason, cure }
        }
        Err(e) => Finding { what, good: false, detail: e.to_string(), cure: String::new() },
    }
}
