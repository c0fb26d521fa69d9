//! What a manager and meter readers ask of a meter while it runs (RFC 2722 §2 and §6): the task with its standby rule
//! set and high-water mark, and collections over a socket.

use super::attributes::Flow;
use super::collector::{Listening, Request};
use super::matching::Matching;
use csn::Nanos;
use csn::rtfm::Attribute;
use std::collections::HashMap;
use std::fmt::Write;

/// A task: the rule set that runs, and what happens when the flow table fills up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Place of the current rule set.
    pub current: usize,
    /// Place of the standby rule set; without one the task stops.
    pub standby: Option<usize>,
    /// Records in use at which the standby set takes over.
    pub mark: usize,
    /// Whether it has.
    pub running_standby: bool,
}

impl Task {
    /// Switches to the standby set where the table has come to the mark.
    pub fn look(&mut self, matching: &mut Matching) {
        if !self.running_standby && matching.table().active() >= self.mark {
            self.running_standby = true;
            matching.switch(self.current, self.standby);
        }
    }

    /// Back to the current set: the manager's order.
    fn reset(&mut self, matching: &mut Matching) {
        if std::mem::take(&mut self.running_standby) {
            if let Some(standby) = self.standby {
                matching.switch(standby, None);
            }
            matching.start(self.current);
        }
    }
}

/// A reader that has registered.
#[derive(Clone, Copy, Debug)]
struct Registered {
    /// Its number in the flow table.
    number: usize,
    /// It is forgotten when it does not collect for so long.
    timeout: Option<Nanos>,
    collected: Nanos,
}

/// Readers, by their connections.
pub struct Readers {
    listening: Listening,
    registered: HashMap<usize, Registered>,
    start: Nanos,
}

impl Readers {
    /// Serves what comes in at the socket.
    pub fn new(listening: Listening, start: Nanos) -> Self {
        Self { listening, registered: HashMap::new(), start }
    }

    /// Answers what was asked since the call before, and forgets readers that have not collected in time.
    pub fn serve(&mut self, matching: &mut Matching, task: &mut Option<Task>, now: Nanos) {
        let requests: Vec<Request> = self.listening.requests().collect();
        for request in requests {
            match request.line.clone() {
                None => {
                    if let Some(gone) = self.registered.remove(&request.connection) {
                        matching.table_mut().forget(gone.number);
                    }
                }
                Some(line) => {
                    let answer = self
                        .answer(request.connection, &line, matching, task, now)
                        .unwrap_or_else(|why| format!("error: {why}\n"));
                    request.answer(answer);
                }
            }
        }
        let late = |r: &Registered| r.timeout.is_some_and(|t| now.0.saturating_sub(r.collected.0) > t.0);
        self.registered.retain(|_, r| {
            let gone = late(r);
            if gone {
                matching.table_mut().forget(r.number);
            }
            !gone
        });
    }

    fn answer(
        &mut self,
        connection: usize,
        line: &str,
        matching: &mut Matching,
        task: &mut Option<Task>,
        now: Nanos,
    ) -> Result<String, String> {
        let mut words = line.split_whitespace();
        match words.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "register" => {
                let timeout = match words.next() {
                    None => None,
                    Some(text) => {
                        let seconds: u32 =
                            text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
                        (seconds > 0).then(|| Nanos::from_secs(seconds.into()))
                    }
                };
                if let Some(old) = self.registered.remove(&connection) {
                    matching.table_mut().forget(old.number);
                }
                let number = matching.table_mut().register();
                self.registered.insert(connection, Registered { number, timeout, collected: now });
                Ok(format!("ok {number}\n"))
            }
            "collect" => {
                let attributes = words.map(attribute).collect::<Result<Vec<_>, _>>()?;
                let reader =
                    self.registered.get_mut(&connection).ok_or("register first, or again after a timeout")?;
                reader.collected = now;
                Ok(rows(matching, reader.number, &attributes, self.start, now))
            }
            "status" => Ok(status(matching, task)),
            "reset" => {
                let task = task.as_mut().ok_or("there is no task with a high-water mark")?;
                task.reset(matching);
                Ok("ok\n".into())
            }
            other => Err(format!("`{other}` is none of register, collect, status and reset")),
        }
    }
}

fn attribute(name: &str) -> Result<Attribute, String> {
    match Attribute::from_name(name) {
        Some(a) if !a.is_variable() => Ok(a),
        _ => Err(format!("`{name}` is no attribute of a flow")),
    }
}

fn rows(
    matching: &mut Matching,
    reader: usize,
    attributes: &[Attribute],
    start: Nanos,
    now: Nanos,
) -> String {
    let (table, engines) = matching.collecting();
    let (mut out, mut count) = (String::new(), 0);
    for (index, record) in table.collect(reader, now) {
        let flow = Flow { index, record, engine: &engines[record.set()], start };
        for (n, a) in attributes.iter().enumerate() {
            out.push_str(if n > 0 { " " } else { "" });
            out.push_str(&flow.value(*a));
        }
        out.push('\n');
        count += 1;
    }
    let uptime = now.0.saturating_sub(start.0) / 10_000_000;
    let _ = writeln!(out, "ok {count} at {uptime}");
    out
}

fn status(matching: &Matching, task: &Option<Task>) -> String {
    let table = matching.table();
    let mut out = format!("ok active={} recovered={}", table.active(), table.recovered());
    for (engine, running) in matching.engines().iter().zip(matching.running()) {
        let _ = write!(out, " ruleset{}={}", engine.set(), u8::from(*running));
    }
    if let Some(task) = task {
        let _ = write!(out, " standby={}", u8::from(task.running_standby));
    }
    out.push('\n');
    out
}
