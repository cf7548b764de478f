//! What the encryption of keys costs: the same calls of two daemons in turns, one of which does without.

use super::{Holder, crowd, turns};
use crate::{bench::Bench, figure::Figure, load::Target};

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (sealed, open) = (bench.daemon().await?, bench.unsealed_daemon().await?);
    let (of_sealed, of_open) = (
        Holder::of(&sealed, vec!["alice".into()], 1).await?,
        Holder::of(&open, vec!["alice".into()], 1).await?,
    );
    for (name, call, target) in
        [("save", "Save of a new key", Target::NewKey as fn(_) -> _), ("advance", "Advance", Target::Advance)]
    {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..bench.scale.rounds {
            with.push(bench.sample(&crowd(bench, target(of_sealed.advance(&sealed)), 1, 1)).await?);
            without.push(bench.sample(&crowd(bench, target(of_open.advance(&open)), 1, 1)).await?);
        }
        let ratio = turns::slower(&with, &[&without]);
        bench.take(Figure::new(format!("sealing.{name}"), format!("{call}, sealed")).median(&with));
        bench.take(Figure::new(format!("sealing.{name}.open"), format!("{call}, unsealed")).median(&without));
        if let Some(ratio) = ratio {
            let what = format!("{call}: p50 sealed to that unsealed");
            bench.take(Figure::new(format!("sealing.{name}.ratio"), what).amount(ratio, "x"));
        }
    }
    Ok(())
}
