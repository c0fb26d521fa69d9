//! `encapsulation`: headers around the packets of a load.

use super::context::Context;
use super::models::Of;
use crate::ast::{Expr, ExprKind, Item, Name};
use crate::mix::{Encapsulation, Tunnel};
use crate::models::{Draws, Model, Quantity, names};

impl Context<'_> {
    /// One kind of headers, or a set of kinds that go together.
    pub(super) fn encapsulation(&mut self, e: &Expr) -> Option<Encapsulation> {
        let followed = self.follow(e);
        let members = match &followed.kind {
            ExprKind::Set(members) => members.as_slice(),
            _ => std::slice::from_ref(e),
        };
        let mut out = Encapsulation::default();
        let mut given: Vec<(String, &Expr)> = Vec::new();
        for member in members {
            let model = self.headers(member)?;
            let kind = if model.name == "vxlan" { "gre" } else { model.name.as_str() };
            if let Some((_, first)) = given.iter().find(|(k, _)| k == kind) {
                let what = if kind == "gre" { "a tunnel" } else { kind };
                self.repeated(what, first.span, member.span);
                return None;
            }
            given.push((kind.to_owned(), member));
            wrap(&mut out, &model);
        }
        Some(out)
    }

    fn headers(&mut self, e: &Expr) -> Option<Model> {
        let followed = self.follow(e);
        match &followed.kind {
            ExprKind::Word(w) if names(Draws::Headers).contains(&w.as_str()) => {
                let name = Name { text: w.clone(), span: followed.span };
                self.model(&name, &[] as &[Item], Of::Headers, &[])
            }
            ExprKind::Call(name, items) => self.model(name, items, Of::Headers, &[]),
            _ => {
                self.wrong_kind(e, "headers", &names(Draws::Headers));
                None
            }
        }
    }
}

/// Adds the headers of one model; the table of models has made sure of its parameters.
fn wrap(out: &mut Encapsulation, model: &Model) {
    let whole = |name| match model.parameter(name) {
        Some(Quantity::Number(n)) => Some(n as u32),
        _ => None,
    };
    match model.name.as_str() {
        "qinq" => out.inner_tag = whole("inner").map(|n| n as u16),
        "mpls-stack" => out.labels = whole("labels").unwrap_or(1) as u8,
        "gre" => out.tunnel = Some(Tunnel::Gre { key: whole("key") }),
        _ => out.tunnel = Some(Tunnel::Vxlan { vni: whole("vni").unwrap_or(1) }),
    }
}
